"""The command line: ``python -m bookproof check|accept|vary``."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "check": "report every cell that does not print what its page says; only pages whose outputs "
    "do not hold any more run",
    "accept": "rewrite the blocks that differ and show the difference; a page without blocks "
    "that is named itself, and all of a book that has none, get one for every cell that prints",
    "vary": "run the pages under each condition of book_conditions, tell how far each number "
    "varies, and report what does not hold; a command after -- is run in the environment of each, "
    "too",
}
EPILOG = """\
exit status: 0 if every cell prints what its page says (accept: if every cell does
now), 1 if not, 2 if a page, its conf.py or the command line can't be read. The settings are
those of the nearest conf.py above a page: nb_execution_timeout, book_strict and the like."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    from sphinx.errors import ConfigError  # noqa: PLC0415

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        own = list(itertools.takewhile("--".__ne__, given))
        options = _parser().parse_args(own)
        options.then = given[len(own) + 1 :]
        from bookproof import commands  # noqa: PLC0415

        return commands.execute(options)
    except ConfigError as error:
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
        command.set_defaults(anew=False)
        if name == "vary":
            command.add_argument("--all", action="store_true", help="the rare conditions, too")
        if name == "accept":
            command.add_argument(
                "--tolerance",
                action="store_true",
                help="then run the pages under book_conditions, and write the tolerances that "
                "their numbers need",
            )
        if name == "check":
            command.add_argument("--anew", action="store_true", help="run every page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
