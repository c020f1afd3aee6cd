"""What does each part of the engine save, and how many lines does it take?

Builds two books of build_time.py, `reference` (forty small pages) and `lectures` (eight that
compute), with a part and without it, in turns. Templates of kernels
count at the first build, kept results where nothing has changed.
A run takes about two minutes.
"""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import build_time
import record
from build_time import Copy

ENGINE = record.ROOT / "engine" / "bookproof"
WITHOUT_TEMPLATES = "\nimport bookproof.kernels.warm as _warm\n\n_warm.FORKS = False\n"


class Part(NamedTuple):
    """Files of the engine, and how long a build takes with them and without."""

    files: tuple[str, ...]
    measure: Callable[[Copy, bool], float]


def first_build(copy: Copy, without: bool) -> float:  # noqa: FBT001
    """Return the seconds of a first build, with templates or without."""
    shutil.rmtree(copy.folder / "_build", ignore_errors=True)
    conf = copy.folder / "conf.py"
    plain = conf.read_text().removesuffix(WITHOUT_TEMPLATES)
    conf.write_text(plain + WITHOUT_TEMPLATES * without)
    return copy.build("cold").seconds


def unchanged(copy: Copy, without: bool) -> float:  # noqa: FBT001
    """Return the seconds of a build that has nothing to do, with what was kept or without."""
    if without:
        shutil.rmtree(copy.folder / "_build" / ".book")
    return copy.build("unchanged").seconds


KERNELS = ("template", "warm", "start", "private", "libraries", "provisioner")
PARTS = {
    "templates of kernels": Part(tuple(f"kernels/{name}.py" for name in KERNELS), first_build),
    "kept results": Part(
        ("store.py", "processor.py", "inputs.py", "used.py", "kernels/net.py"), unchanged
    ),
}


def lines(files: tuple[str, ...]) -> int:
    """Return how many lines these files have, blank ones aside."""
    texts = [(ENGINE / file).read_text(encoding="utf-8") for file in files]
    return sum(bool(line.strip()) for text in texts for line in text.splitlines())


def main() -> None:
    """Measure and print."""
    build_time.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="engine_parts-") as folder:
        books = {name: build_time.written(Path(folder), name) for name in build_time.WRITTEN}
        for name, book in books.items():
            copy = Copy(book, Path(folder, "copies", name), "engine")
            for told, part in PARTS.items():
                runs = [[part.measure(copy, off) for off in (False, True)] for _ in range(3)]
                on, off = (statistics.median(each) for each in zip(*runs, strict=True))
                line = f"{name:10}{told:22}{lines(part.files):5} lines"
                sys.stdout.write(f"{line}{on:8.1f} s with {off:8.1f} s without\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
