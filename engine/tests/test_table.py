"""`{book-checks}` is a table of what this build has checked, which is always that of all pages."""

from __future__ import annotations

import pytest
from book_project import cell, page
from bs4 import BeautifulSoup

FIGURE = """\
from IPython.display import SVG
SVG('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')"""
NEEDS = ":tags: [requires-no_such_package]"
COLUMNS = ":page: 章\n:cells: セル\n:checked: 照合\n:recorded: 記録\n:figures: 図\n:total: 計\n"
TABLE = f"# Table\n\n```{{book-checks}}\n{COLUMNS}```\n"
INDEX = "# Book\n\n```{toctree}\n\ntable\nb\na\n```\n"


@pytest.fixture
def book(book):
    book.write("index.md", INDEX)
    book.write("a.md", page(cell("print(1)", 1), cell("x = 1"), title="A"))
    cells = cell("print(1)", 1), cell("x.y", 2, NEEDS), cell(FIGURE)
    book.write("b.md", page(*cells, title="B"))
    book.write("table.md", TABLE)
    return book


def table(built, name="table"):
    """The rows of the table on a page, as text."""
    shown = BeautifulSoup(built.html(name), "html.parser").select_one("table.book-checks")
    return [[entry.text.strip() for entry in row.select("th, td")] for row in shown.select("tr")]


HEAD = ["章", "セル", "照合", "記録", "図"]
A, B = ["A", "2", "1", "0", "0"], ["B", "3", "1", "1", "1"]
TOTAL = ["計", "5", "2", "1", "1"]


def test_it_has_a_row_for_each_page_that_runs_in_the_order_of_the_book(book):
    built = book.build()
    assert built.status == 0, built.messages
    assert table(built) == [HEAD, B, A, TOTAL]
    links = BeautifulSoup(built.html("table"), "html.parser").select("table a")
    assert [link["href"] for link in links] == ["b.html", "a.html"]
    right = BeautifulSoup(built.html("table"), "html.parser").select("table .text-right")
    assert [cell.text.strip() for cell in right] == HEAD[1:] + B[1:] + A[1:] + TOTAL[1:]


def test_it_follows_every_page_though_only_that_page_is_read_again(book):
    book.build()
    book.write("a.md", page(cell("x = 1"), title="Another"))
    built = book.build()
    assert built.read == ["a"]
    assert table(built)[2:] == [["Another", "1", "0", "0", "0"], ["計", "4", "1", "1", "1"]]
    book.write("c.md", page(cell("print(3)", 3), title="C"))
    book.edit("index.md", "\na\n", "\na\nc\n")
    built = book.build()
    assert built.read == ["c", "index"]
    assert table(built)[3:] == [["C", "1", "1", "0", "0"], ["計", "5", "2", "1", "1"]]
    book.edit("index.md", "\nc\n", "\n")
    (book.folder / "c.md").unlink()
    assert table(book.build())[3:] == [["計", "4", "1", "1", "1"]]


def test_a_page_with_a_table_is_not_written_again_without_need(book):
    book.build()
    written = (book.folder / "_build" / "html" / "table.html").stat().st_mtime_ns
    assert book.build().read == []
    book.edit("a.md", "x = 1", "x = 2")
    assert book.build().read == ["a"]
    assert (book.folder / "_build" / "html" / "table.html").stat().st_mtime_ns == written


def test_without_a_heading_the_pages_are_called_so(book):
    book.write("table.md", "# Table\n\n```{book-checks}\n:checked: 照合\n```\n")
    assert table(book.build()) == [["Page", "照合"], ["B", "1"], ["A", "1"]]
