"""What a page used while it ran, by the net in its Python kernel (`bookproof.kernels.net`)."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = Path(__file__).parent / "kernels" / "net.py"
_CODE = f"compile({_FILE.read_text(encoding='utf-8')!r}, {str(_FILE)!r}, 'exec')"
START = f"(lambda box: exec({_CODE}, box) or box['start']())({{'__name__': 'bookproof.net'}})"
"""Code that spreads the net; it leaves no name behind."""
READ = (
    "(lambda box: __import__('sys').audit('bookproof.used', box) or "
    "__import__('json').dumps(box))({})"
)
"""An expression that says what was used so far: by an event, since no page can take a hook away."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a page used."""

    files: Mapping[str, str] = field(default_factory=dict)
    """What it opened and listed, and the modules that it loaded, each with its stamp then."""
    written: tuple[str, ...] = ()
    """The files that it made or emptied before it read them, and the folders that it made."""
    asked: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    """The commands and addresses: the event, the cell's number in the kernel, and the words."""
    modules: tuple[str, ...] = ()
    """The first names of the modules that were loaded."""


def read_used(answer: Mapping[str, Any], own: Path) -> Used | None:
    """Read a kernel's answer to `READ`; there is none if the page tampered with it.

    ``own`` is a folder that was made for this kernel alone: what lies there, nobody finds again.
    """
    try:
        found = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
        asked = [(str(event), int(cell), tuple(words)) for event, cell, words in found["asked"]]
        if found["python"] != [sys.prefix, sys.version]:
            asked.append(("another Python", 0, ()))  # nobody here knows which packages it has
        return Used(
            dict(found["used"]),
            (*found["written"], str(own.resolve())),
            tuple(asked),
            tuple(found["modules"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError, SyntaxError):
        return None
