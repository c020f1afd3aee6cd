"""What can be read of a cell's outputs: the text that is compared."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

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
