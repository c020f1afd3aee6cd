"""Where a book and the computer that builds it differ: told once, shown at the cell, and calmly."""

from __future__ import annotations

import re

import pytest
from book_project import CONF, cell, page
from bs4 import BeautifulSoup

from bookproof.extension.conclusion import ROUNDING
from bookproof.report import python
from bookproof.words import WORDS


def notes(built, name="page"):
    """The notes on a page: what each says, and its rows, the heads left out."""
    found = BeautifulSoup(built.html(name), "html.parser").select(".book-differs")
    rows = [[row.select("td") for row in note.select("tbody tr")] for note in found]
    texts = [[tuple(entry.text.strip() for entry in row) for row in each] for each in rows]
    said = [[text.text for text in note.select(":scope > p")] for note in found]
    return list(zip(said, texts, strict=True))


def marked(built):
    return [
        strong.text for strong in BeautifulSoup(built.html(), "html.parser").select("td strong")
    ]


# ---- At the cell ----


def test_a_right_page_has_no_note(book):
    book.write("page.md", page(cell("print(1)", 1)))
    assert notes(book.build()) == []


def test_a_number_that_differs_is_shown_beside_the_pages(book):
    block = ":atol: 0.01\n\nloss 0.501, rate 0.9\nok\nspikes 2488"
    code = "print('loss 0.503, rate 0.7')\nprint('ok')\nprint('spikes 2488')"
    book.write("page.md", page(cell(code, block)))
    built = book.build()
    assert built.status == 1
    row = "loss 0.501, rate 0.9", "loss 0.503, rate 0.7"
    assert notes(built) == [([WORDS["differs"], WORDS["rounding"]], [row])]
    heads = BeautifulSoup(built.html(), "html.parser").select(".book-differs th")
    assert [head.text for head in heads] == [WORDS["says"], WORDS["came"]]
    assert marked(built) == ["0.9", "0.7"]  # what is near enough differs in nothing


def test_a_number_that_may_not_be_off_is_marked(book):
    block = ":rtol: 0.9\n:exact: epoch *\n\nepoch 2: loss 0.5"
    book.write("page.md", page(cell("print('epoch 3: loss 0.5')", block)))
    assert marked(book.build()) == ["2", "3"]


def test_words_that_differ_are_no_matter_of_rounding(book):
    book.write("page.md", page(cell("print('a c d')", "a b d")))
    built = book.build()
    assert notes(built) == [([WORDS["differs"]], [("a b d", "a c d")])]
    assert marked(built) == ["b", "c"]


@pytest.mark.parametrize(
    ("code", "block", "rows"),
    [
        ("print('a\\nx\\nb')", "a\nb", [("nothing", "x")]),
        ("print('a\\nb')", "a\nx\ny\nb", [("x\ny", "nothing")]),
        ("print('a\\n\\nB')", "a\n<BLANKLINE>\nb", [("b", "B")]),
        ("print('v 1.2\\nB')", ":options: +ELLIPSIS\n\nv 1...\nb", [("b", "B")]),
        ("print(*'bcdefghijkl', sep='\\n')", "\n".join("BCDEFGHIJKL"),
         [*zip("BCDEFGHIJK", "bcdefghijk", strict=True), ("…", "…")]),
        ("print('\\33[31mB\\33[0m')", "b", [("b", "B")]),
        ("print('[1.0,\\n 2.0]')", ":atol: 0\n\n[1.0, 3.0]",
         [("[1.0, 3.0]", "[1.0,\n 2.0]")]),
    ],
    ids=["more", "less", "blank line", "ellipsis", "many", "colours", "other lines"],
)  # fmt: skip
def test_only_the_lines_that_differ_are_shown(book, code, block, rows):
    book.write("page.md", page(cell(code, block)))
    assert [found for _, found in notes(book.build())] == [rows]


def test_a_cell_that_fails_shows_what_was_expected_and_so_do_those_after_it(book):
    code = "def broken():\n    raise ValueError('no\\nway')\nprint(1)\nbroken()"
    book.write("page.md", page(cell(code, "1\n<BLANKLINE>\n2"), cell("print(3)", 3), cell("x = 1")))
    assert notes(book.build()) == [
        ([WORDS["broke"]], [("1\n\n2", "ValueError: no\nway")]),
        ([WORDS["skipped"]], [("3", "nothing")]),
        ([WORDS["skipped"]], []),
    ]


def test_a_cell_that_takes_too_long_says_so(book):
    slow = page(cell("import time\ntime.sleep(99)", 1), front="mystnb: {execution_timeout: 1}\n")
    book.write("page.md", slow)
    [(said, [(want, came)])] = notes(book.build())
    assert (said, want) == ([WORDS["broke"]], "1")
    assert came.startswith("the cell ran longer than 1 s")


def test_what_is_not_printed_and_what_is_not_expected_are_told(book):
    book.write("page.md", page(cell("x = 1", "2"), cell("print(3)")))
    assert notes(book.build()) == [
        ([WORDS["differs"]], [("2", "nothing")]),
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
    words = {"differs": "違いました。", "rounding": "数です。", "says": "本", "came": "ここ"}
    book.write("conf.py", CONF + f"book_words = {words}\n")
    book.write("page.md", page(cell("print(1)", 2)))
    shown = BeautifulSoup(book.build().html(), "html.parser").select_one(".book-differs")
    assert list(shown.stripped_strings) == [*words.values(), "2", "1"]


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
        "this computer and the book differ at 3 cells of 2 pages:",
        "  docs/a.md:14, 22 (2 cells)  _build/html/docs/a.html",
        "  docs/b.md:14 (1 cell)  _build/html/docs/b.html",
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
    assert "page.md:10 (1 cell)" in said
    assert "processor" not in said
    assert "check page.md" in said
    assert "accept" not in said  # a cell that fails is nothing that a page could say


def test_where_many_pages_differ_the_commands_name_the_book(book):
    for number in range(6):
        book.write(f"part/{number}.md", page(cell("print(1)", 2)))
    said = ending(book.build())
    assert said.count("(1 cell)") == 6
    assert "-m bookproof check .\n" in said


def test_a_right_build_says_nothing_of_it(book):
    book.write("page.md", page(cell("print(1)", 1)))
    assert "differ" not in book.build().said


def test_a_builder_without_a_file_for_each_page_names_none(book):
    book.write("page.md", page(cell("print(1)", 2)))
    built = book.build("-b", "dummy")
    assert "  page.md:14 (1 cell)\n" in ending(built)
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
