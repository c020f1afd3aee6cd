"""What the run of a page left: its notebook with outputs, and a verdict for each cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat.v4 import new_output

from bookproof.compare import Status, Verdict, as_printed, judge
from bookproof.inputs import is_followed

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbformat import NotebookNode

    from bookproof.kernels.start import Used
    from bookproof.page import Expected, Page


RAN_TOO_LONG = "the cell ran longer than"
"""How the reason of a failure begins where a cell took too long."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What stopped a page."""

    index: int
    """The cell's place among all cells of the page's notebook."""
    reason: str
    line: int | None = None
    """The line of the page that failed, if that is known."""


@dataclass(frozen=True, slots=True)
class Run:
    """A page that was run: the notebook with its outputs, and a verdict for each cell."""

    page: Page
    notebook: NotebookNode
    verdicts: tuple[Verdict, ...]
    started: float = 0.0
    """When, in seconds since the epoch."""
    seconds: float = 0.0
    failure: Failure | None = None
    """What has stopped the page, if something has."""
    used: Used | None = None
    """What the page used while it ran; unknown in other languages, and in another Python."""
    missing: frozenset[str] = frozenset()
    """The packages that some cells need, and for lack of which they were not run."""
    kept: bool = False
    """Whether this is how the page ran before, which still holds."""

    @property
    def ok(self) -> bool:
        """Whether the page is right about every cell."""
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def unfollowed(self) -> list[tuple[str, int, tuple[str, ...]]]:
        """The commands and addresses of which nobody knows what they read, unless the page does."""
        declared = self.page.complete or self.page.depends
        asked = self.used.asked if self.used and not declared else ()
        sources = {
            self.notebook.cells[cell.index].execution_count: cell.source for cell in self.page.cells
        }
        found = []
        for event, cell, words in asked:
            # of what `!` starts, no event tells the words
            typed = words or tuple(re.findall(r"^\s*!(.*)", sources.get(cell, ""), re.MULTILINE))
            if not is_followed(typed, str(self.page.path.parent)):
                found.append((event, cell, typed))
        return found

    @property
    def checked(self) -> int:
        """How many outputs were compared and found right."""
        return sum(verdict.status is Status.MATCHES for verdict in self.verdicts)

    @property
    def recorded(self) -> int:
        """How many outputs are records, since their cells were not run."""
        blocks = [v.cell.expected for v in self.verdicts if v.status is Status.RECORDED]
        return sum(block is not None for block in blocks)


def judged(
    page: Page,
    notebook: NotebookNode,
    failure: Failure | None = None,
    missing: frozenset[str] = frozenset(),
) -> tuple[Verdict, ...]:
    """Judge the cells of a page by the outputs in a notebook."""
    verdicts = []
    for cell in page.cells:
        absent = tuple(name for name in cell.requires if name in missing)
        if failure and cell.index > failure.index:
            verdicts.append(Verdict(page, cell, Status.NOT_RUN, ""))
        elif failure and cell.index == failure.index:
            verdicts.append(Verdict(page, cell, Status.FAILED, failure.reason, failure.line))
        elif absent:
            verdicts.append(Verdict(page, cell, Status.RECORDED, "", missing=absent))
        else:
            verdicts.append(judge(page, cell, notebook.cells[cell.index].outputs))
    return tuple(verdicts)


def outputs_of(notebook: NotebookNode) -> dict[str, Any]:
    """Return what a run adds to a notebook."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells = [[cell.outputs, cell.execution_count] for cell in code]
    kept = {"language_info", "widgets"} & notebook.metadata.keys()
    return {"cells": cells, "metadata": {key: notebook.metadata[key] for key in sorted(kept)}}


def fill(notebook: NotebookNode, kept: dict[str, Any]) -> NotebookNode:
    """Put what a run added to a notebook into another one with the same cells, and return it."""
    from_dict: Callable[[Any], Any] = nbformat.from_dict
    notebook.metadata.update(from_dict(kept["metadata"]))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, (outputs, count) in zip(cells, kept["cells"], strict=True):
        cell.update(outputs=from_dict(outputs), execution_count=count)
    return notebook


def show_records(page: Page, notebook: NotebookNode, absent: frozenset[str]) -> None:
    """Give the cells that did not run, since they need a package that is absent, their records."""
    for cell in page.cells:
        if absent.intersection(cell.requires):
            outputs = [_record(cell.expected)] if cell.expected else []
            notebook.cells[cell.index].update(outputs=outputs, execution_count=None)


def _record(expected: Expected) -> NotebookNode:
    """Return an output that shows the text of a block."""
    make: Callable[..., NotebookNode] = new_output
    return make("stream", name="stdout", text=f"{as_printed(expected.text, expected.flags)}\n")
