"""A wrong cell is reported like a compiler's error: place, source, difference, next step."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from mystnb import FRONT_MATTER
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from bookproof.compare import Status, Verdict, judge
from bookproof.page import parse_page
from bookproof.report import (
    MOST_LINES,
    describe,
)
from bookproof.settings import Settings

PYTHON = sys.executable.removeprefix(f"{Path.cwd()}/")
ACCEPT = f"{PYTHON} -m bookproof accept docs/page.md"


def verdict(block, text, code="print(x)"):
    body = f"{FRONT_MATTER}```{{code-cell}}\n{code}\n```\n\n{block}"
    page = parse_page(Path("docs/page.md"), body, Settings(strict=True))
    return judge(page, page.cells[0], [new_output("stream", text=text)] if text else [])


def test_a_difference_points_at_the_first_line_that_differs():
    told = describe(verdict("```{testoutput}\na\nb\nc\n```\n", "a\nB\nc\n"))
    assert told.splitlines() == [
        "docs/page.md:13: the cell does not print what the page says (- page, + cell)",
        "  13 | b",
        "",
        "     a",
        "    -b",
        "    +B",
        "     c",
        "",
        f"  The cell starts at line 8. Mend the code, or, if the new output is right: {ACCEPT}",
    ]


@pytest.mark.parametrize("end", ["", "\nmore"])
def test_a_difference_shows_no_line_that_an_ellipsis_allows(end):
    wanted = block("\n".join(f"{n} took ..." for n in range(9)), ":options: +ELLIPSIS")
    got = "\n".join(f"{n + n // 8} took {n} s" for n in range(9)) + end
    found = describe(verdict(wanted, got))
    assert [line for line in found.splitlines() if line.startswith("    ")] == [
        "     7 took ...", "    -8 took ...", "    +9 took 8 s", *(["    +more"] if end else [])
    ]  # fmt: skip
    assert "  22 | 8 took ..." in found


ONE = "```{testoutput}\na\n```\n"
DIFFERS = "the cell does not print what the page says (- page, + cell)"
NO_BLOCK = "the cell prints, but no {testoutput} block follows it\n  8 | x\n\n    +a\n"


@pytest.mark.parametrize(
    ("block", "text", "code", "told"),
    [
        (ONE, "a\nb\n", "x", "13: the cell does not print what the page says"),
        ("", "a\n", "x", f"8: {NO_BLOCK}"),
        (ONE, "", "x", "11: the page says what the cell prints, but the cell prints nothing"),
        (ONE, "b\n", "x = 'a\x0cb\u2028c'", f"12: {DIFFERS}\n  12 | a\n"),
    ],
    ids=["more output", "no block", "no output", "what ends no line of the file"],
)
def test_it_points_at_the_line_that_is_wrong(block, text, code, told):
    assert describe(verdict(block, text, code)).startswith(f"docs/page.md:{told}")


@pytest.mark.parametrize(
    ("status", "got", "told"),
    [
        (Status.FAILED, "Traceback\nValueError: bad", "the cell failed"),
        (Status.FAILED, "Traceback\nValueError: bad", "    ValueError: bad\n"),
        (Status.FAILED, "Traceback\nValueError: bad", "raises-exception"),
        (Status.NOT_RUN, "", "the cell was not run"),
        (Status.NOT_RUN, "", "Mend the cell before it that failed"),
    ],
)
def test_a_cell_that_did_not_end_is_told_with_what_to_do(status, got, told):
    base = verdict("", "a\n")
    assert told in describe(Verdict(base.page, base.cell, status, got))


def test_a_long_traceback_keeps_its_last_line():
    base = verdict("", "a\n")
    lines = ["Traceback", *(f"frame {n}" for n in range(200)), "ValueError: what matters"]
    told = describe(Verdict(base.page, base.cell, Status.FAILED, "\n".join(lines)))
    assert len(told.splitlines()) < MOST_LINES + 10
    for line in ("Traceback", "ValueError: what matters", "… 142 lines left out …"):
        assert f"    {line}\n" in told


def block(text, *options):
    return "```{testoutput}\n" + "".join(f"{line}\n" for line in [*options, "", text]) + "```\n"


def numbers(want, got, *options):
    """What is told of the numbers that differ."""
    told = describe(verdict(block(want, *options), got)).splitlines()
    return [line.strip() for line in told if line.strip().startswith(("number ", "… and "))]


def test_the_numbers_that_differ_are_told_below_the_lines():
    told = describe(
        verdict("```{testoutput}\na\nx = 2, y = 0.1250\n```\n", "a\nx = 2, y = 0.1260\n")
    )
    assert told.splitlines()[:9] == [
        "docs/page.md:13: the cell does not print what the page says (- page, + cell)",
        "  13 | x = 2, y = 0.1250",
        "",
        "     a",
        "    -x = 2, y = 0.1250",
        "    +x = 2, y = 0.1260",
        "",
        "    number 2: 0.1250 on the page, 0.1260 from the cell (differs by 0.001, 0.8 %)",
        "",
    ]


@pytest.mark.parametrize(
    ("want", "got", "apart"),
    [
        ("21", "22", " (differs by 1, 4.8 %)"),
        ("10000000000000000000001", "10000000000000000000003", " (differs by 2, 2e-20 %)"),
        ("1" + 5000 * "0", "2" + 5000 * "0", ""),
        ("0.0", "1e-09", " (differs by 1e-09)"),
        ("-0.5", "0.5", " (differs by 1, 200 %)"),
        ("0.50", "0.5", " (the same value, written differently)"),
        ("1", "1.0", " (the same value, written differently)"),
        ("nan", "0.5", ""),
        ("inf", "-inf", ""),
        ("2.0j", "2.5j", " (differs by 0.5, 25 %)"),
    ],
)
def test_numbers_are_told_with_how_far_they_are_apart(want, got, apart):
    assert numbers(f"x = {want}", f"x = {got}") == [
        f"number 1: {want} on the page, {got} from the cell{apart}"
    ]


def test_only_the_first_numbers_are_told_and_the_others_are_counted():
    want, got = (" ".join(f"{n / 8 + more:.3f}" for n in range(20)) for more in (0, 1))
    told = numbers(want, got)
    assert [line.split(":")[0] for line in told] == [f"number {n}" for n in range(1, 6)] + [
        "… and 15 more"
    ]


def test_no_numbers_are_told_where_more_than_numbers_differs():
    assert numbers("x = 1", "y = 2") == []
    assert numbers("[1, 2]", "[1, 2, 3]") == []


def test_under_a_tolerance_only_the_numbers_beyond_it_count():
    body = block("a = [0.5, 0.5]\nb = [0.5, 0.5]", ":atol: 0.01")
    told = describe(verdict(body, "a = [ 0.501, -0.5]\nb = [0.5, 0.501]"))
    assert "    -a = [0.5, 0.5]\n    +a = [0.5, -0.5]\n     b = [0.5, 0.5]\n" in told
    assert numbers("a = [0.5, 0.5]", "a = [ 0.501, -0.5]", ":atol: 0.01") == [
        "number 2: 0.5 on the page, -0.5 from the cell (differs by 1, 200 %)"
    ]


def test_the_line_told_is_that_of_a_number_beyond_the_tolerance():
    body = block("a = 0.5\nb = 0.5", ":atol: 0.01")
    told = describe(verdict(body, "a = 0.501\nb = 0.6"))
    assert told.startswith("docs/page.md:15: ")
    assert told.splitlines()[1] == "  15 | b = 0.5"


def test_the_numbers_are_told_even_below_a_long_difference():
    want, got = ("\n".join(f"{n + more}" for n in range(100)) for more in (0, 1000))
    told = describe(verdict(block(want), got))
    assert "lines left out" in told
    assert "number 1: 0 on the page, 1000 from the cell (differs by 1000)" in told
    assert len(told.splitlines()) < MOST_LINES + 10


def test_a_cell_of_a_notebook_is_named_by_its_number():
    source = json.dumps(
        new_notebook(cells=[new_markdown_cell("a"), new_code_cell("x = 1\nprint(x)")])
    )
    page = parse_page(Path("docs/page.ipynb"), source)
    told = describe(Verdict(page, page.cells[0], Status.FAILED, "ValueError: x"))
    assert told.startswith("docs/page.ipynb:cell 1: the cell failed\n  1 | x = 1\n")
