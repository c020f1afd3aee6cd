"""The outputs that a notebook holds are what its cells are to print, if the book says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from book_project import CONF
from nbformat.v4 import new_code_cell, new_notebook, new_output

from bookproof.__main__ import main
from bookproof.outputs import stored_output, with_outputs

KERNEL = {"name": "python3", "display_name": "Python 3"}
STORED = CONF + "book_stored = True\n"


def notebook(*cells, path="page.ipynb"):
    """Write a notebook: each cell is its code and the text that is stored, or the chunks of it."""
    made = [
        new_code_cell(code, outputs=[new_output("stream", text=text) for text in texts])
        for code, *texts in cells
    ]
    made = new_notebook(cells=made, metadata={"kernelspec": KERNEL})
    Path(path).write_text(nbformat.writes(made) + "\n", encoding="utf-8")
    return Path(path)


def stored(path):
    return ["".join(out.text for out in c.outputs) for c in nbformat.read(path, 4).cells]


@pytest.fixture
def book(book):
    """A book that says that what notebooks hold is compared."""
    book.write("conf.py", STORED)
    return book


def test_check_says_that_it_leaves_out_what_is_stored(book, said):
    book.write("conf.py", CONF)
    notebook(("print(2)", "1\n"))
    assert main(["check", "."]) == 0
    assert said().startswith(
        "page.ipynb: not run: its outputs are stored in it; to run and compare it, let conf.py say "
        "book_stored = True\n"
    )


def test_what_is_stored_is_compared_if_the_book_says_so(book, said):
    notebook(("print(1)", "1\n"), ("print(2)", "3\n"), ("print('ab')", "a", "b\n"))
    assert main(["check", "."]) == 1
    told = said()
    assert told.startswith("page.ipynb:cell 2: the cell does not print what the page says")
    assert "    -3\n    +2\n" in told
    assert "outputs that match: 2, wrong cells: 1" in told


def test_a_cell_that_prints_where_nothing_is_stored_is_wrong(book, said):
    notebook(("print(1)", "1\n"), ("print(2)",))
    assert main(["check", "."]) == 1
    told = said()
    assert "page.ipynb:cell 2: the cell prints, but no output of it is stored\n" in told
    assert "block" not in told


def test_accept_says_why_it_stores_nothing_where_the_book_does_not_say_so(book, said):
    book.write("conf.py", CONF)
    notebook(("print(1)", "2\n"), ("print(2)",))
    assert main(["accept", "page.ipynb"]) == 0
    assert said().startswith(
        "page.ipynb: nothing to accept: what a notebook holds is compared only if conf.py says "
        "book_stored = True\n"
    )


def test_a_notebook_without_outputs_runs_as_before(book, said):
    notebook(("print(1)",))
    assert main(["check", "."]) == 0
    assert said() == (
        "page.ipynb: nothing is compared, since it holds no output that can be read; to store what "
        "its cells print, accept it by its name\n"
        "pages: 1, run now: 1, outputs that match: 0, wrong cells: 0, cells not reached: 0\n"
    )


@pytest.mark.parametrize("named", ["page.ipynb", "."])
def test_a_notebook_without_outputs_gets_them_by_its_name_or_with_all_of_a_book(book, named):
    path = notebook(("print(1)",))
    assert main(["accept", named]) == 0
    assert stored(path) == ["1\n"]


def test_of_a_line_that_begins_anew_only_the_last_state_counts(book):
    """As a notebook that Jupyter has saved holds a bar of progress."""
    notebook((r"print('\r 50 %', end=''); print('\r100 %')", "100 %\n"))
    assert main(["check", "."]) == 0


@pytest.mark.parametrize("texts", [("2\n",), ()])
def test_a_notebook_that_is_not_to_run_keeps_no_other_page_from_being_checked(book, said, texts):
    book.write("conf.py", STORED + "nb_execution_excludepatterns = ['slow.ipynb']\n")
    notebook(("print(1)", *texts), path="slow.ipynb")
    notebook(("print(1)", "1\n"))
    assert main(["check", "."]) == 0
    told = said()
    assert "slow.ipynb: not run: nb_execution_excludepatterns has 'slow.ipynb'\n" in told
    assert "outputs that match: 1" in told


CONDITIONS = "book_conditions = {'own': {}, 'two': {'environment': {'TWO': '2'}}}\n"


def test_a_notebook_has_no_place_for_tolerances_and_is_told_so(book, said):
    book.write("conf.py", STORED + CONDITIONS)
    notebook(("import os\nprint(1.0 + 0.5 * len(os.environ.get('TWO', '')))", "1.0\n"))
    assert main(["vary", "."]) == 1
    told = said()
    assert "page.ipynb:cell 1: number 1: 1.0, 1.5 (page: 1.0)" in told
    assert "Or tag the cell nbval-ignore-output, to leave it out." in told
    assert ":atol:" not in told
    assert main(["accept", "--tolerance", "."]) == 0
    assert "page.ipynb: no tolerance: a notebook has no place for one" in said()


def test_a_picture_in_a_difference_does_not_flood_the_terminal(book, said):
    notebook(("from IPython.display import Image, display\nprint(1)\nImage(bytes(9000))", "2\n"))
    assert main(["accept", "."]) == 0
    assert max(map(len, said().splitlines())) < 400


def test_what_nbval_ignores_is_not_compared(book, said):
    path = notebook(("# NBVAL_IGNORE_OUTPUT\nprint(2)", "1\n"), ("print(2)", "1\n"))
    made = json.loads(path.read_text())
    made["cells"][1]["metadata"]["tags"] = ["nbval-skip"]
    path.write_text(json.dumps(made))
    assert main(["check", "."]) == 0
    assert said().startswith(
        "page.ipynb:cell 1: not compared: marked NBVAL_IGNORE_OUTPUT\n"
        "page.ipynb:cell 2: not compared: marked nbval-skip\n"
    )


@pytest.mark.parametrize(
    ("code", "tags", "marked"),
    [
        ("# nbval-ignore-output\nprint(1)", [], "nbval-ignore-output"),
        ("print(1)  # NBVAL_SKIP", [], "NBVAL_SKIP"),
        ("print(1)", ["plot", "nbval-ignore-output"], "nbval-ignore-output"),
        ("nbval_skip = 1", [], ""),  # which is no comment
    ],
)
def test_a_mark_is_a_tag_or_a_comment(code, tags, marked):
    chunks = [new_output("stream", text=text) for text in ("a", "b \n")]
    cell = new_code_cell(code, metadata={"tags": tags}, outputs=chunks)
    assert stored_output(cell) == ("ab", f"marked {marked}" if marked else "")
    assert [output.text for output in cell.outputs] == ["a", "b \n"]


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_keeps_its_end_and_its_version(end):
    cells = [{"cell_type": "code", "source": "1", "outputs": [], "execution_count": None,
              "metadata": {}}]  # fmt: skip
    old = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 2})
    new = with_outputs(old + end, {0: [new_output("stream", text="1")]})
    assert json.loads(new)["nbformat_minor"] == 2
    assert json.loads(new)["cells"][0]["outputs"][0]["text"] == ["1"]
    assert new.endswith(f"}}{end}")


def test_accept_stores_what_the_cells_print_and_changes_nothing_else(book, said):
    path = notebook(("print(1)", "1\n"), ("print(2)", "3\n"), ("x = 1", "gone\n"))
    before = path.read_text()
    assert main(["accept", "."]) == 0
    assert stored(path) == ["1\n", "2\n", ""]
    assert '-      "3\\n"' in said()
    again = json.loads(path.read_text())
    for cell, old in zip(again["cells"], json.loads(before)["cells"], strict=True):
        assert {**cell, "outputs": []} == {**old, "outputs": []}
    assert main(["check", "."]) == 0
    written = path.read_text()
    assert main(["accept", "--tolerance", "."]) == 0
    assert path.read_text() == written


def test_accept_marks_the_cells_that_cannot_be_compared_and_takes_the_rest(book, said):
    random = "import random\nprint(random.random())"
    path = notebook((random, "0.5\n"), ("print(2)", "1\n"), ("%timeit -n 1 -r 1 1", "3 ns\n"),
                    ("print(hex(id(print)))", "0x7f3c12ab\n"))  # fmt: skip
    assert main(["accept", "."]) == 0
    told = said()
    assert "page.ipynb:cell 1: not compared: it prints something else in a second run\n" in told
    assert "page.ipynb:cell 3: not compared: it prints how long something took; " in told
    assert "page.ipynb:cell 4: not compared: it prints an address or a time\n" in told
    assert told.endswith("\n1 of 4 cells checked; 3 not, because marked nbval-ignore-output (3)\n")
    assert stored(path)[1] == "2\n"
    marked = [cell["metadata"].get("tags") for cell in json.loads(path.read_text())["cells"]]
    assert marked == [
        ["nbval-ignore-output"],
        None,
        ["nbval-ignore-output"],
        ["nbval-ignore-output"],
    ]
    for _ in range(3):
        assert main(["check", "--anew", "."]) == 0


def test_a_build_and_pytest_compare_it_too(book):
    notebook(("print(2)", "3\n"))
    built = book.build()
    assert built.status == 1
    assert "page.ipynb:cell 1: ERROR: the cell does not print" in built.messages
    command = [sys.executable, "-m", "pytest", "-q", "-p", "bookproof.pytest_plugin"]
    told = subprocess.run([*command, "page.ipynb"], capture_output=True, text=True, check=False)
    assert "1 failed" in told.stdout
