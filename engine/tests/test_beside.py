"""Blocks that stand beside their page, in one file: every way in reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from book_project import cell, page

from bookproof.__main__ import main
from bookproof.beside import names
from bookproof.page import PageError, read_page

CELLS = page(cell("x = 1"), cell("print(x)"), cell("print(x + 1)"), cell("print(x)"))
BLOCKS = """\
~~~{testoutput} print(x)
1
~~~

~~~{testoutput} print(x + 1)
2
~~~

~~~{testoutput} print(x) #2
1
~~~
"""


@pytest.fixture
def said(capsys):
    """What the commands wrote since it was asked last."""
    return lambda: capsys.readouterr().out


@pytest.fixture
def pinned(book):
    """A book whose page has its blocks beside it."""
    book.write("page.md", CELLS)
    book.write("page.outputs", BLOCKS)
    return book


def test_accept_writes_them_if_told_and_leaves_the_page_alone(book, said):
    book.write("page.md", CELLS)
    assert main(["accept", "--beside", "."]) == 0
    assert Path("page.md").read_text() == CELLS
    assert Path("page.outputs").read_text() == BLOCKS
    assert Path("page.outputs").stat().st_mode == Path("page.md").stat().st_mode
    assert main(["accept", "."]) == 0
    assert "page.outputs: nothing to accept\n" in said()
    assert main(["check", "."]) == 0
    assert "outputs that match: 3, wrong cells: 0" in said()


def test_check_names_the_line_of_the_file(pinned, said):
    pinned.edit("page.outputs", "2\n~~~\n\n", "3\n~~~\n\n")
    assert main(["check", "."]) == 1
    assert said().startswith(
        "page.outputs:6: the cell does not print what the page says (- page, + cell)\n  6 | 3\n"
    )
    assert main(["accept", "."]) == 0
    assert Path("page.outputs").read_text() == BLOCKS


def test_a_cell_that_prints_needs_its_block_there(pinned, said):
    pinned.edit("page.outputs", "~~~{testoutput} print(x + 1)\n2\n~~~\n\n", "")
    assert main(["check", "."]) == 1
    assert said().startswith("page.md:18: the cell prints, but no {testoutput} block follows it\n")
    assert main(["accept", "."]) == 0
    assert Path("page.outputs").read_text() == BLOCKS


def test_a_block_of_no_cell_is_an_error_that_accept_mends(pinned, capsys):
    pinned.edit("page.md", "print(x + 1)", "print(1 + x)")
    assert main(["check", "."]) == 2
    assert capsys.readouterr().err == (
        "page.outputs:5: no cell of the page begins with the line 'print(x + 1)'; let accept write "
        "the file again\n"
    )
    assert main(["accept", "."]) == 0
    assert Path("page.outputs").read_text() == BLOCKS.replace("print(x + 1)", "print(1 + x)")


def test_the_options_of_a_block_are_kept(pinned):
    block = "~~~{testoutput} print(x + 1)\n:rtol: 1e-2\n\n"
    pinned.edit("page.outputs", "~~~{testoutput} print(x + 1)\n2", f"{block}3")
    assert main(["accept", "."]) == 0
    assert f"{block}2\n" in Path("page.outputs").read_text()


def test_a_page_has_its_blocks_in_one_place(pinned):
    text = page(cell("print(1)", 1))
    with pytest.raises(PageError, match=r"stand beside it, in page\.outputs; delete this one"):
        read_page(pinned.write("page.md", text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BLOCKS + BLOCKS, "page.outputs:12: another block is of the cell with the line 'print"),
        ("text\n", "page.outputs:1: only {testoutput} blocks stand here; delete this"),
        ("~~~{testoutput} print(x)\n1\n", "this {testoutput} is never closed"),
    ],
)
def test_what_is_wrong_in_the_file_is_told(pinned, text, told):
    pinned.write("page.outputs", text)
    with pytest.raises(PageError) as error:
        read_page(Path("page.md"))
    assert told in str(error.value)


def test_a_build_compares_them_and_notices_when_they_change(pinned):
    assert pinned.build().status == 0
    pinned.edit("page.outputs", "2\n~~~\n\n", "3\n~~~\n\n")
    built = pinned.build()
    assert built.status == 1
    assert built.read == ["page"]
    assert "page.outputs:6: ERROR: the cell does not print" in built.messages
    pinned.write("page.outputs", BLOCKS)
    assert pinned.build().status == 0
    Path("page.outputs").unlink()
    assert pinned.build().read == ["page"]


def test_pytest_compares_them(pinned):
    pinned.edit("page.outputs", "2\n~~~\n\n", "3\n~~~\n\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "bookproof.pytest_plugin"]
    told = subprocess.run([*command, "page.md"], capture_output=True, text=True, check=False)
    assert "1 failed, 3 passed" in told.stdout
    assert "page.outputs:6: the cell does not print" in told.stdout


def test_room_is_written_there(pinned):
    pinned.write("conf.py", Path("conf.py").read_text() + (
        'book_conditions = {"usual": {}, "moved": {"environment": {"MOVED": "1"}}}\n'
    ))  # fmt: skip
    pinned.write("page.md", page(cell('import os\n0.5 + 0.01 * len(os.environ.get("MOVED", ""))')))
    pinned.write("page.outputs", "")
    assert main(["accept", "--room", "."]) == 0
    assert Path("page.outputs").read_text() == (
        "~~~{testoutput} import os\n:atol: 0.1\n\n0.5\n~~~\n"
    )


def test_cells_go_by_their_first_lines():
    assert names(["", "\n  a = 1\nb", "a = 1", "# c", "a = 1"]) == [
        "", "a = 1", "a = 1 #2", "# c", "a = 1 #3"
    ]  # fmt: skip
