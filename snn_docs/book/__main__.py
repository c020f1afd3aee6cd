"""The command line: ``python -m snn_docs.book check|accept [PATHS]``."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from snn_docs.book import report
from snn_docs.book.accept import REWRITTEN, accepted_text, write_atomically
from snn_docs.book.page import PageError, find_pages, read_page
from snn_docs.book.run import run_pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snn_docs.book.run import Run

EPILOG = """\
exit status: 0 if every cell prints what its page says (after accept: if it does now),
1 if not, 2 if a page or the command line can't be read"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        pages = [read_page(path) for path in find_pages(options.paths)]
        runs = run_pages(pages)
        if options.command == "accept":
            for run in runs:
                _accept(run)
    except (PageError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    wrong = report.wrong(runs)
    if options.command == "accept":
        wrong = [verdict for verdict in wrong if verdict.status not in REWRITTEN]
    for verdict in wrong:
        sys.stdout.write(f"{report.describe(verdict)}\n\n")
    if options.command == "check":
        sys.stdout.write(f"{report.summarize(runs)}\n")
    return 1 if wrong else 0


def _accept(run: Run) -> None:
    """Rewrite a page's blocks and show the difference."""
    old, new, name = run.page.text, accepted_text(run), report.shown_path(run.page.path)
    if new == old:
        sys.stdout.write(f"{name}: nothing to accept\n")
        return
    write_atomically(run.page.path, new)
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm="")
    sys.stdout.write("\n".join(lines) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m snn_docs.book",
        description="Run the code cells of MyST-NB pages and compare what they print with the "
        "{testoutput} blocks that follow them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in (
        ("check", "report every cell that does not print what its page says"),
        ("accept", "rewrite the blocks that differ and show the difference"),
    ):
        command = commands.add_parser(name, help=does, description=does)
        command.add_argument(
            "paths", nargs="*", type=Path, default=[Path("docs")], metavar="PATH",
            help="pages, or folders of pages (default: docs)",
        )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
