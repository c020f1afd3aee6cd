"""Small Sphinx projects of their own, built as the site is built."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup

EXTENSIONS = Path(__file__).parent.parent / "docs" / "_ext"
CELLS = "---\nfile_format: mystnb\nkernelspec: {name: python3}\n---\n"


@dataclass
class Built:
    """What a build left behind."""

    folder: Path
    code: int
    messages: str

    def html(self, name: str = "index") -> str:
        return (self.folder / f"{name}.html").read_text(encoding="utf-8")

    def page(self, name: str = "index") -> BeautifulSoup:
        return BeautifulSoup(self.html(name), "html.parser")


def build(folder: Path, pages: dict[str, str], *extensions: str, settings: str = "") -> Built:
    """Write the pages, and build them with extensions of docs/_ext or installed ones."""
    source = folder / "docs"
    source.mkdir(exist_ok=True)
    for name, text in pages.items():
        (source / name).write_text(text, encoding="utf-8")
    (source / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(EXTENSIONS)!r})\n"
        f"extensions = {list(extensions)!r}\nlanguage = 'ja'\nhtml_theme = 'basic'\n{settings}\n",
        encoding="utf-8",
    )
    out = folder / "html"
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(source), str(out)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Built(out, done.returncode, done.stderr)
