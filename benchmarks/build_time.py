"""How long does building a book take with bookproof, and how long with MyST-NB at its best?

MyST-NB at its best: pages side by side (`-j auto`), one thread a kernel, and what has not changed
taken from jupyter-cache. Both build copies of the same pages, in turns, so all ratios come from one
machine and one run; of each book's pages one gets a line of prose, then a line in its first cell.

The books: `book`, this one; `lectures`, whose cells compute for long; `reference`, many small pages
without libraries. Others: `--book PATH`, a folder with a conf.py and MyST pages, as often as you
like; it is copied, never changed. With --record the figures are kept in docs/_data/build_time.json,
which the book shows.
"""

import ctypes
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import record
from jupyter_cache import get_cache  # type: ignore[import-untyped]
from record import Row as Measured

HEAD = """\
---
file_format: mystnb
kernelspec:
  name: python3
  display_name: Python 3
  language: python
---

"""
# What most public books are like: the time goes into what the cells compute.
LECTURE = """\
# Lecture {number}

```{{code-cell}}
import numpy as np

noise = np.random.default_rng({number}).normal(size=160_000)
```

```{{code-cell}}
for _ in range(100):
    values = np.sort(noise)
round(float(values[-1]), 3)
```

```{{code-cell}}
import matplotlib.pyplot as plt

plt.plot(values[::1000]);
```
"""
# What the documentation of a tool is like.
REFERENCE = """\
# Reference {number}

```{{code-cell}}
name = "page {number}"
name.upper()
```

```{{code-cell}}
print(*sorted(name))
```
"""
WRITTEN = {
    "lectures": (8, LECTURE, ["matplotlib.pyplot"]),
    "reference": (40, REFERENCE, []),
}
"""Books in the manner of others': pages, the text of each, and what a kernel imports first."""
ENGINE = """

extensions = [*(each for each in extensions if each != "bookproof"), "bookproof"]
"""
# Blocks with expected outputs are no part of a book that is not checked; a book's own pins count.
STOCK = """

import os

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
os.environ |= globals().get("book_environment", {})
extensions = [each for each in extensions if each != "bookproof"]
nb_execution_mode = "cache"
_book_setup = globals().get("setup")

def setup(app):
    from docutils.parsers.rst import Directive

    class Left(Directive):
        has_content = True
        option_spec = dict.fromkeys(["rtol", "atol", "exact", "options", "reason"], str)

        def run(self):
            return []

    app.add_directive("testoutput", Left)
    if _book_setup is not None:
        return _book_setup(app)
"""
HOW = {"engine": ENGINE, "stock": STOCK}
PARALLEL: dict[str, list[str]] = {"engine": [], "stock": ["-j", "auto"]}
STEPS = ("cold", "unchanged", "prose", "cell")
ROUNDS, BUILDS = 3, 5
"""First builds of each book, and builds after each edit."""
GOALS = {  # of stock's time over ours at the first build, of ours over stock's afterwards
    "cold": {"at_least": 1.5, "at_most": None},
    "cpu": {"at_least": 1.3, "at_most": None},
    "unchanged": {"at_least": None, "at_most": 1.15},
    "prose": {"at_least": None, "at_most": 1.15},
    "cell": {"at_least": None, "at_most": 1.15},
}
OMITTED = shutil.ignore_patterns(".*", "_build", "node_modules", "__pycache__")
FIRST_CELL = re.compile(
    r"^(```+|~~~+|:::+)\{code-cell\}.*\n(?:---\n(?:.*\n)*?---\n|:.*\n)*", re.MULTILINE
)
FINISHED = (0, 1)
"""A book with a wrong output or a warning is built all the same."""
FAILED = re.compile("the cell failed|Executing notebook failed")
"""What the two say of a cell that raised: such a page is not kept, so it is told of."""
LOG = "bench.log"
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Cost:
    """What a build cost, with all the processes that it started."""

    seconds: float
    cpu: float


class Copy:
    """A copy of a book, which one of the two builds."""

    def __init__(self, book: Path, folder: Path, kind: str) -> None:
        self.kind, self.folder = kind, folder
        shutil.copytree(book, folder, ignore=OMITTED)
        with (folder / "conf.py").open("a") as conf:
            conf.write(HOW[kind])
        self.pages = next(
            (place for place in (folder, *folder.glob("doc*")) if any(place.glob("index.*"))),
            folder,
        )
        with_cells = [page for page in sorted(self.pages.rglob("*")) if has_cells(page)]
        if not with_cells:
            sys.exit(f"{book}: no page with a code cell: there is nothing to compare")
        self.edited = with_cells[len(with_cells) // 2]
        self.edits = 0
        self.failed = 0

    def build(self, step: str) -> Cost:
        """Build it after this step, and return what that cost."""
        if step == "cold" and self.kind == "stock":
            # Two processes that both find no cache would both make its tables, and fail.
            get_cache(self.folder / "_build" / ".jupyter_cache").db.dispose()
        if step in {"prose", "cell"}:
            self._edit(step)
        out = self.folder / "_build"
        command: list[str | Path] = ["-m", "sphinx", "-q", *PARALLEL[self.kind], "-b", "html"]
        command += ["-c", self.folder, "-d", out / "doctrees", self.pages, out / "html"]
        cost = measure(command, self.folder)
        self.failed = len(FAILED.findall((self.folder / LOG).read_text()))
        return cost

    def _edit(self, step: str) -> None:
        """Change the page, but nothing that its cells print."""
        self.edits += 1
        text = self.edited.read_text()
        if self.edited.suffix == ".ipynb":
            text = edited_notebook(text, step, f"edited, {self.edits}")
        elif step == "prose":
            text += f"\nEdited, {self.edits}.\n"
        else:
            text = FIRST_CELL.sub(rf"\g<0># edited, {self.edits}\n", text, count=1)
        self.edited.write_text(text)


def has_cells(page: Path) -> bool:
    """Tell whether this file is a page with code cells."""
    if page.suffix == ".ipynb":
        return '"code"' in page.read_text()
    return page.suffix == ".md" and FIRST_CELL.search(page.read_text()) is not None


def edited_notebook(text: str, step: str, told: str) -> str:
    """Return a notebook's text with this line in its first cell of prose, or of code."""
    notebook = json.loads(text)
    kind = "markdown" if step == "prose" else "code"
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == kind)
    line = f"\n\n{told}\n" if step == "prose" else f"\n# {told}"
    cell["source"] = "".join(cell["source"]) + line
    return json.dumps(notebook)


def written(folder: Path, name: str) -> Path:
    """Write a book in the manner of others', and return its folder."""
    count, text, modules = WRITTEN[name]
    book = folder / name
    book.mkdir()
    settings = {"extensions": ["myst_nb"], "html_theme": "alabaster", "book_modules": modules}
    lines = (f"{key} = {value!r}\n" for key, value in settings.items())
    (book / "conf.py").write_text("".join(lines))
    names = [f"page{number}" for number in range(count)]
    (book / "index.md").write_text("\n".join(["# Book", "", "```{toctree}", *names, "```", ""]))
    for number, page in enumerate(names):
        (book / f"{page}.md").write_text(HEAD + text.format(number=number))
    return book


def compare(name: str, book: Path, folder: Path) -> dict[tuple[str, str], list[Cost]]:
    """Build both copies of a book after each step, in turns: what is cheap, several times."""
    copies = [Copy(book, Path(tempfile.mkdtemp(dir=folder)) / kind, kind) for kind in HOW]
    costs = defaultdict(list)
    for step in STEPS:
        for _ in range(1 if step == "cold" else BUILDS):
            for copy in copies:
                cost = copy.build(step)
                costs[copy.kind, step].append(cost)
                told = f"  {name:12}{copy.kind:8}{step:11}"
                failed = f"  cells that failed: {copy.failed}" if copy.failed else ""
                sys.stderr.write(f"{told}{cost.seconds:8.2f} s {cost.cpu:8.2f} s CPU{failed}\n")
    return costs


def ratios(name: str, costs: Mapping[tuple[str, str], list[Cost]]) -> Iterator[Measured]:
    """Yield the ratios of one book: above 1 where the engine is faster, then where slower."""
    for what, goals in GOALS.items():
        step, of = ("cold", "cpu") if what == "cpu" else (what, "seconds")
        ours, stock = (
            statistics.median(getattr(cost, of) for cost in costs[kind, step]) for kind in HOW
        )
        ratio = stock / ours if goals["at_most"] is None else ours / stock
        yield {"book": name, "row": what, "ratio": ratio, "ours": ours, "stock": stock, **goals}


def measure(arguments: Sequence[str | Path], folder: Path) -> Cost:
    """Run Python with these arguments, in a folder, and wait for it and all that it started."""
    with ProcessPoolExecutor(1) as process:  # whose children are those of this build alone
        return process.submit(watched, arguments, folder).result()


def watched(arguments: Sequence[str | Path], folder: Path) -> Cost:
    """Be the parent of what a build leaves behind, too (on Linux), to count that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    log, command = folder / LOG, [sys.executable, *arguments]
    start = time.perf_counter()
    with log.open("w") as output:
        done = subprocess.run(  # noqa: S603
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
    seconds = time.perf_counter() - start
    if done.returncode not in FINISHED:
        raise RuntimeError(f"{' '.join(map(str, arguments))} failed:\n{log.read_text()[-3000:]}")
    with suppress(ChildProcessError):
        while True:
            os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(seconds, used.ru_utime + used.ru_stime)


def rows(others: Sequence[Path]) -> Iterator[Measured]:
    """Yield the ratios of each book."""
    costs: defaultdict[tuple[str, str, str], list[Cost]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="build_time-") as temporary:
        folder = Path(temporary)
        books = {"book": record.ROOT, **{name: written(folder, name) for name in WRITTEN}}
        books |= {book.resolve().name: book.resolve() for book in others}
        for _ in range(ROUNDS):
            for name, book in books.items():
                for (kind, step), each in compare(name, book, folder).items():
                    costs[name, kind, step] += each
    for name in books:
        yield from ratios(name, {key: costs[name, *key] for key in product(HOW, STEPS)})


if __name__ == "__main__":
    parser = record.new_parser(__doc__)
    parser.add_argument("--book", type=Path, action="append", default=[], metavar="PATH")
    options = parser.parse_args()
    libraries = ("sphinx", "myst-nb", "jupyter-cache", "nbclient", "ipykernel")
    record.keep("build_time", rows(options.book), libraries, save_too=options.record)
