"""pytest as an entry point: one test per code cell. Load it with ``-p bookproof.pytest_plugin``."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from sphinx.errors import ConfigError

from bookproof import report
from bookproof.files import shown_path
from bookproof.finder import is_page_of_its_book
from bookproof.kernels.start import START_VARIABLE
from bookproof.page import Page, PageError, read_page
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _pytest._code.code import TerminalRepr, TracebackStyle

    from bookproof.result import Run

RUNS = pytest.StashKey[dict[Page, "Run"]]()
ENVIRONMENT = pytest.StashKey[dict[str, str]]()


class PageFile(pytest.File):
    """A page. It runs, with all others that are asked for, when the first cell is."""

    page: Page

    def collect(self) -> Iterator[CellItem]:
        """Yield a test for each code cell of a page that is to be run."""
        try:
            self.page = read_page(self.path, find_settings(self.path))
        except (PageError, ConfigError) as error:
            raise self.CollectError(str(error)) from error
        for number, cell in enumerate(() if self.page.why_not_run else self.page.cells):
            place = "line" if self.page.has_lines else "cell"
            yield CellItem.from_parent(self, name=f"{place} {cell.line}", number=number)

    def run(self) -> Run:
        """Return the page's run."""
        runs = self.session.stash.setdefault(RUNS, {})
        if self.page not in runs:
            pages = [self.page] if hasattr(self.config, "workerinput") else _asked_for(self.session)
            # A page that ran with variables of the tests' would have to run again without them.
            with patch.dict(os.environ, self.config.stash[ENVIRONMENT], clear=True):
                runs |= zip(pages, run_outdated(pages, Results()), strict=True)
        return runs[self.page]


class CellItem(pytest.Item):
    """The test of a code cell: it prints what the page says, or nothing."""

    parent: PageFile

    def __init__(self, *, number: int, **arguments: Any) -> None:  # noqa: ANN401
        super().__init__(**arguments)
        self.number = number

    def runtest(self) -> None:
        """Compare the cell's output."""
        verdict = self.parent.run().verdicts[self.number]
        if verdict.reason:
            pytest.skip(verdict.reason)
        if not verdict.ok:
            pytest.fail(report.describe(verdict))

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        """Show the report alone: a traceback of this plugin helps nobody."""
        if isinstance(excinfo.value, pytest.fail.Exception):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Point at the cell in the page."""
        cell = self.parent.page.cells[self.number]
        return self.path, cell.line - 1, f"{shown_path(self.path)}:{cell.line}"


def pytest_configure() -> None:
    """Start as kernels do under a condition, where `vary` has this run under it.

    What it warns of there is not under test: NumPy does, of instructions that it does not know.
    """
    start = compile(os.environ.get(START_VARIABLE, ""), START_VARIABLE, "exec")
    with warnings.catch_warnings(action="ignore"):
        exec(start, {"__name__": "book_start"})  # noqa: S102


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the environment: test modules set variables, or import what does."""
    session.config.stash[ENVIRONMENT] = dict(os.environ)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> PageFile | None:
    """Collect the pages of books, and whatever page is named itself."""
    named = parent.session.isinitpath(file_path)
    found = is_page_of_its_book(file_path, named=named)
    return PageFile.from_parent(parent, path=file_path) if found else None


def _asked_for(session: pytest.Session) -> list[Page]:
    """Return the pages that have a cell among the tests to run: they run side by side.

    A worker of pytest-xdist knows no better than its next test.
    """
    items = [item for item in session.items if isinstance(item, CellItem)]
    return list(dict.fromkeys(item.parent.page for item in items))
