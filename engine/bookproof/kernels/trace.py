"""Learns what a page's outputs depend on, from the probe that watches inside its Python kernel."""

from __future__ import annotations

import ast
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.machinery import all_suffixes
from importlib.util import source_from_cache
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Trace:
    """What a page's outputs depend on besides itself and the installed packages."""

    files: tuple[str, ...]
    """The project's modules that it loaded, the files that it read, and the folders it listed."""
    unseen: tuple[str, ...]
    """The audit events, processes and the like by which it went where it can't be followed."""
    looked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By path, what it asked of the file there without opening it; `answer` knows the questions."""
    sought: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By folder, the names of modules that it looked for there."""
    variables: tuple[str, ...] = ()
    """The variables of the environment that it read."""


_FILE = Path(__file__).with_name("probe.py")
_CODE = f"compile({_FILE.read_text(encoding='utf-8')!r}, {str(_FILE)!r}, 'exec')"
START = f"(lambda box: exec({_CODE}, box) or box['watch']())({{'__name__': 'bookproof.probe'}})"
"""Code that starts a trace; it leaves no name behind."""
READ = (
    "(lambda box: __import__('sys').audit('bookproof.trace', box) or "
    "__import__('json').dumps(box))({})"
)
"""An expression that returns the trace so far: by an event, since no page can take a hook away."""


def read_trace(answer: Mapping[str, Any]) -> Trace | None:
    """Read a kernel's answer to `READ`; there is none if the page tampered with it."""
    try:
        found = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
        files = {file for file in map(_source, found["files"]) if _counts(Path(file))}
        # of another Python, nobody here knows which packages it has
        elsewhere = [] if found["python"] == [sys.prefix, sys.version] else ["another Python"]
        return Trace(
            tuple(sorted(files)),
            (*found["unseen"], *elsewhere),
            found["looked"],
            found["sought"],
            tuple(found["variables"]),
        )
    except (KeyError, TypeError, ValueError, SyntaxError):
        return None


def look(name: str, question: str) -> str:
    """Answer what a page asked of a file without opening it."""
    try:
        if question == "link" and os.path.islink(name):
            return f"leads to {os.readlink(name)}"
        found = os.stat(name)
    except (OSError, ValueError):
        return ""
    if not S_ISREG(found.st_mode):  # of a folder, size and time say what tools have made in it
        return "folder" if S_ISDIR(found.st_mode) else "special"
    told = {"size": f" {found.st_size}", "time": f" {found.st_size} {found.st_mtime_ns}"}
    return "file" + told.get(question, "")


def importable(folder: str, names: Iterable[str]) -> list[str]:
    """Return which of these modules a folder has."""
    try:
        with os.scandir(folder) as entries:
            there = {_module(entry) for entry in entries}
    except OSError:
        return []
    return sorted(there.intersection(names))


def _module(entry: os.DirEntry[str]) -> str:
    """Return the name of the module that a file or folder could be imported as."""
    if entry.name.endswith(tuple(all_suffixes())) or entry.is_dir():
        return entry.name.partition(".")[0]
    return ""


def _source(file: str) -> str:
    """Return the source of a compiled module: it may be all that was read of one that went."""
    with suppress(ValueError):
        return source_from_cache(file)
    return file


def _counts(file: Path) -> bool:
    """Leave out this engine, which `bookproof.store` looks at itself."""
    return not file.is_relative_to(Path(__file__).parents[1])
