"""Where a book and the computer that builds it differ: told once, shown at the cell, and calmly."""

from __future__ import annotations

import re

import pytest
from book_project import CONF, cell, page
from bs4 import BeautifulSoup

from bookproof.report import ROUNDING, python
from bookproof.words import WORDS


def notes(built, name="page"):
    """The notes on a page: what each says, and the lines that it shows."""
    found = BeautifulSoup(built.html(name), "html.parser").select(".book-differs")
    said = [[text.text for text in note.select("p")] for note in found]
    lines = [[line for pre in note.select("pre") for line in pre.text.splitlines()]
             for note in found]  # fmt: skip
    return list(zip(said, lines, strict=True))


# ---- At the cell ----


def test_a_number_that_differs_is_shown_with_the_pages(book):
    block = ":atol: 0.01\n\nloss 0.501, rate 0.9\nok\nspikes 2488"
    code = "print('loss 0.503, rate 0.7')\nprint('ok')\nprint('spikes 2488')"
    book.write("page.md", page(cell(code, block)))
    built = book.build()
    assert built.status == 1
    # what is near enough differs in nothing
    lines = ["-loss 0.501, rate 0.9", "+loss 0.501, rate 0.7", " ok"]
    assert notes(built) == [([WORDS["differs"], WORDS["rounding"], WORDS["lines"]], lines)]


@pytest.mark.parametrize(
    ("code", "block", "lines"),
    [
        ("print('a c d')", "a b d", ["-a b d", "+a c d"]),
        ("print('a\\nx\\nb')", "a\nb", [" a", "+x", " b"]),
        ("print('a\\n\\nB')", "a\n<BLANKLINE>\nb", [" <BLANKLINE>", "-b", "+B"]),
        ("print('v 1.2\\nB')", ":options: +ELLIPSIS\n\nv 1...\nb", [" v 1...", "-b", "+B"]),
        ("print('-- b')", "-- a", ["--- a", "+-- b"]),
        ("print('\\33[31mB\\33[0m')", "b", ["-b", "+B"]),
        ("print(*range(99), sep='\\n')", "0",
         [" 0", *(f"+{n}" for n in range(1, 10)), "… 79 lines left out …",
          *(f"+{n}" for n in range(89, 99))]),
    ],
)  # fmt: skip
def test_the_lines_that_differ_are_shown_with_their_neighbours(book, code, block, lines):
    book.write("page.md", page(cell(code, block)))
    assert notes(book.build()) == [([WORDS["differs"], WORDS["lines"]], lines)]


def test_a_cell_that_fails_shows_what_was_expected_and_so_do_those_after_it(book):
    code = "def broken():\n    raise ValueError('no\\nway')\nprint(1)\nbroken()"
    book.write("page.md", page(cell(code, "1\n<BLANKLINE>\n2"), cell("print(3)", 3), cell("x = 1")))
    assert notes(book.build()) == [
        ([WORDS["broke"], WORDS["lines"]], ["-1", "-", "-2", "+ValueError: no", "+way"]),
        ([WORDS["skipped"], WORDS["lines"]], ["-3"]),
        ([WORDS["skipped"]], []),
    ]


def test_what_is_not_printed_and_what_is_not_expected_are_told(book):
    book.write("page.md", page(cell("x = 1", "2"), cell("print(3)")))
    assert notes(book.build()) == [
        ([WORDS["differs"], WORDS["lines"]], ["-2"]),
        ([WORDS["unsaid"]], []),
    ]


def test_the_note_stands_after_its_cell_and_goes_when_that_is_mended(book):
    hidden = cell("print(5)", 6, ":tags: [remove-cell]")
    book.write("page.md", page(cell("print(1)", 2), "\nText.\n", cell("1 + 2", 4), hidden))
    book.write("conf.py", CONF + "templates_path = ['_templates']\n")
    book.write("_templates/page.html", "{{ body }}<p>at {{ book_differs|join(' ') }}</p>")
    shown = BeautifulSoup(built := book.build().html(), "html.parser")
    first, second = shown.select(".book-differs")
    assert "cell" in first.find_previous_sibling()["class"]
    assert (first["id"], second["id"]) == ("book-differs-1", "book-differs-2")
    assert "<p>at book-differs-1 book-differs-2</p>" in built  # no link leads to what is not shown
    book.write("page.md", page(cell("print(1)", 1), "\nText.\n", cell("1 + 2", 3)))
    built = book.build()
    assert built.status == 0, built.messages
    assert "book-differs-" not in built.html()


def test_a_book_says_it_in_its_own_words(book):
    words = {"differs": "違いました。", "rounding": "数です。", "lines": "-は本、+はここ。"}
    book.write("conf.py", CONF + f"book_words = {words}\n")
    book.write("page.md", page(cell("print(1)", 2)))
    assert notes(book.build()) == [([*words.values()], ["-2", "+1"])]


# ---- At the end of the build ----


def ending(built):
    """What is said between the last page's writing and Sphinx's own last line."""
    pattern = r"(this computer and the book differ.*)\nbuild finished"
    return re.search(pattern, built.said, re.DOTALL)[1]


def test_the_build_says_once_at_its_end_what_differs_and_what_to_do(book):
    book.write("docs/a.md", page(cell("print(1)", 2), cell("print(1.5)", 1), cell("print(1)", 1)))
    book.write("docs/b.md", page(cell("print('x')", "y")))
    book.write("index.md", "# Book\n\n```{toctree}\n:glob:\n\ndocs/*\n```\n\n{doc}`missing`\n")
    built = book.build()
    assert built.status == 1
    # Sphinx's own complaints come before
    places = [line.split()[0] for line in re.findall(r"^\S+:.*$", built.messages, re.MULTILINE)]
    assert places[1:] == ["docs/a.md:14:", "docs/a.md:22:", "docs/b.md:14:"]
    command = f"{python()} -m bookproof"
    assert ending(built).splitlines() == [
        "this computer and the book differ (cells: 3, pages: 2):",
        "  docs/a.md:14, 22  _build/html/docs/a.html",
        "  docs/b.md:14  _build/html/docs/b.html",
        "The book is built all the same, to be read: at each of these cells, its page shows both.",
        f"  to see the differences again:   {command} check docs/a.md docs/b.md",
        f"  to let the pages say what came: {command} accept docs/a.md docs/b.md",
        *ROUNDING.splitlines(),
        f"  to measure how far they move:   {command} vary docs/a.md",
        "Until both agree, this is no build to publish.",
    ]
    assert (built.said + built.messages).count("the cell does not print what the page says") == 3


def test_where_not_only_numbers_differ_nothing_is_said_of_rounding(book):
    book.write("page.md", page(cell("1 / 0", 3)))
    said = ending(book.build())
    assert "page.md:10  _build" in said
    assert "processor" not in said
    assert "check page.md" in said
    assert "accept" not in said  # a cell that fails is nothing that a page could say


def test_where_many_pages_differ_the_commands_name_the_book(book):
    for number in range(6):
        book.write(f"part/{number}.md", page(cell("print(1)", 2)))
    said = ending(book.build())
    assert said.count(":14  _build") == 6
    assert "-m bookproof check .\n" in said


def test_a_builder_without_a_file_for_each_page_names_none(book):
    book.write("page.md", page(cell("print(1)", 2)))
    built = book.build("-b", "dummy")
    assert "  page.md:14\n" in ending(built)
    assert "built" not in ending(built)


# ---- In the table of checks ----

TABLE = "# Table\n\n```{book-checks}\n:page: P\n:checked: ok\n:wrong: not\n:total: all\n```\n"


def test_the_table_tells_whoever_publishes(book):
    book.write("table.md", TABLE)
    book.write("page.md", page(cell("print(1)", 1), cell("print(2)", 3)))
    built = book.build()
    shown = BeautifulSoup(built.html("table"), "html.parser")
    assert shown.select_one(".book-unfit").text == WORDS["unfit"].format(n=1)
    assert shown.select_one(".book-unfit").find_next_sibling().name == "table"
    rows = [[entry.text for entry in row.select("th, td")] for row in shown.select("tr")]
    assert [[each.strip() for each in row] for row in rows] == [
        ["P", "ok", "not"], ["Page", "1", "1"], ["all", "1", "1"],
    ]  # fmt: skip
    book.edit("page.md", "\n3\n```", "\n2\n```")
    shown = BeautifulSoup(book.build().html("table"), "html.parser")
    assert not shown.select(".book-unfit")
    assert [head.text for head in shown.select("th")] == ["P", "ok"]
