"""Writes files such that none is ever half-written, and says where they are."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file at once: whoever reads it sees the old contents or the new ones."""
    path = path.resolve()  # a link stays one
    # in the same folder: a file is replaced at once only within a file system
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".book-") as folder:
        new = Path(folder, path.name)
        new.write_bytes(data)
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)


def shown_path(path: Path, *, follow: bool = True) -> str:
    """Return a path as a person would type it: relative where that is shorter."""
    whole, here = path.resolve() if follow else path.absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)
