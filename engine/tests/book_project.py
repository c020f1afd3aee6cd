"""Small books, built by Sphinx in this process, so that all their kernels share a template."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from mystnb import FRONT_MATTER
from sphinx_builds import sphinx_build

if TYPE_CHECKING:
    from pathlib import Path

CONF = """\
extensions = ["myst_nb", "bookproof"]
exclude_patterns = ["_build", "README.md"]
html_theme = "basic"
book_modules = []
"""


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip a test of what the engine itself does without."""
    missing = [name for name in modules if not find_spec(name)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


INDEX = "# Book\n\n```{toctree}\n:glob:\n\n*\n```\n"


def cell(code: str, expected: object = None, head: str = "") -> str:
    """Return a cell and, if it is expected to print, its block."""
    options = f"{head}\n\n" if head else ""
    block = "" if expected is None else f"\n```{{testoutput}}\n{expected}\n```\n"
    return f"\n```{{code-cell}}\n{options}{code}\n```\n{block}"


def page(*cells: str, title: str = "Page", front: str = "") -> str:
    """Return a page; `front` is what its front matter says besides."""
    return FRONT_MATTER.replace("\n---\n", f"\n{front}---\n") + f"# {title}\n" + "".join(cells)


@dataclass
class Built:
    """What came of a build."""

    status: int
    said: str
    messages: str
    folder: Path

    @property
    def read(self) -> list[str]:
        """The documents that Sphinx read."""
        return sorted(re.findall(r"^reading sources\.\.\. \[.*?\] (\S+)", self.said, re.MULTILINE))

    @property
    def errors(self) -> list[str]:
        """The places and first lines of the errors, relative to the book."""
        return re.findall(r"^(\S+: ERROR: .*)", self.messages, re.MULTILINE)

    def html(self, name: str = "page") -> str:
        return (self.folder / f"{name}.html").read_text(encoding="utf-8")

    def pages(self) -> dict[str, str]:
        """The text of every page that is published."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_text(encoding="utf-8")
            for path in self.folder.rglob("*.html")
        }


class Book:
    """A book in a folder, which is the working directory."""

    def __init__(self, folder: Path, conf: str = "") -> None:
        self.folder, self.age = folder, 1000
        self.write("conf.py", CONF + conf)
        self.write("index.md", INDEX)

    def write(self, name: str, text: str) -> Path:
        """Write a file; all but pages look old, since what is young may have changed in a run."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        if path.suffix not in {".md", ".ipynb"}:
            self.age -= 2  # each time another one, by which Python knows stale bytecode
            os.utime(path, (then := time.time() - 100 - self.age, then))
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} does not hold {old!r} once"
        self.write(name, text.replace(old, new))

    def build(self, *options: str, strict: bool = True, out: str = "_build/html") -> Built:
        mode = ["-n", "-W", "--keep-going"] if strict else []
        status, said, messages = sphinx_build("-b", "html", *mode, *options, ".", out)
        return Built(status, said, messages, self.folder / out)


def settle_environment(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Give all kernels the same environment, and so the same template.

    Files in the folder for temporary ones are no data, so that folder must not be the one in which
    the tests' own lie.
    """
    patch.setenv("TMPDIR", str(folder))
    for name in ("CI", "GITHUB_ACTIONS"):
        patch.delenv(name, raising=False)
