"""How files of the site are written.

The engine writes its own files by itself: none of these extensions knows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_file(file: Path, content: str | bytes) -> None:
    """Write a file, and the folder that it lies in; its lines end as they do on each computer."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
