"""Outputs are to hold under all conditions of a book, with the tolerance that what varies needs."""

from __future__ import annotations

import sys

import pytest
from book_project import CONF, cell, page

from bookproof import vary
from bookproof.__main__ import main
from bookproof.machine import features

PRINT = 'import os\nprint(f\'right: {os.environ["RIGHT"]} of 500, {os.environ["SHARE"]}\')'
CONDITIONS = """\
book_environment = {"RIGHT": "480", "SHARE": "0.960"}
book_conditions = {
    "as it is": {},
    "other": {"environment": {"RIGHT": "483", "SHARE": "0.966"}},
    "far": {"environment": {"RIGHT": "490", "SHARE": "0.980"}, "rare": True},
    "elsewhere": {"environment": {"RIGHT": "0", "SHARE": "0.0"}, "needs": "an abacus"},
}
"""

pytestmark = pytest.mark.usefixtures("ran")


@pytest.fixture
def varied(book, capsys):
    """Run `vary` on a page with one block; return the status and what is said."""
    book.write("conf.py", CONF + CONDITIONS)

    def run(options="", code=PRINT, text="right: 480 of 500, 0.960", arguments=()):
        block = f"\n```{{testoutput}}\n{options}\n\n{text}\n```\n"
        book.write("page.md", page(cell(code) + block))
        status = main(["vary", "page.md", *arguments])
        return status, capsys.readouterr().out

    return run


def test_the_range_of_each_number_that_varies_is_told(varied):
    status, said = varied(":atol: 7\n:exact: of *")
    assert status == 0
    assert "page.md:14: number 1: 480, 483 (page: 480)\n" in said
    assert "page.md:14: number 3: 0.960, 0.966 (page: 0.960)\n" in said
    assert "number 2" not in said
    assert "elsewhere: not run, since this processor has no an abacus\n" in said
    assert "hold under all conditions: 1, wrong: 0, with too small a tolerance: 0" in said


def test_rare_conditions_are_run_if_told(varied):
    options = ":atol: 7\n:exact: of *"
    status, said = varied(options, arguments=["--all"])
    assert status == 1
    assert "under far:\npage.md:18: the cell does not print what the page says" in said
    assert "number 1: 480, 483, 490 (page: 480)\n" in said


def test_a_number_without_room_is_wrong_under_the_conditions_that_print_another(varied):
    status, said = varied()
    assert status == 1
    assert "under other:\n" in said
    assert "-right: 480 of 500, 0.960\n" in said
    assert "Or give it a tolerance: :rtol: 0.013\n" in said


def test_room_is_at_least_twice_the_range(varied):
    status, said = varied(":atol: 5\n:exact: of *")
    assert status == 1
    assert "number 1 (480) has a tolerance of 5, but needs 6; write :rtol: 0.013" in said
    assert varied(":atol: 6\n:exact: of *")[0] == 0


def test_room_of_what_varies_is_at_least_one_counted_unit(varied):
    code = "import os\nx = float(os.environ['SHARE'])\nprint(f'{0.5 + x / 1000:.6f}')"
    options = ":atol: {}/500\n"
    status, said = varied(options.format(0.5), code, "0.500960")
    assert status == 1
    assert "number 1 (0.500960) has a tolerance of 0.001, but needs 0.002" in said
    assert varied(options.format(1), code, "0.500960")[0] == 0


def test_room_ten_times_wider_than_needed_is_told_of(varied):
    status, said = varied(":atol: 61\n:exact: of *")
    assert status == 0
    assert (
        "page.md:14: the tolerance is more than 10 times what was needed; :rtol: 0.013 would do\n"
        in said
    )
    assert "with one ten times too large: 1" in said
    assert "10 times" not in varied(":atol: 60\n:exact: of *")[1]


@pytest.mark.parametrize("number", ["0e+00", "1."])
def test_a_number_without_a_last_digit_needs_no_unit(varied, number):
    status, said = varied(":atol: 1e-12", code=f"print('{number}')", text=number)
    assert status == 0
    assert "too large: 0" in said


@pytest.mark.parametrize("option", [":atol: 0.1", ":rtol: 0.1", ":rtol: 0.1\n:atol: 0.1"])
def test_what_is_no_finite_number_has_no_tolerance(varied, option):
    status, said = varied(option, code="print('inf nan 0.5')", text="inf nan 0.5")
    assert status == 0
    assert "with too small a tolerance: 0" in said


def test_only_pages_that_have_changed_run_again(varied, ran):
    varied(":atol: 7\n:exact: of *")
    assert ran.take() == ["page"] * 2
    varied(":atol: 6\n:exact: of *")
    assert main(["check", "page.md"]) == 0  # as it is
    assert ran.take() == []
    varied(":atol: 6\n:exact: of *", code=f"{PRINT} ")
    assert ran.take() == ["page"] * 2


def test_accept_writes_the_room_that_numbers_need(varied, book, capsys):
    varied(":atol: 1\n:exact: of *")
    assert main(["accept", "--tolerance", "page.md"]) == 0
    assert "-:atol: 1\n+:rtol: 0.013\n" in capsys.readouterr().out
    assert "\n:rtol: 0.013\n:exact: of *\n\nright: 480" in (book.folder / "page.md").read_text()
    assert main(["vary", "page.md"]) == 0


def test_large_and_small_numbers_are_given_relative_room(varied):
    code = "import os\nx = int(os.environ['RIGHT'])\nprint(x * 1000, x)"
    assert "write :rtol: 0.013" in varied(":atol: 1", code, "480000 480")[1]


def test_no_room_is_proposed_that_would_allow_any_number(varied):
    code = "import os\nprint(0.5 if os.environ['RIGHT'] == '480' else 1e300)"
    status, said = varied(code=code, text="0.5")
    assert status == 1
    assert "+1e+300\n" in said
    assert "give it a tolerance" not in said


def test_a_cell_that_fails_under_a_condition_is_told(varied):
    code = "import os\nassert os.environ['RIGHT'] == '480'\nprint(1)"
    status, said = varied(code=code, text="1")
    assert status == 1
    assert "under other:\npage.md:11: the cell failed" in said


def test_a_command_runs_in_the_environment_of_each_condition(varied, book):
    code = "import os; print(os.environ['RIGHT'], file=open('seen', 'a'))"
    options = ":atol: 7\n:exact: of *"
    status, _ = varied(options, arguments=["--", sys.executable, "-c", code])
    assert status == 0
    assert (book.folder / "seen").read_text().split() == ["480", "483"]
    status, said = varied(options, arguments=["--", sys.executable, "-c", "raise SystemExit(3)"])
    assert status == 1
    assert "the command failed under: as it is, other\n" in said


def test_a_command_starts_as_kernels_do(book, capsys):
    start = "import sys, warnings\nsys.ours = 7\nwarnings.warn('of no test', ImportWarning)"
    conditions = {"moved": {"start": start}, "other": {}}
    book.write("conf.py", f"{CONF}book_conditions = {conditions!r}\n")
    book.write("page.md", page(cell("print(1)", 1)))
    book.write("test_ours.py", "import sys\ndef test_ours():\n    assert sys.ours == 7\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "bookproof.pytest_plugin"]
    assert main(["vary", "page.md", "--", *command, "-W", "error", "test_ours.py"]) == 1
    assert "the command failed under: other\n" in capsys.readouterr().out


def test_a_book_without_conditions_has_nothing_to_vary(book, capsys):
    book.write("page.md", page(cell("print(1)", 1)))
    assert main(["vary", "page.md"]) == 2
    assert "conf.py has no book_conditions" in capsys.readouterr().err


def test_what_a_book_has_its_kernels_start_with_leaves_no_name(book, capsys):
    start = "import sys\nsys.ours = 7\nown = 1\ndef f(): return own\nsys.f = f\n"
    book.write("conf.py", f"{CONF}book_start = {start!r}\n")
    code = "import sys\nprint(sys.ours, sys.f(), 'own' in globals())"
    book.write("page.md", page(cell(code, "7 1 False")))
    assert main(["check", "page.md"]) == 0
    book.write("conf.py", f"{CONF}book_start = '1 / 0'\n")
    assert main(["check", "page.md"]) == 1
    assert "book_start failed: ZeroDivisionError: division by zero" in capsys.readouterr().out


def test_the_features_of_a_processor_are_those_that_the_system_lists(tmp_path):
    told = tmp_path / "cpuinfo"
    told.write_text("vendor_id\t: Maker\nmodel name\t: M 1\nflags\t\t: fpu avx2\n\nflags\t\t: no\n")
    assert {"Maker", "fpu", "avx2"} <= features(told)
    assert "no" not in features(told)
    other = tmp_path / "other"
    other.write_text("processor\t: 0\nFeatures\t: asimd sve\n")
    assert {"asimd", "sve"} <= features(other)
    assert features(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("amount", "written"),
    [("0.04", "0.04"), ("0.0401", "0.041"), ("6", "6"), ("123", "130"), ("1e-9", "1e-9")],
)
def test_proposed_room_is_short_and_never_less(amount, written):
    assert vary.rounded(vary.Decimal(amount)) == written
