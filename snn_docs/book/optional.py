"""Cells that need packages which need not be there, such as one with the tag ``requires-norse``.

Where one of its packages is missing, a cell does not run, and the page shows its block: what the
cell printed where it did run.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from typing import TYPE_CHECKING, Any

from nbformat.v4 import new_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nbformat import NotebookNode

    from snn_docs.book.page import Expected, Page

TAG = "requires-"


def required(tags: Iterable[object]) -> tuple[str, ...]:
    """Return the packages that a cell's tags name. Raises `ValueError` for one that names none."""
    names = [str(tag).removeprefix(TAG) for tag in tags if str(tag).startswith(TAG)]
    for name in names:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise ValueError(
                f"the tag {TAG + name!r} names no package; write {TAG} and the name by which it is "
                f"imported, without dots, such as {TAG}norse"
            )
    return tuple(dict.fromkeys(names))


def missing(names: Sequence[str]) -> list[str]:
    """Return those packages that can't be imported here. It imports none of them."""
    import sys  # noqa: PLC0415
    from importlib.util import find_spec  # noqa: PLC0415

    return [name for name in names if name not in sys.modules and find_spec(name) is None]


_SOURCE = f"from typing import Sequence\n{inspect.getsource(missing)}"


def question(page: Page) -> str:
    """Return an expression that a Python kernel answers with the packages that it misses."""
    names = sorted({name for cell in page.cells for name in cell.requires})
    return f"(lambda box: exec({_SOURCE!r}, box) or box['missing']({names!r}))({{}})"


def read_answer(answer: Mapping[str, Any]) -> frozenset[str]:
    """Read a kernel's answer to `question`."""
    return frozenset(ast.literal_eval(answer["data"]["text/plain"]))


def show_records(page: Page, notebook: NotebookNode, absent: frozenset[str]) -> None:
    """Give the cells that did not run, since they need a package that is absent, their records."""
    for cell in page.cells:
        if absent.intersection(cell.requires):
            outputs = [_record(cell.expected)] if cell.expected else []
            notebook.cells[cell.index].update(outputs=outputs, execution_count=None)


def _record(expected: Expected) -> NotebookNode:
    """Return an output that shows the text of a block."""
    text = expected.text
    if not expected.flags & doctest.DONT_ACCEPT_BLANKLINE:
        text = re.sub(rf"(?m)^{doctest.BLANKLINE_MARKER}$", "", text)
    make: Callable[..., NotebookNode] = new_output
    return make("stream", name="stdout", text=f"{text}\n")
