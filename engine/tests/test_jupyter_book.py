"""A book of Jupyter Book 1, whose settings are generated, through every way into the engine.

Where Jupyter Book is installed, as in a step of the CI, it writes the settings anew and builds the
book itself. Elsewhere, those that it once wrote are taken, without the extensions that are missing.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import book_corpus
import pytest
from sphinx_builds import sphinx_build

from bookproof.__main__ import main
from bookproof.finder import find_pages

pytest_plugins = ["pytester"]

WRITES_ITSELF = find_spec("jupyter_book") is not None
COMMAND = str(Path(sys.executable).with_name("jupyter-book"))
RIGHT = "pages: 1, run now: 1, outputs that match: 1, wrong cells: 0, cells not reached: 0"


@pytest.fixture
def jupyter_book(settled, tmp_path, monkeypatch):
    """A copy of the book, in which the test stands."""
    folder = tmp_path / "book"
    shutil.copytree(book_corpus.BOOKS / "foreign" / "jupyter_book", folder)
    monkeypatch.chdir(folder)
    conf = folder / "conf.py"
    kept = (folder / "generated.txt").read_text(encoding="utf-8")
    if WRITES_ITSELF:
        subprocess.run([COMMAND, "config", "sphinx", "."], check=True, capture_output=True)
        assert conf.read_text(encoding="utf-8") == kept, "the kept settings are of another version"
        return folder
    names = ast.literal_eval(re.findall(r"^extensions = (.*)$", kept, re.MULTILINE)[0])
    there = [name for name in names if find_spec(name.partition(".")[0])]
    text = re.sub(r"(?m)^extensions = .*$", f"extensions = {there}", kept)
    text += "root_doc = 'intro'\nhtml_theme = 'basic'\n"  # which two of the others set
    text = text.replace("'linkify', ", "")
    conf.write_text(re.sub(r"(?m)^html_theme_options = .*$", "", text), encoding="utf-8")
    (folder / "intro.md").write_text("# Intro\n\n```{toctree}\npage\n```\n", encoding="utf-8")
    return folder


def by_sphinx(folder):
    return sphinx_build("-b", "html", ".", "_build/html")


def by_jupyter_book(folder):
    (folder / "conf.py").unlink(missing_ok=True)
    done = subprocess.run([COMMAND, "build", "."], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("build", [by_sphinx, *[by_jupyter_book] * WRITES_ITSELF])
def test_it_is_built_and_a_wrong_output_fails(jupyter_book, build):
    status, said, messages = build(jupyter_book)
    assert status == 0, messages
    assert RIGHT in said
    assert ">2\n" in (jupyter_book / "_build" / "html" / "page.html").read_text(encoding="utf-8")
    page = jupyter_book / "page.md"
    page.write_text(page.read_text().replace("\n2\n", "\n3\n"))
    assert build(jupyter_book)[0] != 0


def test_the_command_line_says_that_the_settings_are_not_written_yet(jupyter_book, capsys):
    Path("conf.py").unlink()
    Path("_config.yml").write_text("sphinx:\n  extra_extensions: [bookproof]\n")
    assert main(["check", "page.md"]) == 2
    assert capsys.readouterr().err == (
        f"{jupyter_book}/_config.yml: the settings of this book are read from its conf.py, which "
        f"is not there; write it first: jupyter-book config sphinx {jupyter_book}\n"
    )
    Path("_config.yml").write_text("title: of another program\n")
    assert main(["check", "page.md"]) == 0


def test_only_what_the_table_of_contents_names_is_found_where_it_decides(jupyter_book):
    (jupyter_book / "part").mkdir()
    for name in ("draft.md", "part/found.md"):
        (jupyter_book / name).write_bytes((jupyter_book / "page.md").read_bytes())
    assert len(find_pages([Path()])) == 3
    with (jupyter_book / "_toc.yml").open("a") as toc:
        toc.write("  - glob: part/*\n")
    # what Jupyter Book makes of only_build_toc_files
    conf = jupyter_book / "conf.py"
    settings = conf.read_text(encoding="utf-8")
    decides = settings.replace("exclude_missing = False", "exclude_missing = True")
    assert decides != settings
    conf.write_text(decides, encoding="utf-8")
    assert [path.as_posix() for path in find_pages([Path()])] == ["page.md", "part/found.md"]
