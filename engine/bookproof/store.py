"""Keeps the outputs of pages, and knows as long as they hold.

They hold while nothing changes that they depend on: the page's cells, the sources of the project's
modules that it loaded, the files that it read, looked at or declared, the modules that it looked
for, the variables of the environment that it read, the installed packages, Python, the processor
and the variables by which libraries choose its instructions, the engine itself and how kernels
start. A result is one file, replaced at once; one that can't be read, or was damaged, is as good as
none. Its first line says what it depends on, the rest is the outputs.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import platform
import sys
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbformat import ValidationError, validate
from nbformat.v4 import new_code_cell, new_notebook

from bookproof.files import write_atomically
from bookproof.kernels.probe import ALL, MADE_BY_TOOLS, look, modules_in, stamp
from bookproof.kernels.warm import ENVIRONMENT, environment
from bookproof.optional import missing
from bookproof.page import find_declared
from bookproof.processor import ARITHMETIC, features, threads
from bookproof.report import shown_path
from bookproof.result import Run, fill, judged, outputs_of, show_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nbformat import NotebookNode

    from bookproof.page import Page
    from bookproof.settings import Settings

logger = logging.getLogger(__name__)

# as it was at first: setuptools, wherever something imports it, adds a folder of its own packages
PATH = tuple(dict.fromkeys(filter(None, sys.path)))
BY_ALL = "LANG", "LANGUAGE", "LC_*", "LD_*", "PYTHON*", "TZ", "TZDIR", *ARITHMETIC
"""The variables that Python, libc and numerical libraries read themselves; a star is one letter or
more, since PYTHON alone is a Makefile's."""
PROCESS, NETWORK = "starts a process", "asks the network"
UNSEEN = {
    "another Python": "runs in another Python",
    "sqlite3 ATTACH": "attaches a database whose name it works out",
    "socket.connect": NETWORK,
    "socket.getaddrinfo": NETWORK,
}
"""What a page does where it can't be followed, by the event; all others start processes."""
SHOWN = ("hide-", "remove-", "remove_", "scroll-", "output_scroll")
"""How the tags begin by which MyST-NB shows a cell in another way."""
DAMAGE = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError,
          ValidationError, ValueError)  # fmt: skip
"""What reading a result ends in that no engine has written so, whether or not its seal is right."""


class Results:
    """Results of pages, in the folders of their books. An object looks at each file once."""

    def __init__(self) -> None:
        self._file = cache(_file_digest)
        self.reasons: dict[Path, str] = {}
        """Why the result of a page does not hold, or is not kept, if anything is known of it."""

    def digest(self, path: Path, settings: Settings) -> str:
        """Return what identifies the result of a page, if it holds and the page is as it was.

        This does without parsing the page, and without reading its outputs.
        """
        try:
            head = _read_head(_place(path, settings))
            if not head or head["text"] != self._file(str(path)) or self._change(head, settings):
                return ""
            return str(head["outputs"])
        except DAMAGE:
            return ""

    def any_outdated(self, settings: Settings, source: Path) -> bool:
        """Whether some page below a folder is sure to run, as far as its results tell."""
        try:
            heads = [_read_head(place) for place in settings.results.glob("*.json")]
            # not the results of pages that are gone, or were elsewhere when they ran
            own = [head for head in heads if not head or _is_there(head, source.resolve())]
            return not own or any(not head or self._change(head, settings) for head in own)
        except DAMAGE:
            return True

    def load(self, page: Page) -> Run | None:
        """Return the result of a page as if it had run now, if it holds."""
        place = _place(page.path, page.settings)
        try:
            line, _, body = place.read_bytes().partition(b"\n")
        except OSError:
            return None
        try:
            return self._loaded(page, line, body)
        except DAMAGE:
            self.reasons[page.path] = "its result is damaged"
            logger.warning("%s runs again: its result, kept from before, is damaged", page.path)
            return None

    def _loaded(self, page: Page, line: bytes, body: bytes) -> Run | None:
        """Return what a result says of a page, if it holds; raise for one that is damaged."""
        head = _opened(line)
        if head and (change := self._change(head, page.settings) or _page_change(head, page)):
            self.reasons[page.path] = change
            return None
        if not head or head["outputs"] != hashlib.sha256(body).hexdigest():
            raise ValueError(line)
        notebook = fill(copy.deepcopy(page.notebook), json.loads(body))
        _require_whole(notebook)
        absent = frozenset(head["missing"])
        show_records(page, notebook, absent)
        verdicts = judged(page, notebook, missing=absent)
        started, seconds = float(head["started"]), float(head["seconds"])
        text = _text_digest(page)
        if head["text"] != text:  # what is no cell was edited: from now on, this is the page
            self._write(page, head | {"text": text}, body)
        return Run(page, notebook, verdicts, started, seconds, missing=absent, kept=True)

    def save(self, run: Run) -> str:
        """Keep a result, if all that it depends on is known; return why not, if not."""
        trace = run.trace
        if run.failed:
            return "it failed"
        if trace is None:
            return "nothing is known of what it read"
        if run.unfollowed:
            return _unseen(run)
        files = {name: _file_digest(name) for name in _files(run)}  # before it is asked:
        if changed := _changed_since(run.started, files, trace.files):
            return f"while it ran, {shown_path(Path(changed))} was changed"
        body = json.dumps(outputs_of(run.notebook)).encode()
        head = {
            "page": str(run.page.path.resolve()),
            "text": _text_digest(run.page),
            "cells": cells_digest(run.page),
            "settings": _settings(run.page.settings, unseen=bool(trace.unseen)),
            "environment": self.environment,
            "files": files,
            "declared": {
                pattern: list(map(str, found)) for pattern, found in run.page.depends.items()
            },
            "looked": trace.looked,
            "sought": trace.sought,
            "unseen": bool(trace.unseen),
            "variables": _variables([*trace.variables, *BY_ALL], run.page.settings),
            "missing": sorted(run.missing),
            "outputs": hashlib.sha256(body).hexdigest(),
            "started": run.started,
            "seconds": run.seconds,
        }
        self._write(run.page, head, body)
        return ""

    @cached_property
    def environment(self) -> str:
        """What identifies Python, the installed packages, this engine and how kernels start."""
        engine = sorted(Path(__file__).parent.rglob("*.py"))
        # a package's RECORD has the hashes of all its files; where there is none, its version tells
        records = [
            record
            for folder in PATH
            for info in sorted(Path(folder).glob("*-info"))
            for record in (info, info / "RECORD", info / "METADATA", info / "PKG-INFO")
            if record.exists()
        ]
        files = [
            (file.parent.name, file.name, self._file(str(file))) for file in [*engine, *records]
        ]
        return _digest([sys.version, platform.platform(), sorted(features()), ENVIRONMENT, files])

    def _change(self, head: dict[str, Any], settings: Settings) -> str:
        """Say what has changed that a result depends on, if so; the page is not looked at."""
        if head.get("environment") != self.environment:  # first: another engine has other heads
            return "Python, a package, bookproof or the processor is another one"
        now = _settings(settings, unseen=head["unseen"])
        if changed := [name for name in now if now[name] != head["settings"].get(name)]:
            return f"{', '.join(changed)} changed"
        if missing(head["missing"]) != head["missing"]:  # one can come without an install
            return f"a package is there now: {', '.join(head['missing'])}"
        for name, digest in head["files"].items():
            if self._file(name) != digest:
                return f"{shown_path(Path(name))} has changed"
        for pattern, found in head["declared"].items():
            if list(map(str, find_declared(Path(head["page"]), pattern))) != found:
                return f"there are other files {pattern}"
        return _other_answer(head, settings)

    def _write(self, page: Page, head: dict[str, Any], body: bytes) -> None:
        place = _place(page.path, page.settings)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, _sealed(head) + b"\n" + body)
        except OSError as error:
            logger.warning(
                "%s will run again next time: its result can't be kept: %s", page.path, error
            )


def _require_whole(notebook: NotebookNode) -> None:
    """Raise an error for outputs that no notebook can hold."""
    made: Callable[..., NotebookNode] = new_code_cell
    cells = [
        made(outputs=cell.outputs, execution_count=cell.execution_count)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    language = notebook.metadata.get("language_info", {"name": ""})
    whole: Callable[..., NotebookNode] = new_notebook
    validate(whole(cells=cells, metadata={"language_info": language}))


def _other_answer(head: dict[str, Any], settings: Settings) -> str:
    """Say what the page would find otherwise of what it looked at without opening it."""
    for name, answers in head["looked"].items():
        if any(look(name, question) != answer for question, answer in answers.items()):
            return f"{shown_path(Path(name), follow=False)} came, went or is another one"
    for folder, found in head["sought"].items():
        there = modules_in(folder)
        if other := [name for name, was in found.items() if was != (name in there)]:
            return f"the module {min(other)} came or went in {shown_path(Path(folder))}"
    now = _variables(head["variables"], settings)
    changed = [name for name, digest in head["variables"].items() if now[name] != digest]
    return f"the environment's {max(changed)} has changed" if changed else ""


def _page_change(head: dict[str, Any], page: Page) -> str:
    if head["unseen"] and not page.complete:
        return "it is not complete any more"
    return "" if head["cells"] == cells_digest(page) else "its cells have changed"


def _variables(names: Iterable[str], settings: Settings) -> dict[str, str]:
    """Return what identifies the values of variables, which may be secret."""
    values = environment(settings.environment)

    def value(name: str) -> object:
        if not name.endswith(ALL):
            return values.get(name)
        start = name.removesuffix(ALL)
        return {n: v for n, v in values.items() if n.startswith(start) and n != start}

    return {name: _digest([name, value(name)]) for name in names}


def _sealed(head: dict[str, Any]) -> bytes:
    """Write a head such that its damage is noticed."""
    text = json.dumps(head).encode()
    return hashlib.sha256(text).hexdigest().encode() + b" " + text


def _opened(line: bytes) -> dict[str, Any] | None:
    """Read a head, unless it is damaged."""
    seal, _, text = line.partition(b" ")
    whole = hashlib.sha256(text).hexdigest().encode() == seal
    return dict(json.loads(text)) if whole else None


def _read_head(place: Path) -> dict[str, Any] | None:
    try:
        with place.open("rb") as file:
            return _opened(file.readline().removesuffix(b"\n"))
    except OSError:
        return None


def _is_there(head: dict[str, Any], source: Path) -> bool:
    page = Path(head.get("page", ""))
    return page.is_relative_to(source) and page.is_file()


def _place(path: Path, settings: Settings) -> Path:
    name = _digest(str(path.resolve()))[:16]
    return settings.results / f"{path.stem[:40]}-{name}.json"  # file systems limit names


def _settings(settings: Settings, *, unseen: bool) -> dict[str, str]:
    """Return what identifies each setting that kernels run by."""
    book = settings.notebooks
    values = {
        "nb_execution_allow_errors": book.execution_allow_errors,
        "nb_execution_in_temp": book.execution_in_temp,
        "nb_kernel_rgx_aliases": book.kernel_rgx_aliases,
        "book_environment": dict(settings.environment),
        "book_start": settings.start,
        "processors": threads(environment(settings.environment)),
    }
    if unseen:  # a page that goes where nobody can follow depends on it, too
        values["book_complete"] = settings.complete
    return {name: _digest(value) for name, value in values.items()}


def _files(run: Run) -> list[str]:
    """Return the files that a page depends on: those it was seen to read, and those it declares."""
    page = run.page
    loads = [page.notebook.cells[cell.index].metadata.get("load") for cell in page.cells]
    files = [page.path.parent / name for name in loads if name]
    files += [file for found in page.depends.values() for file in found]
    files += map(Path, run.trace.files if run.trace else ())
    with suppress(NoSuchKernel):
        name = page.notebook.metadata.get("kernelspec", {}).get("name", "python3")
        files.append(Path(KernelSpecManager().get_kernel_spec(name).resource_dir, "kernel.json"))
    # not resolved: a link may come to lead elsewhere
    return sorted({os.path.abspath(file) for file in files})  # noqa: PTH100


def _changed_since(started: float, files: Iterable[str], seen: Mapping[str, str]) -> str:
    """Return a file that may have changed while the page ran: who knows what it has seen.

    Of what the page was seen to read, its stamp tells. Of the rest, the times do: also the one at
    which an old file came to be there under this name.
    """
    for name in files:
        if name in seen:
            if stamp(name) != seen[name]:
                return name
            continue
        with suppress(OSError):
            found = Path(name).stat()
            # some file systems count whole seconds only
            if found.st_mtime > started - 1 or found.st_ctime > started:
                return name
    return ""


def _unseen(run: Run) -> str:
    """Say where a page goes where it can't be followed: in which cell, and for what."""
    cells = {run.notebook.cells[cell.index].execution_count: cell for cell in run.page.cells}
    unit = "the cell at line" if run.page.has_lines else "cell"
    told: dict[str, str] = {}
    # those that say most come first: one process may be told of by several events
    found = run.trace.unseen if run.trace else {}
    for event, one in sorted(found.items(), key=lambda item: (not item[1].what, not item[1].cell)):
        does = UNSEEN.get(event, PROCESS)
        cell = cells.get(one.cell)
        place = f"{unit} {cell.line}" if cell else "it"
        told.setdefault(does, f"{place} {does}{f': {one.what}' if one.what else ''}")
    return " and ".join(told.values())


def cells_digest(page: Page) -> str:
    """Return what identifies a page's cells and the way they run, not the way they are shown."""
    cells = [
        [cell.source, _run_by(cell.metadata)]
        for cell in page.notebook.cells
        if cell.cell_type == "code"
    ]
    own = [page.config.execution_allow_errors, page.config.execution_in_temp]
    return _digest([cells, page.notebook.metadata.get("kernelspec"), own])


def _run_by(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a cell's metadata its run may depend on."""
    tags = [tag for tag in metadata.get("tags", ()) if not tag.startswith(SHOWN)]
    return {name: value for name, value in metadata.items() if name != "mystnb"} | {"tags": tags}


def _file_digest(name: str) -> str:
    """Return what identifies the contents of a file, or the names in a folder."""
    path = Path(name)
    try:
        if path.is_dir():
            return _digest(sorted({entry.name for entry in path.iterdir()} - MADE_BY_TOOLS))
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    except OSError:
        return ""


def _text_digest(page: Page) -> str:
    return hashlib.sha256(page.text.encode()).hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
