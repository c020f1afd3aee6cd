"""A page can have what an ordinary kernel gives it, also where warm ones differ."""

from __future__ import annotations

import pytest
from book_project import CONF, cell, needs, page
from book_runs import printed, run, write

from bookproof.page import read_page
from bookproof.run import run_pages
from bookproof.settings import find_settings


def outcome(path):
    [done] = run_pages([read_page(path, find_settings(path))])
    return done


@pytest.mark.parametrize("conf", ["", "book_environment = {}", "book_environment = {'A': 7}"])
def test_a_book_says_what_kernels_have_in_their_environment(book, monkeypatch, conf):
    for name in ("PYTHONHASHSEED", "OMP_NUM_THREADS", "A"):
        monkeypatch.delenv(name, raising=False)
    code = "import os\n[os.environ.get(n) for n in ('PYTHONHASHSEED', 'OMP_NUM_THREADS', 'A')]"
    book.write("conf.py", f"{CONF}{conf}\n")
    wanted = {"": ["0", "1", None], "book_environment = {}": [None] * 3}
    shown = repr(wanted.get(conf, [None, None, "7"]))
    assert printed(outcome(book.write("page.md", page(cell(code))))) == [shown]


@needs("matplotlib")
@pytest.mark.parametrize(
    "set_it", ["import os\nos.environ['MPLBACKEND'] = 'svg'", "%env MPLBACKEND=svg"]
)
def test_what_a_page_sets_before_an_import_counts(settled, tmp_path, set_it):
    path = write(tmp_path, cell(f"{set_it}"), cell("import matplotlib as m\nm.get_backend()"))
    [done] = run(path, modules=("matplotlib.pyplot",))
    assert printed(done)[1] == "'svg'"


def test_an_output_that_no_notebook_can_hold_is_a_fault_of_its_cell(settled, tmp_path):
    odd = write(tmp_path, cell("display({'text/plain': {'a': 1}}, raw=True)"), name="odd.md")
    other = write(tmp_path, cell("print(1)", 1), name="other.md")
    wrong, right = run(odd, other)
    assert right.ok
    [verdict] = wrong.verdicts
    assert verdict.got == (
        "the kernel sent what can't be read: NotebookValidationError: {'a': 1} is not valid under "
        "any of the given schemas"
    )


def test_a_relative_path_for_modules_begins_at_the_page(settled, tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "beside.py").write_text("x = 1")
    monkeypatch.setenv("PYTHONPATH", "src")
    [done] = run(write(tmp_path, cell("import beside\nprint(beside.x)", 1)))
    assert done.ok
