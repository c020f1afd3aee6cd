"""The pytest plugin: one test per code cell, with its page and line."""

from __future__ import annotations

import pytest
from book_project import Book, cell, page

from bookproof import pytest_plugin
from bookproof import run as running

pytest_plugins = ["pytester"]

PAGE = page(cell("print(1)", 1), cell("print(2)", 3))
RIGHT = page(cell("print(1)", 1), cell("print(2)", 2))
UNREADABLE = page(cell("1"), "\n```{testoutput}\n1\n```\n", "\ntext\n\n```{testoutput}\n1\n```\n")


# Hypothesis would be imported anew in each run.
PLUGINS = ("-p", "bookproof.pytest_plugin", "-p", "no:hypothesispytest")


@pytest.fixture
def book(settled, pytester, monkeypatch, tmp_path_factory):
    """A book, in which the test stands, and which pytester knows."""
    for name in ("HOME", "USERPROFILE", "PYTEST_DEBUG_TEMPROOT"):  # pytester's differ in each test
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp()))
    book = Book(pytester.path)
    book.write("README.md", "# no notebook\n")
    return book


@pytest.fixture
def run_pytest(book, pytester):
    """Run pytest in this process, so that its kernels come from the same template."""

    def run(*arguments):
        return pytester.runpytest_inprocess(*PLUGINS, *arguments)

    return run


def test_every_cell_is_a_test(book, run_pytest):
    book.write("page.md", RIGHT)
    result = run_pytest("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["page.md::line 10 PASSED*", "page.md::line 18 PASSED*"])


def test_a_wrong_cell_fails_alone_and_shows_place_and_difference(book, run_pytest):
    book.write("page.md", PAGE)
    result = run_pytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ page.md:18 _*",
            "page.md:22: the cell does not print what the page says*",
            "    -3",
            "    +2",
            "FAILED page.md::line 18 - page.md:22: the cell does not print what the page *",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
    result.stdout.no_fnmatch_line("::error*")


def test_pages_run_in_the_environment_that_pytest_was_started_in(book, run_pytest, monkeypatch):
    monkeypatch.setenv("BY_A_TEST", "not yet")
    code = "import os; print(os.environ['BY_A_TEST'], 'NEW' in os.environ)"
    book.write("page.md", page(cell(code, "not yet False")))
    sets = "import os\nos.environ['BY_A_TEST'] = os.environ['NEW'] = 'set'\n"
    book.write("test_a.py", f"{sets}def test_a(): pass\n")
    book.write("test_z.py", "import os\ndef test_z(): assert os.environ['BY_A_TEST'] == 'set'\n")
    monkeypatch.setenv("NEW", "")
    monkeypatch.delenv("NEW")  # also after the test
    run_pytest("test_a.py", "page.md", "test_z.py").assert_outcomes(passed=3)


def test_an_output_that_is_not_compared_is_a_skip_with_its_reason(book, run_pytest):
    block = "\n```{testoutput}\n:options: +SKIP\n:reason: needs a GPU\n\n1\n```\n"
    book.write("page.md", page(cell("print(2)"), block, cell("1", 1)))
    result = run_pytest("-rs")
    result.assert_outcomes(skipped=1, passed=1)
    result.stdout.fnmatch_lines(["SKIPPED*needs a GPU*"])


def test_one_cell_can_be_chosen_and_runs_its_page_alone(book, run_pytest, ran):
    book.write("page.md", PAGE)
    book.write("other.md", RIGHT)
    run_pytest("-k", "page and 18").assert_outcomes(failed=1, deselected=3)
    assert ran.take() == ["page"]
    run_pytest("page.md::line 10").assert_outcomes(passed=1)
    assert ran.take() == []


def test_pages_run_side_by_side(book, run_pytest, monkeypatch):
    calls = []
    run_pages = running.run_pages

    def spy(pages, **options):
        calls.append(sorted(page.path.stem for page in pages))
        return run_pages(pages, **options)

    monkeypatch.setattr(running, "run_pages", spy)
    book.write("a.md", RIGHT)
    book.write("b.md", PAGE)
    run_pytest().assert_outcomes(passed=3, failed=1)
    assert calls == [["a", "b"]]
    run_pytest().assert_outcomes(passed=3, failed=1)
    assert calls == [["a", "b"]]  # the outputs hold


def test_a_process_of_pytest_xdist_runs_the_page_of_its_next_test(book, run_pytest, ran, pytester):
    book.write("a.md", RIGHT)
    book.write("b.md", RIGHT)
    # such a process knows that it is one by this, and gets one test after another
    pytester.makeconftest("def pytest_configure(config): config.workerinput = {}\n")
    run_pytest("-x", "a.md", "b.md", "-k", "a.md or 18").assert_outcomes(passed=3, deselected=1)
    assert ran == ["a", "b"]


@pytest.mark.slow
def test_pytest_xdist_runs_pages_in_several_processes(book, pytester):
    book.write("a.md", PAGE)
    book.write("b.md", RIGHT)
    result = pytester.runpytest_subprocess(*PLUGINS, "-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["FAILED a.md::line 18 - a.md:22: the cell does not print what *"])


def test_what_cannot_be_read_is_an_error_with_its_place(book, run_pytest):
    book.write("a.md", UNREADABLE)
    book.write("b.md", RIGHT).write_bytes(b"---\nfile_format: mystnb\n---\n\xff")
    book.write("broken/conf.py", "\n1 / 0")
    book.write("broken/c.md", RIGHT)
    book.write("broken/test_fine.py", "def test_fine(): pass\n")
    book.write("d.md", RIGHT)
    result = run_pytest("--continue-on-collection-errors", "-v")
    result.assert_outcomes(errors=3, passed=3)
    result.stdout.fnmatch_lines(
        [
            "*_ ERROR collecting a.md _*",
            "a.md:19: this {testoutput} block does not stand right*",
            "*_ ERROR collecting b.md _*",
            "b.md:4: not encoded in UTF-8: invalid start byte",
            "*_ ERROR collecting broken/c.md _*",
            "*/broken/conf.py: There is a programmable error in your configuration file:*",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_another_error_keeps_its_traceback(book, run_pytest, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("kernel missing")

    monkeypatch.setattr(pytest_plugin, "run_outdated", broken)
    book.write("page.md", PAGE)
    result = run_pytest()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*RuntimeError: kernel missing*"])


def test_pages_that_are_not_to_be_run_have_no_tests(book, run_pytest, ran):
    book.write("page.md", page(cell("1"), front="mystnb: {execution_mode: 'off'}\n"))
    run_pytest().assert_outcomes()
    assert ran.take() == []
