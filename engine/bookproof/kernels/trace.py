"""Learns what a page's outputs depend on, from the probe that watches inside its Python kernel."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unseen(NamedTuple):
    """Where a page went that it can't be followed."""

    cell: int
    """The number that the kernel gave the cell, 0 if nobody knows."""
    what: str
    """The command or address."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a page's outputs depend on besides itself and the installed packages."""

    files: Mapping[str, str]
    """The project's modules that it loaded, the files that it read, and the folders it listed.

    Each with its stamp at that time.
    """
    unseen: Mapping[str, Unseen]
    """By the audit event of a process or the like, the first one."""
    looked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By path, what it asked of the file there without opening it, and the answers of that time."""
    sought: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    """By folder, the modules that it looked for there, and whether they were there."""
    variables: tuple[str, ...] = ()
    """The variables of the environment that it read; `ALL` stands for all of them."""


_FILE = Path(__file__).with_name("probe.py")
_CODE = f"compile({_FILE.read_text(encoding='utf-8')!r}, {str(_FILE)!r}, 'exec')"
START_TRACE = (
    f"(lambda box: exec({_CODE}, box) or box['watch']())({{'__name__': 'bookproof.probe'}})"
)
"""Code that starts a trace; it leaves no name behind."""
READ_TRACE = (
    "(lambda box: __import__('sys').audit('bookproof.trace', box) or "
    "__import__('json').dumps(box))({})"
)
"""An expression that returns the trace so far: by an event, since no page can take a hook away."""


def read_trace(answer: Mapping[str, Any]) -> Trace | None:
    """Read a kernel's answer to `READ_TRACE`; there is none if the page tampered with it."""
    try:
        found = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
        # without this engine, which `bookproof.store` looks at itself
        files = {
            file: was for file, was in sorted(found["files"].items())
            if not Path(file).is_relative_to(_FILE.parents[1])
        }  # fmt: skip
        # of another Python, nobody here knows which packages it has
        here = found["python"] == [sys.prefix, sys.version]
        told = found["unseen"].items()
        unseen = {event: Unseen(int(cell), str(what)) for event, (cell, what) in told}
        return Trace(
            files,
            unseen if here else unseen | {"another Python": Unseen(0, "")},
            found["looked"],
            found["sought"],
            tuple(found["variables"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError, SyntaxError):
        return None
