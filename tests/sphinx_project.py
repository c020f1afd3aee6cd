"""Small Sphinx projects of their own, built as the site is built."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup
from sphinx import locale
from sphinx.cmd.build import build_main

if TYPE_CHECKING:
    from types import ModuleType

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
    options = ("-n", "-W", "--keep-going", "-b", "html", "-d", str(folder / "doctrees"))
    code, _, messages = sphinx_build(*options, str(source), str(out))
    return Built(out, code, messages)


def build_book(folder: Path, builder: str = "html") -> Path:
    """Build the book as `make html` does; return the folder of what was built."""
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-b", builder]
    done = subprocess.run(
        [*command, "-c", ".", "-d", str(folder / "doctrees"), "docs", str(folder / builder)],
        cwd=EXTENSIONS.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / builder


def script(path: Path) -> ModuleType:
    """Import a script, which does nothing by being imported."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sphinx_build(*arguments: str) -> tuple[int, str, str]:
    """Do what `python -m sphinx` does; return the exit status and what it wrote."""
    said, messages, path = io.StringIO(), io.StringIO(), sys.path.copy()
    locale.translators.clear()
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(messages),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # as a process of its own would
        status = build_main(arguments)
    sys.path[:] = path
    return status, said.getvalue(), messages.getvalue()
