"""The command line: ``python -m bookproof check|accept|vary``."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import itertools
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ConfigError

from bookproof import report, vary
from bookproof.accept import Pin, accepted, left_over, pins, run_again, with_blocks
from bookproof.files import shown_path, write_atomically
from bookproof.finder import find_pages
from bookproof.kernels.start import START_VARIABLE
from bookproof.kernels.warm import environment
from bookproof.outputs import UNCOMPARED
from bookproof.page import PageError, read_page
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bookproof.compare import Verdict
    from bookproof.page import Page
    from bookproof.result import Run


COMMANDS = {
    "check": "report every cell that does not print what its page says; only pages whose outputs "
    "do not hold any more run",
    "accept": "rewrite the blocks that differ and show the difference; a page without blocks "
    "that is named itself, and all of a book that has none, get one for every cell that prints",
    "vary": "run the pages under each condition of book_conditions, tell how far each number "
    "varies, and report what does not hold; a command after -- is run in the environment of each, "
    "too",
}
OPTIONS = {
    "check": ("--anew", "run every page"),
    "accept": ("--tolerance", "then write the tolerances that numbers need under book_conditions"),
    "vary": ("--all", "the rare conditions, too"),
}
EPILOG = """\
exit status: 0 if every cell prints what its page says (accept: if every cell does
now), 1 if not, 2 if a page, its conf.py or the command line can't be read. The settings are
those of the nearest conf.py above a page: nb_execution_timeout, book_strict and the like."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    own = list(itertools.takewhile("--".__ne__, given))
    options = _parser().parse_args(own)
    options.then = given[len(own) + 1 :]
    try:
        return execute(options)
    except (ConfigError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; the outputs of pages that have ended are kept\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bookproof",
        description="Run the code cells of MyST-NB pages and compare what they print with the "
        "{testoutput} blocks that follow them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in COMMANDS.items():
        command = commands.add_parser(name, help=does, description=does)
        command.add_argument(
            "paths", nargs="*", type=Path, default=[Path("docs")], metavar="PATH",
            help="pages, or folders of pages (default: docs)",
        )  # fmt: skip
        option, more = OPTIONS[name]
        command.add_argument(option, action="store_true", help=more)
        command.set_defaults(anew=False)
    return parser


def execute(options: argparse.Namespace) -> int:
    """Execute a command and return the exit status."""
    pages, errors = _pages(options)
    if errors:
        return _refuse(errors)
    for page in pages:
        if page.why_not_run and (page.path in options.paths or not page.has_lines):
            sys.stdout.write(f"{shown_path(page.path)}: not run: {page.why_not_run}\n")
    to_run = [page for page in pages if not page.why_not_run]
    if options.command == "vary":
        return _vary(to_run, options)
    runs = run_outdated(to_run, Results(), anew=options.anew, log=_log)
    if options.command == "check":
        return _check(runs)
    status = _accept(runs)
    if options.tolerance:
        status = max(
            status, _accept_tolerances([run.page.path for run in runs if run.ok or not status])
        )
    return status


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _pages(options: argparse.Namespace) -> tuple[list[Page], list[PageError]]:
    """Return the pages, and what keeps others from being read."""
    pages, errors = [], []
    try:
        paths = find_pages(options.paths)
    except PageError as error:
        return [], [error]
    for path in paths:
        try:
            pages.append(read_page(path, find_settings(path)))
        except PageError as error:
            errors.append(error)
    if options.command == "accept":
        has_blocks = any(page.has_blocks for page in pages)
        pages = [
            page if has_blocks and page.path not in options.paths
            else dataclasses.replace(page, strict=page.compared)
            for page in pages
        ]  # fmt: skip
    return pages, errors


def _check(runs: Sequence[Run]) -> int:
    """Report what is wrong, and what was not compared."""
    status = _report(report.wrong(runs))
    for line in report.skipped(runs):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{report.summarize(runs)}\n")
    return status


def _vary(pages: Sequence[Page], options: argparse.Namespace) -> int:
    """Run pages, and then a command, under all conditions; report what does not hold under all."""
    found, status = _measured(pages, rare=options.all)
    for line in vary.findings(found):
        sys.stdout.write(f"{line}\n")
    wrong = [block for block in found if block.wrong]
    too_tight = [block for block in found if block.too_tight()]
    too_loose = [block for block in found if block.too_loose()]
    sys.stdout.write(
        f"blocks: {len(found)}, hold under all conditions: {len(found) - len(wrong)}, wrong: "
        f"{len(wrong)}, with too small a tolerance: {len(too_tight)}, "
        f"with one ten times too large: {len(too_loose)}\n"
    )
    return max(status, 1 if wrong or too_tight else 0, _under_each(pages, options))


def _measured(pages: Sequence[Page], *, rare: bool) -> tuple[list[vary.Block], int]:
    """Run pages under all conditions; return their blocks, and 1 if a cell without one failed."""
    by_name, lacking = vary.conditions_of(pages, rare=rare)
    if not by_name:
        raise ConfigError("conf.py has no book_conditions that this processor could run")
    runs = {}
    for name, each in by_name.items():
        _log(name)
        runs[name] = vary.run_under(name, each, _log)
    for name, feature in lacking.items():
        sys.stdout.write(f"{name}: not run, since this processor has no {feature}\n")
    bare = [
        verdict for found in runs.values() for verdict in report.wrong(found)
        if not verdict.cell.expected
    ]  # fmt: skip
    return vary.blocks(runs), _report(bare)


def _under_each(pages: Sequence[Page], options: argparse.Namespace) -> int:
    """Run a command of the user's in the environment of each condition."""
    by_name, _ = vary.conditions_of(pages, rare=options.all)
    failed = []
    for name, [(_, condition), *_] in by_name.items() if options.then else ():
        sys.stdout.write(f"{name}: {shlex.join(options.then)}\n")
        sys.stdout.flush()
        variables = environment(condition.environment) | {START_VARIABLE: condition.start}
        if subprocess.run(options.then, env=variables, check=False).returncode:  # noqa: S603
            failed.append(name)
    if failed:
        sys.stdout.write(f"the command failed under: {', '.join(failed)}\n")
    return 1 if failed else 0


def _accept_tolerances(paths: Sequence[Path]) -> int:
    """Write the tolerances that blocks need into pages whose outputs are right."""
    pages = [read_page(path, find_settings(path)) for path in paths]
    for page in pages:
        if not page.has_lines:
            sys.stdout.write(f"{shown_path(page.path)}: {report.NO_TOLERANCE}\n")
    pages = [page for page in pages if page.has_lines]
    if not pages:
        return 0
    found, status = _measured(pages, rare=False)
    for page in pages:
        own = [block for block in found if block.verdict.page.path == page.path]
        new = {
            block.verdict.cell.index: Pin(block.verdict.wanted.text, (option,))
            for block in own
            if (block.too_tight() or block.wrong) and (option := block.proposal())
        }
        _write(page, with_blocks(page.text, [block.verdict for block in own], new))
    return status


def _accept(runs: Sequence[Run]) -> int:
    """Rewrite the blocks that differ, of each page of which it is known what is right."""
    again = run_again([run for run in runs if any(map(report.is_rewritten, run.verdicts))])
    errors, done = [], []
    for run in runs:
        after = run.page
        try:
            after = _rewrite(run, again.get(run.page, run))
        except PageError as error:
            errors.append(error)
        except OSError as error:
            errors.append(PageError(run.page.path, 1, f"can't be written: {error.strerror}"))
        done.append((run, after))
    rest = [verdict for verdict in report.wrong(runs) if not report.is_rewritten(verdict)]
    complete = all(not left_over(*one) for one in done)
    status = max(_report(rest), _refuse(errors), 0 if complete else 1)
    sys.stdout.write(f"{report.tally(done)}\n")
    return status


def _rewrite(run: Run, second: Run) -> Page:
    """Rewrite a page and show the difference, or say why it is left as it is; return it as it is.

    What is not compared is listed, and what is left to its author.
    """
    new, name = pins(run, second), shown_path(run.page.path)
    reason = ""
    if run.failure and not (new and (run.page.has_blocks or not run.page.has_lines)):
        reason = report.FAILS
    elif second.failure and not run.failure:
        _report(report.wrong([second])[-1:])
        reason = report.FAILS_AGAIN
    elif report.is_unpinned(run):
        reason = report.UNPINNED if run.page.has_lines else report.NOTHING_STORED
    if reason:
        sys.stdout.write(f"{name}: {reason}\n")
        return run.page
    after = accepted(run, new)
    _write(run.page, after.text)
    for cell, written in zip(run.page.cells, after.cells, strict=True):
        if cell.index in new and (reason := new[cell.index].reason):
            sys.stdout.write(f"{report.place(after, written.line)}: {reason}\n")
    for verdict in left_over(run, after):
        sys.stdout.write(f"{report.place(run.page, verdict.cell.line)}: {report.UNSTEADY}\n")
    return after


def _write(page: Page, new: str) -> None:
    """Write the file with a page's blocks anew, if it changes, and show the difference."""
    path, old = page.path, page.text
    if old.encode() != (path.read_bytes() if path.exists() else b""):
        raise PageError(path, 1, "the page was edited while its cells ran; accept again")
    if new == old:
        why = "" if page.compared else f": {UNCOMPARED}"
        sys.stdout.write(f"{shown_path(path)}: nothing to accept{why}\n")
        return
    write_atomically(path, new.encode())
    name = shown_path(path)
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm="")
    sys.stdout.write("\n".join(map(report.shortened, lines)) + "\n")


def _report(wrong: Sequence[Verdict]) -> int:
    """Report wrong cells, and return the exit status."""
    for verdict in wrong:
        sys.stdout.write(f"{report.describe(verdict)}\n\n")
    return 1 if wrong else 0


def _refuse(errors: Sequence[PageError]) -> int:
    """Report pages that can't be read or rewritten, and return the exit status."""
    for error in errors:
        sys.stderr.write(f"{error}\n")
    return 2 if errors else 0
