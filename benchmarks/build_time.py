"""How long does building a book take with bookproof, and how long with MyST-NB alone?

Makes books of 8, 24 and 240 pages in a temporary folder, and two like those of other authors: one
whose cells compute for long, one of many small pages. Builds them again and again with both, and
prints one line for each question: the measured ratio, the goal, and whether it is reached. All
ratios come from one run on one machine, so they can be compared between machines; seconds, of which
there is one row, cannot. With --record the figures are also kept in docs/_data/build_time.json,
which the book shows.
A run with all rows and 3 rounds takes some 10 minutes on 2 processors, most of it MyST-NB's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import record

if TYPE_CHECKING:
    import resource
    from collections.abc import Callable, Iterator, Sequence

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
PAGE = """\
# Page {number}

A layer of 40 neurons that integrate and fire, each with a constant input of its own.

```{{code-cell}}
import torch
from snn_docs import IF

page = {number}
neuron = IF(threshold=1)
vt = torch.arange(0, 2, 0.05, requires_grad=True)
```

A neuron fires where its input is above the threshold:

```{{code-cell}}
zeros = torch.zeros(40)
o = neuron(zeros, vt, zeros)
print("o =", o.detach())
```

```{{testoutput}}
o = tensor([0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.,
        0., 0., 0., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.,
        1., 1., 1., 1.])
```

The gradient reaches the neurons that fired:

```{{code-cell}}
o.backward(torch.ones_like(o))
int(vt.grad.sum())
```

```{{testoutput}}
19
```

Through time, $v_t = v_{{t-1}} (1 - s_{{t-1}}) + x_t$:

```{{code-cell}}
v, s = torch.zeros(40), torch.zeros(40)
spikes = []
with torch.no_grad():
    for _ in range(20):
        v, s = v * (1 - s) + vt, neuron(v, vt, s)
        spikes.append(s)
print(torch.stack(spikes).sum(0))
```

```{{testoutput}}
tensor([ 0.,  1.,  2.,  2.,  3.,  4.,  5.,  6.,  6.,  6.,  6., 10., 10., 10.,
        10., 10., 10., 10., 10., 10., 10., 20., 20., 20., 20., 20., 20., 20.,
        20., 20., 20., 20., 20., 20., 20., 20., 20., 20., 20., 20.])
```

## What it looks like

```{{code-cell}}
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(4, 2))
ax.imshow(torch.stack(spikes), aspect="auto", cmap="gray_r")
ax.set(xlabel="neuron", ylabel="step", title=f"page {{page}}");
```
"""
# What most public books are like: the time goes into what the cells compute.
LONG_PAGE = """\
# Tutorial {number}

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
SMALL_PAGE = """\
# Reference {number}

```{{code-cell}}
name = "page {number}"
name.upper()
```

```{{code-cell}}
print(*sorted(name))
```
"""
CONF = """\
import atexit, pathlib, resource

extensions = {extensions}
html_theme = "alabaster"
myst_enable_extensions = ["dollarmath"]

@atexit.register
def tell_peak():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pathlib.Path(__file__).with_name("peak").write_text(str(peak))
"""
NO_CHECK = """

def setup(app):
    from docutils.parsers.rst import Directive

    class TestOutput(Directive):
        has_content = True

        def run(self):
            return []

    app.add_directive("testoutput", TestOutput)
"""
LIBRARIES = "import torch, matplotlib.pyplot, IPython, ipykernel.kernelapp"
FORCE, OFF = "nb_execution_mode=force", "nb_execution_mode=off"
FEW, SOME, MANY = 8, 24, 240
OTHERS = {"long": (8, LONG_PAGE, ["matplotlib.pyplot"]), "small": (40, SMALL_PAGE, [])}
"""Books like those of other authors: pages, the text of each, and what a kernel imports first."""
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Cost:
    """What a command cost, with all the processes that it started."""

    seconds: float
    cpu: float
    peak: float = 0.0
    """The most memory that the process itself had, in whatever the system counts it."""


class Book:
    """A book of some pages, and the builds of it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.pages, text, modules = OTHERS[name] if name in OTHERS else (int(name), PAGE, None)
        self.folder = folder / name
        self.edits = 0
        self.source, self.stock = self.folder / "book", self.folder / "stock"
        for place in (self.source, self.stock):
            place.mkdir(parents=True)
        engine = CONF.format(extensions=["myst_nb", "bookproof"])
        first = "" if modules is None else f"book_modules = {modules}\n"
        (self.source / "conf.py").write_text(engine + first)
        (self.stock / "conf.py").write_text(CONF.format(extensions=["myst_nb"]) + NO_CHECK)
        names = [f"page{number}" for number in range(self.pages)]
        toctree = "\n".join(["# Book", "", "```{toctree}", *names, "```", ""])
        (self.source / "index.md").write_text(toctree)
        for number, page in enumerate(names):
            (self.source / f"{page}.md").write_text(HEAD + text.format(number=number))

    def build(self, kind: str, out: str) -> Cost:
        """Build the book with the engine, or with MyST-NB in one of its modes."""
        conf = self.source if kind == "engine" else self.stock
        options = [] if kind == "engine" else ["-D", kind]
        folders: list[str | Path] = ["-c", conf, "-d", self.folder / out / "doctrees"]
        command = ["-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", *folders, *options]
        cost = measure([*command, self.source, self.folder / out / "html"], self.folder)
        return Cost(cost.seconds, cost.cpu, float((conf / "peak").read_text()))

    def watch(self) -> Iterator[Cost]:
        """Watch the book, save a page three times, and tell how long each takes to be built."""
        out = self.folder / "watched" / "html"
        # a handler, even the default one, so that the watcher does not inherit an ignored signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bookproof", "watch", "-q", "-b", "html", ".", str(out)],
            cwd=self.source, stdout=subprocess.PIPE, text=True,
        ) as watcher:  # fmt: skip
            built(watcher)
            for _ in range(3):
                self.edit()
                start = time.perf_counter()
                built(watcher)
                yield Cost(time.perf_counter() - start, 0)
            watcher.send_signal(signal.SIGINT)

    def edit(self) -> None:
        """Change a cell of a page, but not what it prints."""
        self.edits += 1
        text = HEAD + PAGE.format(number=self.pages // 2)
        changed = text.replace("page = ", f"edits = {self.edits}\npage = ")
        (self.source / f"page{self.pages // 2}.md").write_text(changed)


class Lab:
    """Measures, and keeps what was measured by its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.books: dict[str, Book] = {}
        self.costs: defaultdict[str, list[Cost]] = defaultdict(list)
        self.builds = 0

    def note(self, name: str, cost: Cost) -> None:
        """Keep what was measured, and tell it."""
        self.costs[name].append(cost)
        sys.stderr.write(f"  {name:34}{cost.seconds:8.2f} s {cost.cpu:8.2f} s CPU\n")

    def measure(self, series: str) -> None:
        """Measure a series, named like "engine 24": a clean build and what follows on it."""
        kind, _, name = series.partition(" ")
        if kind == "libraries":
            self.note(series, measure(["-c", LIBRARIES], self.folder))
            return
        if name not in self.books:
            self.books[name] = Book(self.folder, name)
        book = self.books[name]
        if kind == "watch":
            for cost in book.watch():
                self.note(series, cost)
            return
        if kind == "check":
            command: list[str | Path] = ["-m", "bookproof", "check", "--anew", book.source]
            self.note(series, measure(command, book.folder))
            return
        self.builds += 1
        out = f"{kind}-{self.builds}"
        how = {"engine": "engine", "stock": FORCE, "plain": OFF}[kind]
        self.note(series, book.build(how, out))
        if name == str(SOME) and kind != "stock":
            for _ in range(3):
                self.note(f"{series}, unchanged", book.build(how, out))
            book.edit()
            self.note(f"{series}, edited", book.build(how, out))

    def seconds(self, name: str) -> float:
        """Return the median of what was measured."""
        return statistics.median(cost.seconds for cost in self.costs[name])

    def cpu(self, name: str) -> float:
        """Return the median of the processors' time."""
        return statistics.median(cost.cpu for cost in self.costs[name])

    def peak(self, name: str) -> float:
        """Return the median of the build process's memory."""
        return statistics.median(cost.peak for cost in self.costs[name])


@dataclass(frozen=True)
class Row:
    """A question: what is measured for it, and how its answer follows."""

    what: str
    series: str
    ratio: Callable[[Lab], float]
    at_least: float | None = None
    at_most: float | None = None

    def measured(self, name: str, lab: Lab) -> Measured:
        """Return the answer, and what it is to be."""
        goals = {"at_least": self.at_least, "at_most": self.at_most}
        return {"row": name, "ratio": self.ratio(lab), **goals}


def line(what: str, row: Measured) -> str:
    """Return the line of the table."""
    ratio, least, most = row["ratio"], row["at_least"], row["at_most"]
    asked = f"at most {most:g}" if least is None else f"at least {least:g}"
    reached = ratio <= most if least is None else ratio >= least
    return f"{what:74}{ratio:6.2f}  {asked:13} {'reached' if reached else 'NOT REACHED'}"


def floor(lab: Lab) -> float:
    """Return the least that a clean build of 24 pages can cost."""
    return lab.seconds("plain 24") + lab.seconds("libraries") + 0.1 * SOME


def page_cost(lab: Lab, pages: int) -> float:
    """Return what running adds to a page of a book with so many."""
    return (lab.seconds(f"engine {pages}") - lab.seconds(f"plain {pages}")) / pages


def growth(lab: Lab, kind: str) -> float:
    """Return by how much a build's memory grows with ten times the pages."""
    return lab.peak(f"{kind} {MANY}") / lab.peak(f"{kind} {SOME}")


ROWS = {
    "cold": Row(
        "24 pages, clean: MyST-NB's time / ours",
        "stock 24, engine 24",
        lambda lab: lab.seconds("stock 24") / lab.seconds("engine 24"),
        at_least=10,
    ),
    "long": Row(
        "8 pages that compute for long, clean: MyST-NB's time / ours",
        "stock long, engine long",
        lambda lab: lab.seconds("stock long") / lab.seconds("engine long"),
        at_least=1.5,
    ),
    "small": Row(
        "40 small pages without libraries, clean: MyST-NB's time / ours",
        "stock small, engine small",
        lambda lab: lab.seconds("stock small") / lab.seconds("engine small"),
        at_least=4,
    ),
    "floor": Row(
        "24 pages, clean: time / (build without running + import + 0.1 s a page)",
        "engine 24, plain 24, libraries",
        lambda lab: lab.seconds("engine 24") / floor(lab),
        at_most=1.1,
    ),
    "few": Row(
        "8 pages, clean: MyST-NB's time / ours",
        "stock 8, engine 8",
        lambda lab: lab.seconds("stock 8") / lab.seconds("engine 8"),
        at_least=6,
    ),
    "cpu": Row(
        "24 pages, clean: MyST-NB's CPU time / ours",
        "stock 24, engine 24",
        lambda lab: lab.cpu("stock 24") / lab.cpu("engine 24"),
        at_least=8,
    ),
    "unchanged": Row(
        "nothing changed: time / rebuild without running",
        "engine 24, plain 24",
        lambda lab: lab.seconds("engine 24, unchanged") / lab.seconds("plain 24, unchanged"),
        at_most=1.15,
    ),
    "edited": Row(
        "a cell of one page of 24 edited: (time - import) / rebuild without running",
        "engine 24, plain 24, libraries",
        lambda lab: (
            (lab.seconds("engine 24, edited") - lab.seconds("libraries"))
            / lab.seconds("plain 24, edited")
        ),
        at_most=2,
    ),
    "many": Row(
        "what running adds to a page: at 240 pages / at 24",
        "engine 240, engine 24, plain 240, plain 24",
        lambda lab: page_cost(lab, MANY) / page_cost(lab, SOME),
        at_most=1,
    ),
    "memory": Row(
        "memory's peak at 240 pages / at 24, over the same without running",
        "engine 240, engine 24, plain 240, plain 24",
        lambda lab: growth(lab, "engine") / growth(lab, "plain"),
        at_most=1.1,
    ),
    "check": Row(
        "check of 24 pages: time / (import + 0.12 s a page)",
        "check 24, libraries",
        lambda lab: lab.seconds("check 24") / (lab.seconds("libraries") + 0.12 * SOME),
        at_most=1,
    ),
    "watch": Row(
        "a cell of one page of 24 saved under make watch: seconds until it is built",
        "watch 24",
        lambda lab: lab.seconds("watch 24"),
        at_most=1.5,
    ),
}


def built(watcher: subprocess.Popen[str]) -> None:
    """Wait until a watcher says that it has built the book."""
    if not any(line.startswith("built in") for line in watcher.stdout or ()):
        sys.exit("the watcher ended without having built the book")


def measure(arguments: Sequence[str | Path], folder: Path) -> Cost:
    """Run Python with these arguments, in a folder, and wait for it and all that it started."""
    log = folder / "log"
    with log.open("w") as output:
        start = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *arguments], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, arguments))} failed:\n{log.read_text()[-3000:]}")
    used = [usage, *orphans()]
    return Cost(seconds, sum(each.ru_utime + each.ru_stime for each in used))


def adopt_orphans() -> None:
    """Become the parent of what a build leaves behind, to count that too (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def orphans() -> Iterator[resource.struct_rusage]:
    """Wait for the processes that a build left behind, and return what each has used."""
    while True:
        try:
            yield os.wait4(-1, 0)[2]
        except ChildProcessError:
            return


def main() -> None:
    """Measure and print."""
    rows = "\n".join(f"  {name:11}{row.what}" for name, row in ROWS.items())
    parser = record.new_parser(__doc__, f"rows:\n{rows}")
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        metavar="N",
        help="measure everything so many times and take medians (default: 3)",
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="what to measure (default: all)")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    chosen = options.rows or list(ROWS)
    series = dict.fromkeys(part for name in chosen for part in ROWS[name].series.split(", "))
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="build_time-") as folder:
        lab = Lab(Path(folder))
        measure(["-c", LIBRARIES], lab.folder)  # from the disk, once
        for number in range(options.rounds):
            sys.stderr.write(f"round {number + 1} of {options.rounds}\n")
            for name in series:
                lab.measure(name)
        found = [ROWS[name].measured(name, lab) for name in chosen]
    for row in found:
        sys.stdout.write(f"{line(ROWS[row['row']].what, row)}\n")
    if options.record:
        libraries = ("sphinx", "myst-nb", "nbclient", "ipykernel")
        sys.stdout.write(f"kept in {record.save('build_time', found, libraries)}\n")


if __name__ == "__main__":
    main()
