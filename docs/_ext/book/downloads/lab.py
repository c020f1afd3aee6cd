"""Lays out a folder for JupyterLab: the built notebooks, and what their cells read.

``python docs/_ext/book/downloads/lab.py _build/html/download docs _build/lab``

Files lie there as they do below ``docs``, so that each page finds its records where it did. What a
reader has changed is never written over: a file is renewed only while it is as it was laid out,
which ``.laid_out.json`` tells.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

READ = ("matplotlibrc", "_data/**/*", "experiments/**/*.json", "experiments/*rc")
"""What pages read, besides packages."""
LAID_OUT = ".laid_out.json"


def lay_out(download: Path, docs: Path, lab: Path) -> list[str]:
    """Copy what is new, or was changed in the book alone; return what a reader has changed."""
    files = {path.relative_to(download): path for path in download.rglob("*.ipynb")}
    for pattern in READ:
        files |= {path.relative_to(docs): path for path in docs.glob(pattern) if path.is_file()}
    list_ = lab / LAID_OUT
    known = json.loads(list_.read_text(encoding="utf-8")) if list_.exists() else {}
    edited = []
    for name, path in sorted(files.items()):
        new, place = path.read_bytes(), lab / name
        old = place.read_bytes() if place.exists() else None
        if old not in {None, new} and _digest(old or b"") != known.get(name.as_posix()):
            edited.append(name.as_posix())
            continue
        if old != new:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(new)
        known[name.as_posix()] = _digest(new)
    list_.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return edited


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    for name in lay_out(*map(Path, sys.argv[1:])):
        sys.stdout.write(f"kept as you have changed it: {name}\n")
