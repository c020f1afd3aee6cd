"""What the command line does."""

from __future__ import annotations

import dataclasses
import difflib
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from sphinx.errors import ConfigError

from bookproof import report, vary
from bookproof.accept import accepted, pins, run_again, with_blocks
from bookproof.files import shown_path, write_atomically
from bookproof.finder import find_pages
from bookproof.kernels.start import START_VARIABLE
from bookproof.kernels.warm import environment
from bookproof.page import EMPTY, PageError, read_page
from bookproof.pin import Pin
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results
from bookproof.stored import UNCOMPARED, UNRUN

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bookproof.compare import Verdict
    from bookproof.page import Cell, Page
    from bookproof.result import Run


def execute(options: Namespace) -> int:
    """Execute a command and return the exit status."""
    if options.command == "accept" and os.environ.get("CI"):
        sys.stderr.write(
            "accept rewrites pages, so it does not work where CI is set: "
            "run it on your own machine, read the difference that it shows, and commit that\n"
        )
        return 2
    try:
        pages, errors = _pages(options)
    except (PageError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if errors:
        return _refuse(errors)
    reasons = {page.path: page.why_not_run for page in pages}
    stored = {page.path for page in pages if page.compared and not page.has_lines}
    named = [path for path in options.paths if path.is_file() and path not in reasons]
    for path, reason in [*reasons.items(), *((path, EMPTY) for path in named)]:
        if reason and (path in options.paths or path in stored or reason == UNRUN):
            sys.stdout.write(f"{shown_path(path)}: not run: {reason}\n")
    to_run = [page for page in pages if not page.why_not_run]
    if options.command == "vary":
        return _vary(to_run, options)
    runs = run_outdated(to_run, Results(), anew=options.anew, tell=_say)
    status = {"check": _check, "accept": _accept}[options.command](runs)
    if options.command == "accept" and options.tolerance:
        status = max(
            status, _accept_tolerances([run.page.path for run in runs if run.ok or not status])
        )
    return status


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _pages(options: Namespace) -> tuple[list[Page], list[PageError]]:
    """Return the pages, and what keeps others from being read."""
    accepts = options.command == "accept"
    pages, errors = [], []
    for path in find_pages(options.paths):
        try:
            pages.append(read_page(path, find_settings(path)))
        except PageError as error:
            errors.append(error)
    if accepts:
        has_blocks = any(page.has_blocks for page in pages)
        pages = [
            page if has_blocks and page.path not in options.paths
            else dataclasses.replace(page, strict=page.compared)
            for page in pages
        ]  # fmt: skip
    return pages, errors


def _check(runs: Sequence[Run]) -> int:
    """Report what is wrong, and what was not compared."""
    status = _tell(report.wrong(runs))
    for line in report.skipped(runs):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{report.summarize(runs)}\n")
    return status


def _vary(pages: Sequence[Page], options: Namespace) -> int:
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
        _say(name)
        runs[name] = vary.run_under(name, each, _say)
    for name, feature in lacking.items():
        sys.stdout.write(f"{name}: not run, since this processor has no {feature}\n")
    bare = [
        verdict for found in runs.values() for verdict in report.wrong(found)
        if not verdict.cell.expected
    ]  # fmt: skip
    return vary.blocks(runs), _tell(bare)


def _under_each(pages: Sequence[Page], options: Namespace) -> int:
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
    errors, done, complete = [], [], True
    for run in runs:
        after = run.page
        try:
            after, whole = _rewrite(run, again.get(run.page, run))
            complete &= whole
        except PageError as error:
            errors.append(error)
        except OSError as error:
            errors.append(PageError(run.page.path, 1, f"can't be written: {error.strerror}"))
        done.append((run, after))
    rest = [verdict for verdict in report.wrong(runs) if not report.is_rewritten(verdict)]
    status = max(_tell(rest), _refuse(errors), 0 if complete else 1)
    sys.stdout.write(f"{report.tally(done)}\n")
    return status


def _rewrite(run: Run, second: Run) -> tuple[Page, bool]:
    """Rewrite a page and show the difference, or say why it is left as it is.

    Returns the page as it is then, and whether all was written.
    """
    new, name = pins(run, second), shown_path(run.page.path)
    if run.failed and not (new and (run.page.has_blocks or not run.page.has_lines)):
        sys.stdout.write(f"{name}: {report.FAILS}\n")
        return run.page, False
    if second.failed and not run.failed:
        _tell(report.wrong([second])[-1:])
        sys.stdout.write(f"{name}: {report.FAILS_AGAIN}\n")
        return run.page, False
    if report.is_unpinned(run):
        told = report.UNPINNED if run.page.has_lines else report.NOTHING_STORED
        sys.stdout.write(f"{name}: {told}\n")
        return run.page, True
    after = accepted(run, new)
    _write(run.page, after.text)
    sys.stdout.writelines(f"{line}\n" for line in _remarks(run, new, after))
    left = [v for v in run.verdicts if report.is_rewritten(v) and v.cell.index not in new]
    for verdict in left:
        sys.stdout.write(f"{report.cell_location(verdict.page, verdict.cell)}: {report.UNSTEADY}\n")
    return after, not left


def _remarks(run: Run, new: Mapping[int, Pin], after: Page) -> Iterator[str]:
    """Yield what an author should know of what was written: failures, and what is not compared."""
    for cell, written in zip(run.page.cells, after.cells, strict=True):
        if said := new.get(cell.index):
            place = report.cell_location(after, written)
            if _fails(run, cell):
                yield f"{place}: {report.FAILURE_SAID}"
            if said.reason:
                yield f"{place}: {said.reason}"


def _fails(run: Run, cell: Cell) -> bool:
    """Whether a cell ends in an error that it is not marked for."""
    ran = run.notebook.cells[cell.index]
    meant = "raises-exception" in ran.metadata.get("tags", ())
    return not meant and any(output.output_type == "error" for output in ran.outputs)


def _write(page: Page, new: str) -> None:
    """Write the file with a page's blocks anew, if it changes, and show the difference."""
    path, old = page.path, page.text
    if old.encode() != (path.read_bytes() if path.exists() else b""):
        raise PageError(path, 1, "the page was edited while its cells ran; accept again")
    if new == old:
        told = "" if page.compared else f": {UNCOMPARED}"
        sys.stdout.write(f"{shown_path(path)}: nothing to accept{told}\n")
        return
    write_atomically(path, new.encode())
    name = shown_path(path)
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm="")
    sys.stdout.write("\n".join(map(report.shortened, lines)) + "\n")


def _tell(wrong: Sequence[Verdict]) -> int:
    """Report wrong cells, and return the exit status."""
    for verdict in wrong:
        sys.stdout.write(f"{report.describe(verdict)}\n\n")
    return 1 if wrong else 0


def _refuse(errors: Sequence[PageError]) -> int:
    """Report pages that can't be read or rewritten, and return the exit status."""
    for error in errors:
        sys.stderr.write(f"{shown_path(error.path)}:{error.line}: {error.message}\n")
    return 2 if errors else 0
