"""What can be read of a cell's outputs, also in a notebook's file: the text that is compared."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from nbformat import NotebookNode

REMOVED = ("remove-cell", "remove_cell", "remove-output", "remove_output")
"""The tags by which MyST-NB shows nothing of what a cell prints."""
GLUED = "application/papermill.record/"
"""How the types begin of what ``glue(…, display=False)`` keeps for another place."""
FIGURE = "text/vnd.bookproof.figure"
"""The type by which a book's reader of figures says what one shows."""
READER_FAILED = "the reader of figures failed: "
"""How the text of a figure begins that could not be read."""
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)")
"""What tells a terminal of colours, of where to write and of links."""
VOLATILE = re.compile(
    r"(?<= at )0x[0-9a-fA-F]{6,}|(?<=[ :])0x[0-9a-fA-F]{6,}(?=>)|ipykernel_\d+/\d+\.py"
)
"""Where objects and the code of cells are in memory and on disk: no two runs agree on it."""
MASKS = {"0": "0x…", "i": "ipykernel_….py"}
"""What stands for it, by its first letter."""
UNREADABLE = re.compile(
    r"image/.*|application/vnd\.jupyter\.widget-view\+json|application/javascript"
)
"""The types whose outputs are seen, not read; their plain text is not shown."""
UNRUN = "its outputs are stored in it; to run and compare it, let conf.py say book_stored = True"
UNCOMPARED = "what a notebook holds is compared only if conf.py says book_stored = True"
NBVAL = re.compile(r"nbval[-_](?:ignore[-_]output|skip)", re.IGNORECASE)
"""A tag of a cell, or a comment in it, by which nbval does not compare its output."""


def printed(outputs: Sequence[NotebookNode], tags: Sequence[str] = ()) -> str:
    """Return the text that a reader sees: streams, results and errors, but no figures.

    The cell's tags tell what the page leaves out.
    """
    if any(tag in tags for tag in REMOVED):
        return ""
    pieces = [piece for output in outputs if (piece := _text(output, tags))]
    return normalize("\n".join(piece.removesuffix("\n") for piece in pieces))


def normalize(text: str) -> str:
    """Drop what no reader sees, and what no two runs agree on; of pages and of outputs alike.

    That is: colours of terminals, trailing blanks, what a line shows before it begins anew, and
    addresses.
    """
    text = VOLATILE.sub(lambda found: MASKS[found[0][0]], ANSI.sub("", text))
    lines = "\n".join(map(_last_state, text.replace("\r\n", "\n").split("\n"))).split("\n")
    whole = "\n".join(line.rstrip() for line in lines).rstrip("\n")
    return whole + "\n" if whole else ""


def _last_state(line: str) -> str:
    """Return what a line shows after its last carriage return, as Jupyter reads it."""
    body = line.rstrip("\r")
    return body.rpartition("\r")[2] + "\n" * (len(line) - len(body))


def _text(output: NotebookNode, tags: Sequence[str]) -> str:
    match output.output_type:
        case "stream":
            return "" if f"remove-{output.name}" in tags else str(output.text)
        case "error":
            return f"{output.ename}: {output.evalue}"
        case _:
            return _displayed(output.data)


def _displayed(data: dict[str, Any]) -> str:
    """Return what can be read of a result, which comes in several types at once."""
    shown = {kind: value for kind, value in data.items() if not kind.startswith(GLUED)}
    if any(map(UNREADABLE.fullmatch, shown)):
        return str(shown.get(FIGURE, ""))
    for name in ("text/markdown", "text/latex"):
        if name in shown:
            return str(shown[name])
    plain = str(shown.get("text/plain", ""))
    # the text of HTML(…) and the like is but the name of its class
    if plain and not plain.startswith("<IPython.core.display."):
        return plain  # of a table too: the page shows its HTML, which says the same
    if "text/html" in shown:
        return str(shown["text/html"])
    if "application/json" in shown:
        return json.dumps(shown["application/json"], ensure_ascii=False, sort_keys=True)
    return plain


def join_streams(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring chunks of one stream, which a kernel splits at random places."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


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
