"""Builds a book again whenever one of its files is saved: ``python -m snn_docs.book.watch``.

It takes the arguments of ``sphinx-build``. What costs time stays warm from build to build: the
template of the kernels, and what Sphinx and its extensions import. Each build is a fork of this
process, so it knows nothing of the one before but what Sphinx keeps on disk.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.cmd.build import get_parser
from sphinx.cmd.build import main as sphinx_build
from watchfiles import DefaultFilter, watch

from snn_docs.book.kernel import FORKS, warm_up
from snn_docs.book.settings import find_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchfiles import Change

ENGINE = Path(__file__).parent
INSTALLED = tuple(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib"))


class Sources(DefaultFilter):
    """Lets every change pass but those that builds, tools and editors make for themselves."""

    def __init__(self, output: Path) -> None:
        super().__init__(ignore_paths=[output])

    def __call__(self, change: Change, path: str) -> bool:
        """Whether a change is of interest."""
        hidden = any(part.startswith(".") for part in Path(path).relative_to(Path.cwd()).parts)
        return not hidden and super().__call__(change, path)


def main(arguments: Sequence[str]) -> None:
    """Build, and build again after each change, until Ctrl-C."""
    options = get_parser().parse_args(arguments)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # what was saved is said below
    if FORKS:
        warm_up(find_settings(Path(options.sourcedir, "index")).modules)
    sources = Sources(Path(options.outputdir).resolve().parent)
    built = False
    # the first time-out says that changes are seen from now on, also those during a build
    for changes in watch(
        Path.cwd(), watch_filter=sources, step=20, rust_timeout=100, yield_on_timeout=True
    ):
        if changes:
            _tell(changes, arguments)
        elif built:
            continue
        built = True
        for name in build(arguments):
            with suppress(Exception):  # some names belong to a module that made them
                importlib.import_module(name)


def _tell(changes: set[tuple[Change, str]], arguments: Sequence[str]) -> None:
    """Say what was saved; begin anew where it is this program."""
    saved = sorted({os.path.relpath(path) for _, path in changes})
    sys.stdout.write(f"\nsaved: {', '.join(saved)}\n")
    sys.stdout.flush()
    if any(Path(path).resolve().is_relative_to(ENGINE) for path in saved):
        os.execv(sys.executable, [sys.executable, "-m", "snn_docs.book.watch", *arguments])  # noqa: S606


def build(arguments: Sequence[str]) -> list[str]:
    """Build once, and return the names of the installed modules that this took."""
    start = time.perf_counter()
    if FORKS:
        status, imported = _in_a_fork(arguments)
    else:
        command = [sys.executable, "-m", "sphinx", *arguments]
        status, imported = subprocess.run(command, check=False).returncode, []  # noqa: S603
    seconds = time.perf_counter() - start
    sys.stdout.write(f"{'failed' if status else 'built'} in {seconds:.1f} s\n")
    sys.stdout.flush()
    return imported


def _in_a_fork(arguments: Sequence[str]) -> tuple[int, list[str]]:
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            status = sphinx_build(arguments)
            files = {
                name: getattr(module, "__file__", None) for name, module in sys.modules.items()
            }
            names = [name for name, file in files.items() if file and file.startswith(INSTALLED)]
            os.write(writer, json.dumps(names).encode())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        names = json.loads(pipe.read() or "[]")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), names


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
