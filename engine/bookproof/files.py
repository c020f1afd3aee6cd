"""Writes files such that none is ever half-written, and says where they are."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file at once: whoever reads it sees the old contents or the new ones."""
    path = path.resolve()  # a link stays one
    # in the same folder: a file is replaced at once only within a file system
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".book-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        with suppress(FileNotFoundError):  # a new file stays its owner's alone, as mkstemp makes it
            os.chmod(temporary, path.stat().st_mode)  # noqa: PTH101
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108
        raise


def shown_path(path: Path, *, follow: bool = True) -> str:
    """Return a path as a person would type it: relative where that is shorter."""
    whole, here = path.resolve() if follow else path.absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)
