"""After any change, each page shows what a run would now print; and little runs for nothing.

The changes are drawn, from a seed. `BOOK_CHANGES=1000 pytest -s tests/test_changes.py` draws more,
and tells how many runs were for nothing.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from book_project import cell, page

from bookproof.kernels import warm
from bookproof.page import read_page
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results

if TYPE_CHECKING:
    from book_project import Book

CHANGES = int(os.environ.get("BOOK_CHANGES", "60"))
PAGES, EACH = 8, 3
"""Pages, and the questions that each of them asks."""
CODE = {
    "data": "print(open('data{n}.txt').read())",
    "size": "import os; print(os.path.getsize('data{n}.txt'))",
    "module": "import module{n}; print(module{n}.value)",
    "later": "try: import later{n}; print(later{n}.value)\nexcept ImportError: print(None)",
    "package": "from importlib.util import find_spec; print(bool(find_spec('later{n}')))",
    "listing": "import os; print(sorted(os.listdir('list{n}')))",
    "variable": "import os; print(os.environ.get('BOOK_{n}'))",
    "link": "print(open('link{n}').read())",
    "exists": "from pathlib import Path; print(Path('maybe{n}').exists())",
}
"""The questions that pages ask of their surroundings; `n` is 0, 1 or 2."""


@dataclass
class World:
    """What pages are asked about, as it is on the disk and as it is known here."""

    book: Book
    draw: random.Random
    monkeypatch: pytest.MonkeyPatch
    data: dict[int, str] = field(default_factory=dict)
    modules: dict[int, int] = field(default_factory=dict)
    later: dict[int, int | None] = field(default_factory=dict)
    listed: dict[int, list[str]] = field(default_factory=dict)
    variables: dict[int, str | None] = field(default_factory=dict)
    leads: dict[int, int] = field(default_factory=dict)
    maybe: dict[int, bool] = field(default_factory=dict)

    def settle(self) -> None:
        """Make everything once."""
        for n in range(3):
            self.later[n], self.listed[n], self.maybe[n] = None, [], False
            for change in (self.data_, self.module_, self.listing_, self.variable_, self.link_):
                change(n)

    def answer(self, kind: str, n: int) -> str:
        """Say what a page has to print."""
        return str({
            "data": self.data[n],
            "size": len(self.data[n]),
            "module": self.modules[n],
            "later": self.later[n],
            "package": self.later[n] is not None,
            "listing": sorted(self.listed[n]),
            "variable": self.variables[n],
            "link": self.data[self.leads[n]],
            "exists": self.maybe[n],
        }[kind])  # fmt: skip

    def data_(self, n: int) -> None:
        self.data[n] = "x" * self.draw.randrange(1, 4) + str(self.draw.randrange(10))
        self.book.write(f"data{n}.txt", self.data[n])

    def module_(self, n: int) -> None:
        self.modules[n] = self.draw.randrange(1000)
        self.book.write(f"module{n}.py", f"value = {self.modules[n]}\n")

    def later_(self, n: int) -> None:
        self.later[n] = None if self.later[n] is not None else self.draw.randrange(1000)
        if self.later[n] is None:
            (self.book.folder / f"later{n}.py").unlink()
        else:
            self.book.write(f"later{n}.py", f"value = {self.later[n]}\n")

    def listing_(self, n: int) -> None:
        name = f"{self.draw.randrange(4)}.csv"
        file = self.book.folder / f"list{n}" / name
        if name in self.listed[n]:
            self.listed[n].remove(name)
            file.unlink()
        else:
            self.listed[n].append(name)
            self.book.write(f"list{n}/{name}", "")
        os.utime(file.parent, (1000, 1000))  # it was not changed while a page ran

    def variable_(self, n: int) -> None:
        self.variables[n] = self.draw.choice([None, "a", "b"])
        if self.variables[n] is None:
            self.monkeypatch.delenv(f"BOOK_{n}", raising=False)
        else:
            self.monkeypatch.setenv(f"BOOK_{n}", self.variables[n])

    def link_(self, n: int) -> None:
        self.leads[n] = self.draw.randrange(3)
        link = self.book.folder / f"link{n}"
        link.unlink(missing_ok=True)
        link.symlink_to(f"data{self.leads[n]}.txt")
        os.utime(link, (1000, 1000), follow_symlinks=False)

    def maybe_(self, n: int) -> None:
        self.maybe[n] = not self.maybe[n]
        if self.maybe[n]:
            self.book.write(f"maybe{n}", "")
        else:
            (self.book.folder / f"maybe{n}").unlink()

    def touch_(self, n: int) -> None:
        """Change what no page asks about."""
        os.utime(self.book.folder / f"data{n}.txt", (self.draw.randrange(1000, 9999),) * 2)
        self.book.write(f"nobody{n}.py", str(self.draw.random()))

    def change(self) -> None:
        kinds = "data", "module", "later", "listing", "variable", "link", "maybe", "touch"
        getattr(self, f"{self.draw.choice(kinds)}_")(self.draw.randrange(3))


def keep_one_template() -> None:
    """End the templates of environments that are gone."""
    templates = warm.TEMPLATES
    for key in list(templates)[:-1]:
        templates.pop(key).close()


@pytest.mark.slow
def test_no_page_is_stale_after_any_change_and_few_run_for_nothing(book, ran, monkeypatch):
    world = World(book, random.Random(4), monkeypatch)
    world.settle()
    asked = {}
    for number in range(PAGES):
        kinds = world.draw.sample(sorted(CODE), EACH)
        questions = asked[f"page{number}"] = [(k, world.draw.randrange(3)) for k in kinds]
        book.write(
            f"page{number}.md", page(*(cell(CODE[kind].format(n=n)) for kind, n in questions))
        )
    paths = [book.folder / f"{name}.md" for name in asked]
    before: dict[str, list[str]] = {}
    told = Counter[str]()
    for _ in range(CHANGES + 1):
        pages = [read_page(path, find_settings(path)) for path in paths]
        runs = run_outdated(pages, Results())
        keep_one_template()
        now = {name: [world.answer(*one) for one in asked[name]] for name in asked}
        for name, run in zip(asked, runs, strict=True):
            assert [v.got.rstrip("\n") for v in run.verdicts] == now[name], name
        again = ran.take()
        told["runs"] += len(again)
        told["for nothing"] += sum(now[name] == before.get(name) for name in again)
        told["needed"] += sum(now[name] != before.get(name) for name in asked)
        before = now
        world.change()
    sys.stdout.write(f"{dict(told)}\n")
    assert told["needed"] > CHANGES / 2
    assert told["for nothing"] <= 0.05 * told["runs"]
