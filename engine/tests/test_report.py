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
    shown_path,
    skipped,
    summarize,
    wrong,
)
from bookproof.result import Run
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


def test_a_long_line_is_cut():
    found = describe(verdict(block("y" * 100_000), "x" * 100_000))
    assert len(found) < 2000


def test_the_line_shown_is_the_line_of_the_file():
    told = describe(verdict("```{testoutput}\na\n```\n", "b\n", code="x = 'a\x0cb\u2028c'"))
    assert told.splitlines()[1] == "  12 | a"


def test_output_that_goes_on_points_at_the_end_of_the_block():
    told = describe(verdict("```{testoutput}\na\n```\n", "a\nb\n"))
    assert told.startswith("docs/page.md:13: ")
    assert "+b" in told


def test_a_missing_block_points_at_the_cell():
    told = describe(verdict("", "a\n"))
    assert told.startswith("docs/page.md:8: the cell prints, but no {testoutput} block follows it")
    assert "  8 | print(x)\n\n    +a\n" in told


def test_missing_output_points_at_the_block():
    told = describe(verdict("```{testoutput}\na\n```\n", ""))
    assert told.startswith("docs/page.md:11: the page says what the cell prints, but the cell")
    assert "    -a\n" in told


def test_an_error_shows_its_traceback_and_what_to_do():
    base = verdict("", "a\n")
    told = describe(Verdict(base.page, base.cell, Status.FAILED, "Traceback\nValueError: bad"))
    assert told.startswith("docs/page.md:8: the cell failed")
    assert "ValueError: bad" in told
    assert "raises-exception" in told


def test_a_long_traceback_keeps_its_last_line():
    base = verdict("", "a\n")
    lines = ["Traceback", *(f"frame {n}" for n in range(200)), "ValueError: what matters"]
    told = describe(Verdict(base.page, base.cell, Status.FAILED, "\n".join(lines)))
    assert len(told.splitlines()) < MOST_LINES + 10
    for line in ("Traceback", "ValueError: what matters", "… 142 lines left out …"):
        assert f"    {line}\n" in told


def test_a_cell_that_was_not_run_blames_the_one_that_failed():
    base = verdict("", "a\n")
    told = describe(Verdict(base.page, base.cell, Status.NOT_RUN, ""))
    assert "not run" in told
    assert "Mend the cell before it that failed" in told


def test_only_the_cells_that_were_run_are_reported():
    base = verdict("", "a\n")
    verdicts = [
        Verdict(base.page, base.cell, status, "")
        for status in (Status.MATCHES, Status.SILENT, Status.FAILED, Status.NOT_RUN)
    ]
    run = Run(base.page, base.page.notebook, tuple(verdicts))
    assert [v.status for v in wrong([run])] == [Status.FAILED]


def test_the_summary_counts():
    base = verdict("", "a\n")
    statuses = [Status.MATCHES] * 3 + [Status.SILENT, Status.DIFFERS, Status.FAILED]
    statuses += [Status.NOT_RUN] * 4
    verdicts = tuple(Verdict(base.page, base.cell, status, "") for status in statuses)
    run = Run(base.page, base.page.notebook, verdicts)
    assert summarize([run, run]) == (
        "pages: 2, run now: 2, outputs that match: 6, wrong cells: 4, cells not reached: 8"
    )


def test_paths_are_shown_as_a_person_types_them(tmp_path):
    assert shown_path(Path.cwd() / "docs" / "a.md") == "docs/a.md"
    assert shown_path(tmp_path / "a.md") == str((tmp_path / "a.md").resolve())


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


def test_a_skipped_output_is_listed_with_its_reason_and_counted():
    base = verdict(block("0.1 s", ":options: +SKIP", ":reason: takes as long as it takes"), "2 s\n")
    run = Run(base.page, base.page.notebook, (base,))
    assert wrong([run]) == []
    assert skipped([run]) == ["docs/page.md:11: not compared: takes as long as it takes"]
    assert summarize([run]) == (
        "pages: 1, run now: 1, outputs that match: 0, outputs skipped: 1, wrong cells: 0, "
        "cells not reached: 0"
    )


def test_a_cell_of_a_notebook_is_named_by_its_number():
    source = json.dumps(
        new_notebook(cells=[new_markdown_cell("a"), new_code_cell("x = 1\nprint(x)")])
    )
    page = parse_page(Path("docs/page.ipynb"), source)
    told = describe(Verdict(page, page.cells[0], Status.FAILED, "ValueError: x"))
    assert told.startswith("docs/page.ipynb:cell 1: the cell failed\n  1 | x = 1\n")
