"""Small Sphinx projects of their own, built as the site is built."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup, SoupStrainer
from sphinx_builds import sphinx_build

from bookproof.settings import find_settings

if TYPE_CHECKING:
    from types import ModuleType

EXTENSIONS = Path(__file__).parents[2] / "docs" / "_ext" / "book"
ABOUT_A_CELL = re.compile(r"\S+: ERROR: the (cell|page says what the cell) ")
CELLS = "---\nfile_format: mystnb\nkernelspec: {name: python3}\n---\n"


@dataclass
class Built:
    """What a build left behind."""

    folder: Path
    code: int
    messages: str

    @property
    def complaints(self) -> list[str]:
        """What the build complained of, but for cells: each of those has a test of its own."""
        messages = re.split(r"^(?=\S)", self.messages, flags=re.MULTILINE)
        return [line for line in messages if line.strip() and not ABOUT_A_CELL.match(line)]

    def html(self, name: str = "index") -> str:
        return (self.folder / f"{name}.html").read_text(encoding="utf-8")

    def page(self, name: str = "index") -> BeautifulSoup:
        return BeautifulSoup(self.html(name), "html.parser")


def build(
    folder: Path,
    pages: dict[str, str],
    *extensions: str,
    settings: str = "",
    builder: str = "html",
) -> Built:
    """Write the pages, and build them with extensions of docs/_ext or installed ones."""
    source = folder / "docs"
    source.mkdir(exist_ok=True)
    for name, text in pages.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    (source / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(EXTENSIONS.parent)!r})\n"
        f"extensions = {list(extensions)!r}\nlanguage = 'ja'\nhtml_theme = 'basic'\n{settings}\n",
        encoding="utf-8",
    )
    out = folder / "html"
    options = ("-n", "-W", "--keep-going", "-b", builder, "-d", str(folder / "doctrees"))
    code, _, messages = sphinx_build(*options, str(source), str(out))
    return Built(out, code, messages)


def build_book(folder: Path, environment: dict[str, str], builder: str = "html") -> Built:
    """Build the book as `make html` does.

    Results are kept where pytest keeps those of the pages, so that no cell runs twice, if the pages
    have the same environment.
    """
    root = EXTENSIONS.parents[2]
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-b", builder]
    results = f"nb_execution_cache_path={find_settings(root / 'docs' / 'index.md').results}"
    places = ["-D", results, "-c", ".", "-d", str(folder / "doctrees"), "docs"]
    done = subprocess.run(
        [*command, *places, str(folder / builder)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Built(folder / builder, done.returncode, done.stderr)


def part_of(page: Path, elements: str | list[str], kinds: str | None = None) -> BeautifulSoup:
    """Read the elements of some classes of a page: all of a long page takes its time."""
    of = {} if kinds is None else {"class_": re.compile(rf"\b({kinds})\b")}
    only = SoupStrainer(elements, **of)
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser", parse_only=only)


def opening(page: Path, name: str, holding: str = "") -> BeautifulSoup:
    """Read the opening tags of a page's elements: what they hold takes ten times as long."""
    found = re.findall(rf"<{name}\b[^>]*>", page.read_text(encoding="utf-8"))
    return BeautifulSoup(
        "".join(tag + f"</{name}>" for tag in found if holding in tag), "html.parser"
    )


def script(path: Path) -> ModuleType:
    """Import a script, which does nothing by being imported."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
