"""Turns verdicts into what a person reads: file and line, source, difference, next step."""

from __future__ import annotations

import difflib
import os
import shlex
import sys
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING

from snn_docs.book.compare import Status, normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snn_docs.book.compare import Verdict
    from snn_docs.book.run import Run

LONGEST = 60
"""Lines of a difference or of a traceback that are shown."""


def describe(verdict: Verdict) -> str:
    """Describe a verdict for a person, location first."""
    return f"{location(verdict)}: {describe_at(verdict)}"


def location(verdict: Verdict) -> str:
    """Return ``path:line`` of what is wrong, relative to the working directory if possible."""
    return f"{shown_path(verdict.page.path)}:{_line(verdict)}"


def describe_at(verdict: Verdict) -> str:
    """Describe a verdict without its location."""
    headline, body, advice = _parts(verdict)
    number = _line(verdict)
    # not splitlines: a form feed or U+2028 ends no line of the file
    lines = verdict.page.text.split("\n")
    source = f"  {number} | {lines[number - 1].rstrip()}"
    shown = [f"    {line}".rstrip() for line in body]
    if len(shown) > LONGEST:
        shown = [*shown[:LONGEST], f"    … and {len(shown) - LONGEST} lines more"]
    return "\n".join([headline, source, "", *shown, "", f"  {advice}"])


def summarize(runs: Sequence[Run]) -> str:
    """Say in one line how many outputs were right, and how many cells were not."""
    statuses = [verdict.status for run in runs for verdict in run.verdicts]
    counts = {
        "pages run": len(runs),
        "outputs that match": statuses.count(Status.MATCHES),
        "wrong cells": len(wrong(runs)),
        "cells not reached": statuses.count(Status.NOT_RUN),
    }
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def wrong(runs: Sequence[Run]) -> list[Verdict]:
    """Return what to report: the wrong cells, but not those that another one kept from running."""
    reported: list[Verdict] = []
    for run in runs:
        found = [verdict for verdict in run.verdicts if not verdict.ok]
        reported += [v for v in found if v.status is not Status.NOT_RUN] or found
    return reported


def shown_path(path: Path) -> str:
    """Return a path as a person would type it: relative where that is shorter."""
    whole, here = path.resolve(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _python() -> str:
    """Return how to call the Python that runs here."""
    here = f"{Path.cwd()}{os.sep}"
    return shlex.quote(sys.executable.removeprefix(here))


def difference(verdict: Verdict) -> list[str]:
    """Return the lines that differ, with their neighbours."""
    expected = verdict.cell.expected
    want = normalize(expected.text).splitlines() if expected else []
    lines = difflib.unified_diff(want, verdict.got.splitlines(), lineterm="", n=1)
    return [line for line in lines if not line.startswith(("--- ", "+++ ", "@@"))]


def _line(verdict: Verdict) -> int:
    """Return the page's line that is wrong: in a block, the first one that differs."""
    expected = verdict.cell.expected
    if expected is None or verdict.status in {Status.FAILED, Status.NOT_RUN}:
        return verdict.cell.line
    if verdict.status is Status.MISSING:
        return expected.line
    want, got = normalize(expected.text).splitlines(), verdict.got.splitlines()
    same = len(commonprefix([want, got]))  # noqa: RUF071 (of two lists: whole lines)
    return min(expected.text_line + same, expected.end)


def _parts(verdict: Verdict) -> tuple[str, list[str], str]:
    """Return the headline, the lines below it and the advice."""
    accept = f"{_python()} -m snn_docs.book accept {shlex.quote(shown_path(verdict.page.path))}"
    start = f"The cell starts at line {verdict.cell.line}"
    match verdict.status:
        case Status.DIFFERS:
            return (
                "the cell does not print what the page says (- page, + cell)",
                difference(verdict),
                f"{start}. Mend the code, or, if the new output is right: {accept}",
            )
        case Status.UNEXPECTED:
            return (
                "the cell prints, but no {testoutput} block follows it",
                difference(verdict),
                f"Write the block, or, if the output is right: {accept}",
            )
        case Status.MISSING:
            return (
                "the page says what the cell prints, but the cell prints nothing",
                difference(verdict),
                f"{start}. Mend the code, or delete the block: {accept}",
            )
        case Status.FAILED:
            return (
                "the cell failed",
                verdict.got.splitlines(),
                "Mend the code, or, if the error is meant, tag the cell: :tags: [raises-exception]",
            )
        case _:
            return ("the cell was not run", [], "Mend the cell before it that failed.")
