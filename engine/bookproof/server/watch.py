"""Builds a book again whenever one of its files is saved: ``python -m bookproof watch``.

It takes the arguments of ``sphinx-build``, and two of its own: ``--open`` shows the book in the
browser, ``--port`` asks for a port. What costs time stays warm from build to build: the template of
the kernels, and what Sphinx and its extensions import. Each build is a fork of this process, so it
knows nothing of the one before but what Sphinx keeps on disk. `bookproof.server.watched`
serves what was built.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
import webbrowser
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sphinx.cmd.build import get_parser
from sphinx.cmd.build import main as sphinx_build
from sphinx.errors import ConfigError
from watchfiles import DefaultFilter, watch

from bookproof.kernels.warm import FORKS, warm_up
from bookproof.server.pages import HOST
from bookproof.settings import find_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchfiles import Change

MESSAGE = re.compile(r"^(?:(?P<place>\S.*?): )?(?P<level>WARNING|ERROR|CRITICAL): ", re.MULTILINE)
INSTALLED = tuple(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib"))


class Sources(DefaultFilter):
    """Lets every change pass but those that builds, tools and editors make for themselves."""

    def __init__(self, output: Path) -> None:
        super().__init__(ignore_paths=[output])

    def __call__(self, change: Change, path: str) -> bool:
        """Whether a change is of interest."""
        hidden = any(part.startswith(".") for part in Path(path).relative_to(Path.cwd()).parts)
        return not hidden and super().__call__(change, path)


class Outcome(NamedTuple):
    """What came of a build."""

    status: int
    imported: list[str]
    """The names of the installed modules that it took, if the next is a fork of this process."""
    messages: list[dict[str, str]]
    """What it complained of: a place, a level, a text each."""


def main(arguments: Sequence[str]) -> int:
    """Build, and build again after each change, until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        _watch(arguments)
    return 0


def _watch(arguments: Sequence[str]) -> None:
    own, others = _parser().parse_known_args(arguments)
    options = get_parser().parse_args(others)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # what was saved is said below
    output = Path(options.outputdir).resolve()
    output.mkdir(parents=True, exist_ok=True)
    book = Path(options.sourcedir, "index")
    settings = find_settings(book)
    warm_up(settings.modules, settings.environment)
    with _server(output, own.port) as server:
        address = f"http://{HOST}:{server.stdout.readline().strip()}/"
        _say(f"the book is at {address}")
        built = False
        # the first time-out says that changes are seen from now on, also those during a build
        for changes in watch(
            Path.cwd(),
            watch_filter=Sources(output.parent),
            step=20,
            rust_timeout=100,
            yield_on_timeout=True,
        ):
            if changes:
                saved = sorted({os.path.relpath(path) for _, path in changes})
                _say(f"\nsaved: {', '.join(saved)}")
            if changes or not built:
                outcome = build(others)
                with suppress(ConfigError):  # which the build has told
                    settings = find_settings(book)
                told = {"messages": outcome.messages, "words": dict(settings.words)}
                server.stdin.write(json.dumps(told) + "\n")
                for name in outcome.imported:
                    with suppress(Exception):  # some names belong to a module that made them
                        importlib.import_module(name)
            if own.open and not built:
                webbrowser.open(address)
            built = True


def _server(folder: Path, port: int) -> Any:  # noqa: ANN401 (a process, sure to have both pipes)
    """Start the process that serves the book. It is told of each build in a line of JSON."""
    return subprocess.Popen(  # noqa: S603
        # -P: no file of the book, where it starts, is taken for one of Python's modules
        [sys.executable, "-P", "-m", "bookproof.server.watched", str(folder), str(port)],
        stdin=subprocess.PIPE,  # closes when this process ends, however it ends, and ends it
        stdout=subprocess.PIPE,
        bufsize=1,  # a line is sent at once
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which then ends the server
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--port", type=int, default=8000)
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def build(arguments: Sequence[str]) -> Outcome:
    """Build once, in a process of its own."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="book-") as folder:
        said, imported = Path(folder, "messages"), Path(folder, "imported")
        # Sphinx writes there what it also writes to the terminal, without colours
        arguments = [*arguments, "--warning-file", str(said)]
        processes: Any = multiprocessing.get_context("fork" if FORKS else "spawn")
        process = processes.Process(target=_build, args=(arguments, imported))
        process.start()
        process.join()
        status = process.exitcode
        text = said.read_text(encoding="utf-8") if said.exists() else ""
        names = imported.read_text(encoding="utf-8").split() if imported.exists() else []
    seconds = time.perf_counter() - start
    _say(f"{'failed' if status else 'built'} in {seconds:.1f} s")
    found = messages(text)
    if status and not found:
        failed = f"the build failed with exit status {status}; the terminal says more"
        found = [{"place": "", "level": "ERROR", "text": failed}]
    return Outcome(status, names if FORKS else [], found)


def _build(arguments: Sequence[str], imported: Path) -> None:
    """Build, and write down the names of the installed modules that this took."""
    status = sphinx_build(arguments)
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    names = [name for name, file in files.items() if file and file.startswith(INSTALLED)]
    imported.write_text("\n".join(names), encoding="utf-8")
    sys.exit(status)


def messages(text: str) -> list[dict[str, str]]:
    """Take apart what Sphinx has written: messages that begin a line each, and go on below it."""
    text = text.replace(f"{Path.cwd()}{os.sep}", "")
    starts = [match.start() for match in MESSAGE.finditer(text)]
    parts = [text[a:b].strip() for a, b in pairwise([0, *starts, len(text)])]
    return [_message(part) for part in parts if part]


def _message(text: str) -> dict[str, str]:
    """Tell a message from where it belongs. What keeps Sphinx from building at all has no place."""
    if match := MESSAGE.match(text):
        place, level = match["place"] or "", match["level"]
        return {"place": place, "level": level, "text": text[match.end() :]}
    return {"place": "", "level": "ERROR", "text": text}
