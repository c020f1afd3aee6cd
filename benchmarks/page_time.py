"""How much of the processors' time do the cells of each page of the book take?

Runs the pages one at a time, each in a warm kernel of its own, and prints a line for each. What a
kernel takes without any cell is left out, and so is, where there are warm kernels, the import of
torch and matplotlib. Seconds can't be compared between machines; their proportions can, roughly.
With --record the figures are also kept in docs/_data/page_time.json, which the book shows.
A run takes as long as the pages do: about a minute on 2 processors.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import record
from record import Row

from bookproof import report
from bookproof.finder import find_pages
from bookproof.page import parse_page
from bookproof.run import run_pages
from bookproof.settings import find_settings

DOCS = Path(__file__).parents[1] / "docs"
CLOCK = "\n\n```{code-cell}\nimport os\n\nprint(sum(os.times()[:4]))\n```\n"
"""A last cell, which tells what the kernel and the processes that it started have taken."""
EMPTY = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n"


def cpu_seconds(path: Path, text: str) -> float:
    """Run a page and return the time of a kernel that runs its cells."""
    [run] = run_pages([parse_page(path, text + CLOCK, find_settings(path))])
    if run.failure:
        sys.exit(report.describe(report.wrong([run])[0]))
    return float(run.verdicts[-1].got)


def page_rows(pages: list[Path]) -> Iterator[Row]:
    """Yield the time of each page."""
    start = cpu_seconds(pages[0], EMPTY)
    for path in pages:
        seconds = cpu_seconds(path, path.read_text(encoding="utf-8"))
        yield {"page": path.stem, "seconds": max(seconds - start, 0.0)}


if __name__ == "__main__":
    record.run(
        __doc__, "page_time", lambda: page_rows(find_pages([DOCS])),
        libraries=["numpy", "matplotlib", "scikit-learn"],
    )  # fmt: skip
