"""Which files are pages of a book: the same ones, whichever way they are asked for."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from book_project import CONF, INDEX, cell, page
from mystnb import FRONT_MATTER

from bookproof.__main__ import main
from bookproof.finder import find_pages
from bookproof.page import PageError

PAGE = page(cell("print(1)", 1))


def test_pages_are_found_in_folders_in_order_without_hidden_ones(write_page, tmp_path):
    wanted = [write_page("", name) for name in ("a.md", "b.md", "part/c.md")]
    for name in ("_build/d.md", ".hidden/e.md", "part/jupyter_execute/f.md"):
        write_page("", name)
    (tmp_path / "plain.md").write_text("# Title\n")
    assert find_pages([tmp_path]) == wanted
    assert find_pages([wanted[1], tmp_path]) == [wanted[1], wanted[0], wanted[2]]


def test_a_named_file_that_is_no_page_is_an_error(tmp_path):
    plain = tmp_path / "plain.md"
    plain.write_text("# Title\n")
    with pytest.raises(PageError, match="file_format: mystnb"):
        find_pages([plain])
    with pytest.raises(FileNotFoundError, match="no such page or folder"):
        find_pages([tmp_path / "missing.md"])


def found(book, *arguments):
    """Return the pages below the book's folder that are found there."""
    return [path.as_posix() for path in find_pages([book.folder.relative_to(book.folder)])]


def collected(book):
    """Return the pages that pytest collects."""
    options = ["-q", "--collect-only", "-p", "bookproof.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options]
    said = subprocess.run(command, cwd=book.folder, capture_output=True, text=True, check=False)
    return sorted(set(re.findall(r"^(\S+)::(?:line|cell) ", said.stdout, re.MULTILINE)))


@pytest.mark.slow
def test_sphinx_the_command_line_and_pytest_find_the_same_pages(book):
    book.write("conf.py", CONF.replace('["_build", "README.md"]', '["drafts", "**/old*", "x.md"]'))
    book.edit("conf.py", 'html_theme = "basic"', 'include_patterns = ["index.md", "[a-z]*/**"]')
    for name in ("part/a.md", "part/_b.md", "drafts/c.md", "part/old.md", "part/old/d.md", "Q.md"):
        book.write(name, PAGE)
    book.write("index.md", INDEX.replace("\n*\n", "\n**/*\n"))
    wanted = ["part/_b.md", "part/a.md"]
    built = book.build()
    assert (built.status, built.messages) == (0, "")
    assert [f"{name}.md" for name in built.read if name != "index"] == wanted
    assert found(book) == wanted
    assert collected(book) == wanted


@pytest.mark.slow
def test_what_a_build_has_written_is_no_page_though_nothing_excludes_it(book):
    conf = CONF.replace('"_build", ', "")
    book.write("conf.py", conf)
    book.write("page.md", PAGE)
    for out in ("_build/html", "site/html", "public"):
        assert book.build(out=out).status == 0
    assert list(book.folder.glob("*/jupyter_execute/page.ipynb")), "nothing to find by mistake"
    book.write("public/_downloads/page.md", PAGE)  # as a page that is offered for download
    assert found(book) == ["page.md"]
    assert collected(book) == ["page.md"]


def test_a_page_that_is_named_is_one_though_its_book_excludes_it(book, capsys):
    book.edit("conf.py", '"README.md"', '"draft.md"')
    book.write("draft.md", PAGE)
    assert found(book) == []
    assert main(["check", "draft.md"]) == 0
    assert "outputs that match: 1" in capsys.readouterr().out


def test_patterns_are_relative_to_the_folder_of_the_root_document(book):
    """As for `sphinx-build -c . docs out`."""
    book.edit("conf.py", '"README.md"', '"part/draft.md"')
    book.write("conf.py", book.folder.joinpath("conf.py").read_text() + 'root_doc = "intro"\n')
    (book.folder / "index.md").unlink()
    for name in ("docs/intro.md", "docs/part/draft.md", "docs/part/page.md"):
        book.write(name, FRONT_MATTER + "# T\n" if "intro" in name else PAGE)
    assert found(book) == ["docs/intro.md", "docs/part/page.md"]


def test_the_settings_are_no_page_in_a_book_of_scripts(book):
    book.write("reader.py", "def read(text): raise ValueError('a script is no notebook')")
    book.write("conf.py", CONF + 'nb_custom_formats = {".py": "reader.read"}\n')
    assert found(book) == ["reader.py"]
    with pytest.raises(PageError):
        find_pages([book.folder / "conf.py"])
