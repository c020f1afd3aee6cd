"""The outputs that a notebook's file holds, as what its cells are to print; as nbval has it."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

import nbformat

from bookproof.outputs import join_streams, printed

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from typing import Any

    from nbformat import NotebookNode

UNRUN = "its outputs are stored in it; to run and compare it, let conf.py say book_stored = True"
UNCOMPARED = "what a notebook holds is compared only if conf.py says book_stored = True"
NBVAL = re.compile(r"nbval[-_](?:ignore[-_]output|skip)", re.IGNORECASE)
"""A tag of a cell, or a comment in it, by which nbval does not compare its output."""


def stored_output(cell: NotebookNode) -> tuple[str, str]:
    """Return what a cell is to print, and why that is not compared, if it is not."""
    tags = " ".join(map(str, cell.metadata.get("tags", ())))
    comments = "\n".join(re.findall(r"#.*", cell.source))
    marked = NBVAL.search(f"{tags}\n{comments}")
    outputs = join_streams(copy.deepcopy(cell.outputs))
    return printed(outputs).removesuffix("\n"), f"marked {marked[0]}" if marked else ""


def with_outputs(
    text: str, outputs: Mapping[int, Sequence[Any]], ignored: Container[int] = ()
) -> str:
    """Return the text of a notebook with other outputs, by the places of their cells.

    Those to be ignored are not compared from then on, and are tagged so.
    """
    notebook = nbformat.reads(text, as_version=4)
    for index, own in outputs.items():
        cell = notebook.cells[index]
        cell.outputs = list(own)
        if index in ignored:
            cell.metadata["tags"] = [*cell.metadata.get("tags", ()), "nbval-ignore-output"]
    written: str = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
    return written.rstrip("\n") + "\n" * text.endswith("\n")
