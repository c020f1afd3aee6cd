"""A wrong cell is reported like a compiler's error: place, source, difference, next step."""

from __future__ import annotations

import sys
from pathlib import Path

from mystnb import FRONT_MATTER
from nbformat.v4 import new_output

from snn_docs.book.compare import Status, Verdict, judge
from snn_docs.book.page import parse_page
from snn_docs.book.report import LONGEST, describe, shown_path, summarize, wrong
from snn_docs.book.run import Run

PYTHON = sys.executable.removeprefix(f"{Path.cwd()}/")
ACCEPT = f"{PYTHON} -m snn_docs.book accept docs/page.md"


def verdict(block, text, code="print(x)"):
    body = f"{FRONT_MATTER}```{{code-cell}}\n{code}\n```\n\n{block}"
    page = parse_page(Path("docs/page.md"), body)
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


def test_a_cell_that_was_not_run_blames_the_one_that_failed():
    base = verdict("", "a\n")
    told = describe(Verdict(base.page, base.cell, Status.NOT_RUN, ""))
    assert "not run" in told
    assert "Mend the cell before it that failed" in told


def test_a_long_difference_is_cut():
    told = describe(verdict("```{testoutput}\nx\n```\n", "\n".join(map(str, range(1000)))))
    assert len(told.splitlines()) < LONGEST + 10
    assert "lines more" in told


def test_only_the_cells_that_were_run_are_reported():
    base = verdict("", "a\n")
    verdicts = [
        Verdict(base.page, base.cell, status, "")
        for status in (Status.MATCHES, Status.SILENT, Status.FAILED, Status.NOT_RUN)
    ]
    run = Run(base.page, base.page.notebook, tuple(verdicts))
    assert [v.status for v in wrong([run])] == [Status.FAILED]


def test_cells_that_did_not_run_for_no_known_reason_are_reported():
    base = verdict("", "a\n")
    lost = Verdict(base.page, base.cell, Status.NOT_RUN, "")
    assert wrong([Run(base.page, base.page.notebook, (lost,))]) == [lost]


def test_the_summary_counts():
    base = verdict("", "a\n")
    statuses = [Status.MATCHES] * 3 + [Status.SILENT, Status.DIFFERS, Status.FAILED]
    statuses += [Status.NOT_RUN] * 4
    verdicts = tuple(Verdict(base.page, base.cell, status, "") for status in statuses)
    run = Run(base.page, base.page.notebook, verdicts)
    assert summarize([run, run]) == (
        "pages run: 2, outputs that match: 6, wrong cells: 4, cells not reached: 8"
    )


def test_paths_are_shown_as_a_person_types_them(tmp_path):
    assert shown_path(Path.cwd() / "docs" / "a.md") == "docs/a.md"
    assert shown_path(tmp_path / "a.md") == str((tmp_path / "a.md").resolve())
