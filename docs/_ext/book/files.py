"""Files of the site: where a feature keeps its own, and how they are written.

The engine writes its own files by itself: none of these extensions knows it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata


def bring(app: Sphinx, module: str, *parts: str) -> ExtensionMetadata:
    """Use the folders ``static`` and ``templates`` beside a module, then set up its parts.

    A template of a feature comes before the theme's of the same name, and after the book's own.
    """
    beside = Path(module).parent

    def add(_: Sphinx, config: Config) -> None:
        if (beside / "static").is_dir():
            config.html_static_path = [*config.html_static_path, str(beside / "static")]
        if (beside / "templates").is_dir():
            config.templates_path = [*config.templates_path, str(beside / "templates")]

    app.connect("config-inited", add)
    for part in parts:
        app.setup_extension(part)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_atomically(file: Path, content: str | bytes) -> None:
    """Write a file beside its place, then put it there; other processes may write the same one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)  # there if either has failed
