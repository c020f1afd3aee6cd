"""The pytest door: one test per code cell. Load it with ``-p snn_docs.book.pytest_plugin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from snn_docs.book import report
from snn_docs.book.page import Page, PageError, is_page, read_page
from snn_docs.book.run import Run, run_pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _pytest._code.code import TerminalRepr, TracebackStyle


class WrongCellError(Exception):
    """The page is wrong about a cell; the message is the report."""


class PageFile(pytest.File):
    """A page, run once, when the first of its cells is asked for."""

    page: Page
    _run: Run | None = None

    def collect(self) -> Iterator[CellItem]:
        """Yield a test for each code cell."""
        try:
            self.page = read_page(self.path)
        except PageError as error:
            raise self.CollectError(
                f"{report.shown_path(error.path)}:{error.line}: {error.message}"
            ) from error
        for number, cell in enumerate(self.page.cells):
            yield CellItem.from_parent(self, name=f"line {cell.line}", number=number)

    def run(self) -> Run:
        """Return the page's run."""
        if self._run is None:
            [self._run] = run_pages([self.page])
        return self._run


class CellItem(pytest.Item):
    """The test of a code cell: it prints what the page says, or nothing."""

    parent: PageFile

    def __init__(self, *, number: int, **arguments: Any) -> None:  # noqa: ANN401
        super().__init__(**arguments)
        self.number = number

    def runtest(self) -> None:
        """Compare the cell's output."""
        verdict = self.parent.run().verdicts[self.number]
        if not verdict.ok:
            raise WrongCellError(report.describe(verdict))

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        """Show the report alone: a traceback of this plugin helps nobody."""
        if isinstance(excinfo.value, WrongCellError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Point at the cell in the page."""
        line = self.parent.page.cells[self.number].line
        return self.path, line - 1, f"{report.shown_path(self.path)}:{line}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> PageFile | None:
    """Collect every MyST notebook."""
    return PageFile.from_parent(parent, path=file_path) if is_page(file_path) else None
