"""Builds whole books with Sphinx, side by side.

Each build has a process of its own, since Sphinx and docutils keep much that is global. They are
forked from one that has imported Sphinx and MyST-NB, and nothing of the engine.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sphinx.cmd.build import main

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = ("-D", "extensions=myst_nb,bookproof")
STOCK = ("-D", "extensions=myst_nb")

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["sphinx.cmd.build", "sphinx.builders.html", "myst_nb.sphinx_ext"])


@dataclass(frozen=True)
class Build:
    """A build of a book: what goes into it, and, once it has run, what came out."""

    book: Path
    out: Path
    options: tuple[str, ...] = ENGINE
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def html(self) -> Path:
        return self.out / "html"

    @property
    def notebooks(self) -> Path:
        return self.out / "jupyter_execute"

    @property
    def status(self) -> int:
        return int((self.out / "status").read_text())

    @property
    def said(self) -> str:
        return (self.out / "stdout").read_text(encoding="utf-8")

    @property
    def messages(self) -> str:
        return (self.out / "stderr").read_text(encoding="utf-8")


def build_all(builds: list[Build]) -> list[Build]:
    """Run builds, one more at a time than there are processors: kernels wait now and then."""
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as threads:
        list(threads.map(_run, builds))
    return builds


def _run(build: Build) -> None:
    # MyST-NB's kernels may take each other's TCP ports, so it gets a second chance if it crashes
    for _ in range(2 if build.options[:2] == STOCK else 1):
        shutil.rmtree(build.out, ignore_errors=True)
        process = _forks.Process(target=_build, args=(build,))
        process.start()
        process.join()
        build.out.mkdir(exist_ok=True)
        (build.out / "status").write_text(str(process.exitcode))
        if process.exitcode in {0, 1}:
            break


def _build(build: Build) -> None:
    build.out.mkdir(parents=True)
    # children of Sphinx write where it does
    for number, name in enumerate(("stdout", "stderr"), 1):
        os.dup2(os.open(build.out / name, os.O_CREAT | os.O_WRONLY), number)
    own = {"TMPDIR": str(build.out), "NO_COLOR": "1"}  # where Sphinx leaves tracebacks
    os.environ.update(own | dict(build.environment))
    os.environ.pop("PYTEST_CURRENT_TEST", None)  # ipykernel would do without what C code prints
    folders = ["-d", str(build.out / "doctrees"), str(build.book), str(build.html)]
    sys.exit(main(["-b", "html", "-W", "--keep-going", *build.options, *folders]))
