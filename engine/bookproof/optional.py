"""Cells that need packages which need not be there, such as one with the tag ``requires-norse``.

Where one of its packages is missing, a cell does not run, and the page shows its block: what the
cell printed where it did run.
"""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    # kernels are sent the source of this function alone
    import sys  # noqa: PLC0415
    from importlib.util import find_spec  # noqa: PLC0415

    return [name for name in names if name not in sys.modules and find_spec(name) is None]


_SOURCE = f"from typing import Sequence\n{inspect.getsource(missing)}"


def question(names: Sequence[str]) -> str:
    """Return an expression that a Python kernel answers with those packages that it misses."""
    return f"(lambda box: exec({_SOURCE!r}, box) or box['missing']({list(names)!r}))({{}})"


def read_answer(answer: Mapping[str, Any]) -> frozenset[str]:
    """Read a kernel's answer to `question`."""
    return frozenset(ast.literal_eval(answer["data"]["text/plain"]))
