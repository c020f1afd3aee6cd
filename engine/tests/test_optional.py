"""A cell tagged `requires-solver` runs where solver is installed; elsewhere its block is shown."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from book_project import cell, page
from mystnb import FRONT_MATTER
from nbformat.v4 import new_output

from bookproof.__main__ import main
from bookproof.compare import Status, judge
from bookproof.kernels.start import missing
from bookproof.page import PageError, parse_page, read_page
from bookproof.run import run_outdated, run_pages
from bookproof.settings import find_settings
from bookproof.store import Results

pytest_plugins = ["pytester"]

NEEDS = ":tags: [requires-solver]"
CODE = "import solver\nprint(solver.solve())"
PAGE = page(cell("print(1)", 1), cell(CODE, "4.2", NEEDS), cell("print(3)", 3))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where packages are: one place for all tests, so that their kernels share a template."""
    return tmp_path_factory.mktemp("environment") / "site-packages"


@pytest.fixture
def solver(book, site, monkeypatch):
    """A package that can be installed, and taken away again."""
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    monkeypatch.setenv("PYTHONPATH", str(site))  # for kernels
    return Package(site)


class Package:
    def __init__(self, site):
        self.site = site

    def install(self, answer="4.2"):
        info = self.site / "solver-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "RECORD").write_text("solver.py,sha256=1,1\n")
        module = self.site / "solver.py"
        module.write_text(f"def solve(): return {answer}\n")
        os.utime(module, (time.time() - 100,) * 2)  # what is young may have changed in a run

    def remove(self):
        shutil.rmtree(self.site / "solver-1.0.dist-info")
        (self.site / "solver.py").unlink()


def outcome(name="page.md"):
    [run] = run_outdated([read_page(Path(name), find_settings(Path(name)))], Results())
    return run


def code_cells(run):
    return [run.notebook.cells[made.index] for made in run.page.cells]


def statuses(run):
    return [verdict.status for verdict in run.verdicts]


RECORDED = [Status.MATCHES, Status.RECORDED, Status.MATCHES]


# What is asked for.


@pytest.mark.parametrize("name", ["", "norse.torch", "scikit-learn", "2d", "a b", "膜"])
def test_a_tag_that_names_no_package_is_an_error_at_its_cell(name):
    source = f"{FRONT_MATTER}\n```{{code-cell}}\n:tags: ['requires-{name}']\n\n1\n```\n"
    with pytest.raises(PageError, match=f"the tag 'requires-{name}' names no package") as caught:
        parse_page(Path("page.md"), source)
    assert caught.value.line == source.splitlines().index("1") + 1
    assert "write requires- and the name by which it is imported, without dots" in str(caught.value)


def test_a_package_is_looked_for_and_not_imported():
    assert missing(["no_such_package", "json", "antigravity", "sys"]) == ["no_such_package"]
    assert "antigravity" not in sys.modules


# A page where the package is missing.


def test_the_cells_output_is_the_text_of_its_block(solver):
    text = "1\n<BLANKLINE>\n2"
    Path("page.md").write_text(page(cell(CODE, text, NEEDS), cell("solver.x = 1", head=NEEDS)))
    first, second = code_cells(outcome())
    assert first.outputs == [new_output("stream", name="stdout", text="1\n\n2\n")]
    assert first.execution_count is None
    assert second.outputs == []


def test_every_package_of_a_cell_is_needed(solver):
    solver.install()
    both = ":tags: [requires-solver, requires-other]"
    Path("page.md").write_text(page(cell(CODE, 1, both), cell(CODE, "4.2", NEEDS)))
    run = outcome()
    assert statuses(run) == [Status.RECORDED, Status.MATCHES]
    assert run.verdicts[0].reason == "other is not installed"
    solver.remove()
    run = outcome()
    assert run.verdicts[0].reason == "solver, other are not installed"
    assert run.verdicts[1].reason == "solver is not installed"


def test_a_kernel_looks_for_packages_where_it_imports_them_from(book):
    """Such as a module beside the page, which is not on the path of this process."""
    book.write("part/solver.py", "def solve(): return 4.2")
    Path("part/page.md").write_text(PAGE)
    [run] = run_pages([read_page(Path("part/page.md"))], warm=False)
    assert statuses(run) == [Status.MATCHES] * 3


# A page where the package is there.


def test_a_cell_that_prints_must_have_its_block_even_on_a_page_without_any(solver):
    """Else its output would be missing, where it does not run, and nobody would know."""
    text = page(cell("print(1)"), cell("print(2)", head=":tags: [requires-json]"))
    one = parse_page(Path("page.md"), text)
    printed = [new_output("stream", text="2\n")]
    assert [judge(one, which, printed).status for which in one.cells] == [
        Status.UNCHECKED,
        Status.UNEXPECTED,
    ]


# Results that are kept.


def test_a_package_that_comes_or_goes_runs_the_page_again(solver, ran):
    Path("page.md").write_text(PAGE)
    for change, found in [
        (lambda: None, RECORDED),
        (solver.install, [Status.MATCHES] * 3),
        (solver.remove, RECORDED),
    ]:
        change()
        assert statuses(outcome()) == found
        assert ran.take() == ["page"]
        kept = outcome()
        assert statuses(kept) == found
        assert kept.kept
        assert kept.missing == ({"solver"} if found is RECORDED else frozenset())
        assert ran.take() == []


def test_a_package_may_come_without_an_install(solver, ran):
    Path("page.md").write_text(PAGE)
    outcome()
    (solver.site / "solver.py").write_text("def solve(): return 4.2\n")
    assert statuses(outcome()) == [Status.MATCHES] * 3
    assert ran.take() == ["page", "page"]


def test_an_edited_record_is_shown_without_a_run(solver, ran):
    Path("page.md").write_text(PAGE)
    outcome()
    Path("page.md").write_text(PAGE.replace("4.2", "4.3"))
    assert code_cells(outcome())[1].outputs[0].text == "4.3\n"
    assert ran.take() == ["page"]


# What people are told.


def test_accept_keeps_the_blocks_of_cells_that_did_not_run(solver):
    Path("page.md").write_text(PAGE.replace("\n1\n", "\n0\n"))
    assert main(["accept", "page.md"]) == 0
    assert Path("page.md").read_text() == PAGE
    solver.install(answer=5)
    assert main(["accept", "page.md"]) == 0
    assert Path("page.md").read_text() == PAGE.replace("4.2", "5")


# In Sphinx.


def test_the_page_shows_the_record_and_says_that_it_is_one(solver, book):
    book.write(
        "conf.py",
        Path("conf.py").read_text() + 'book_words = {"recorded": "記録。{packages}がない。"}',
    )
    book.write("page.md", page(cell(CODE, "4.2", NEEDS), cell("print(3)", 3)))
    built = book.build()
    assert built.status == 0, built.messages
    assert "page.md:16: recorded, not run: solver is not installed" in built.said
    assert "outputs that match: 1, outputs recorded: 1" in built.said
    assert ">4.2\n" in built.html()
    [note] = [line for line in built.html().splitlines() if "book-recorded" in line]
    assert ">記録。solverがない。</p>" in note
    assert built.html().index(">4.2\n") < built.html().index("book-recorded")


def test_templates_know_how_many_outputs_are_records_and_why(solver, book):
    book.write("conf.py", Path("conf.py").read_text() + "templates_path = ['_templates']\n")
    text = "{{ book_checked }} {{ book_recorded }} {{ book_missing|join }} {{ book_wrong }}"
    book.write("_templates/page.html", f"<p>told: {text}</p>")
    book.write("page.md", PAGE)
    assert "<p>told: 2 1 solver 0</p>" in book.build().html()
