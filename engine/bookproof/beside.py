"""Blocks that stand beside a page in a file of their own, each with the first line of its cell::

~~~{testoutput} print(1 + 1)
2
~~~
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUFFIX = ".outputs"
"""How the name of the file ends: ``sums.outputs`` belongs to ``sums.md``."""
FENCE = "~~~"


@dataclass(frozen=True, slots=True)
class File:
    """A file and its text."""

    path: Path
    text: str


def place_beside(page: Path) -> Path:
    """Return where the blocks of a page are, if they stand beside it."""
    return page.with_suffix(SUFFIX)


def names(sources: Sequence[str]) -> list[str]:
    """Return what blocks call the cells of a page: by their first lines, which may come again."""
    seen: Counter[str] = Counter()
    found = []
    for source in sources:
        first = next(filter(None, map(str.strip, source.split("\n"))), "")
        seen[first] += 1
        found.append(first if seen[first] == 1 else f"{first} #{seen[first]}")
    return found
