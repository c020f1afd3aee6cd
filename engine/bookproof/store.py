"""Keeps the outputs of pages, and knows as long as they hold.

They hold while nothing changes that they depend on: the page's cells, what these name
(`bookproof.inputs`), what the page used though nothing names it, what it declares, the versions of
the packages that it imports, Python, the processor and the variables by which libraries choose its
instructions, the engine itself and how kernels start. A result is kept only if all that was the
same before the run and after it. It is one file, replaced at once; one that can't be read, or was
damaged, is as good as none. Its first line says what it depends on, the rest is the outputs.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import logging
import os
import platform
import sys
import textwrap
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from bookproof.files import shown_path, write_atomically
from bookproof.inputs import (
    Look,
    describe,
    editable_folders,
    is_below,
    is_local,
    packages_of,
    record,
    variables,
)
from bookproof.kernels.net import stamp
from bookproof.kernels.start import missing
from bookproof.kernels.warm import ENVIRONMENT, environment
from bookproof.machine import ARITHMETIC, features, threads
from bookproof.page import find_declared
from bookproof.result import Failure, Run, fill, judged, outputs_of, show_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bookproof.page import Page
    from bookproof.settings import Settings

logger = logging.getLogger(__name__)

NETWORK = ("socket.connect", "socket.getaddrinfo")
"""The events by which a page asks the network; all others start processes."""
LONGEST_COMMAND = 60
"""Letters of a command that are shown."""
DAMAGED = "its result is damaged"
SHOWN = ("hide-", "remove-", "remove_", "scroll-", "output_scroll")
"""How the tags begin by which MyST-NB shows a cell in another way."""


class Results:
    """Results of pages, in the folders of their books. An object looks at each file once."""

    def __init__(self) -> None:
        self._look = Look()
        self._before: dict[Path, dict[str, Any]] = {}
        """What each page depended on when its result was looked for."""
        self.reasons: dict[Path, str] = {}
        """Why the result of a page does not hold, or is not kept, if anything is known of it."""
        self.unnamed: dict[Path, list[str]] = {}
        """The files of the book that a page used, though nothing names them."""

    def digest(self, path: Path, settings: Settings) -> str:
        """Return what identifies the result of a page, if it holds and the page is as it was.

        This does without parsing the page, and without reading its outputs.
        """
        head = _read_head(_place(path, settings))
        if not path.exists() or self._change(head, settings):
            return ""
        return str(head["outputs"]) if head["text"] == _sha(path.read_bytes()) else ""

    def any_outdated(self, settings: Settings, source: Path) -> bool:
        """Whether some page below a folder is sure to run, as far as its results tell."""
        heads = [_read_head(place) for place in settings.results.glob("*.json")]
        # not the results of pages that are gone, or were elsewhere when they ran
        own = [head for head in heads if not head or _is_there(head, source.resolve())]
        return not own or any(self._change(head, settings) for head in own)

    def load(self, page: Page) -> Run | None:
        """Return the result of a page as if it had run now, if it holds."""
        self._before[page.path] = self._inputs(_asking(page), page.settings)
        try:
            line, _, body = _place(page.path, page.settings).read_bytes().partition(b"\n")
        except OSError:
            return None
        head, text = _opened(line), _sha(page.text.encode())
        if change := self._change(head, page.settings) or _page_change(head, page, body):
            self.reasons[page.path] = change
            return None
        if head["text"] != text:  # what is no cell was edited: from now on, this is the page
            self._write(page, head | {"text": text}, body)
        failure = Failure(*head["failure"]) if head["failure"] else None
        notebook = fill(copy.deepcopy(page.notebook), json.loads(body))
        absent = frozenset(head["missing"])
        show_records(page, notebook, absent)
        return Run(
            page,
            notebook,
            judged(page, notebook, failure, absent),
            head["started"],
            head["seconds"],
            failure,
            missing=absent,
            kept=True,
        )

    def save(self, run: Run) -> str:
        """Keep a result, if all that it depends on is known; return why not, if not."""
        used, page = run.used, run.page
        if used is None:
            return "it failed" if run.failure else "nothing is known of what it read"
        if run.unfollowed:
            return _unfollowed(run)
        self._look = Look()
        asking = _asking(page)
        before = self._before.get(page.path) or self._inputs(asking, page.settings)
        named = self._inputs(asking, page.settings)
        unnamed = _unnamed(run, named["files"])
        asking |= {"unnamed": unnamed, "written": list(used.written)}
        after = self._inputs(asking, page.settings)
        own = {name for name in before["files"] if _is_own(name, used.written)}
        changed = _difference(before, after, own.union(unnamed))
        # at what nothing names, nobody looked before the run
        late = [name for name in unnamed if stamp(name) != used.files[name]]
        if changed or late:
            return f"while it ran, {changed or f'{shown_path(Path(late[0]))} has changed'}"
        home = str(page.settings.home or page.path.parent)
        if mine := [name for name in unnamed if is_below(name, home) and after["files"][name]]:
            self.unnamed[page.path] = mine
        body = json.dumps(outputs_of(run.notebook)).encode()
        head = {
            "page": str(page.path.resolve()),
            "text": _sha(page.text.encode()),
            "cells": cells_digest(page),
            "settings": _settings(page.settings),
            "environment": self.environment,
            "asking": asking,
            "inputs": after,
            "packages": packages_of({*used.modules, *after["modules"]}),
            "missing": sorted(run.missing),
            "failure": dataclasses.astuple(run.failure) if run.failure else None,
            "outputs": _sha(body),
            "started": run.started,
            "seconds": run.seconds,
        }
        self._write(page, head, body)
        return ""

    def _inputs(self, asking: dict[str, Any], settings: Settings) -> dict[str, Any]:
        """Look at all that a page's code names, that it declares, and that it used besides."""
        folder = Path(asking["folder"])
        values = environment(settings.environment)
        paths = values.get("PYTHONPATH", "").split(os.pathsep)
        local = [path for path in paths if os.path.isabs(path) and is_local(path)]  # noqa: PTH117
        root, path = settings.home or folder, (*local, *editable_folders())
        named = self._look.follow(tuple(asking["code"]), folder, root, path)
        declared = [find_declared(folder / "page", pattern) for pattern in asking["depends"]]
        files = {str(file) for found in declared for file in found} | named.files
        files = {name for name in files if is_local(name) and not _is_own(name, asking["written"])}
        files |= {*asking["unnamed"], *asking["others"]}
        words = named.words | {name[1:] for name in asking["depends"] if name[0] == "$"}
        found = variables({*words, *ARITHMETIC}, values)
        # digests of values, which may be secret
        own = {f"${name}": _digest([name, value]) for name, value in found.items()}
        return {
            "files": own | {name: self._look.digest(name) for name in files},
            "modules": sorted(named.modules),
        }

    @cached_property
    def environment(self) -> str:
        """What identifies Python, this engine and how kernels start."""
        engine = sorted(Path(__file__).parent.rglob("*.py"))
        files = [(file.parent.name, file.name, self._look.digest(str(file))) for file in engine]
        system = [sys.version, platform.platform(), sorted(features()), editable_folders()]
        return _digest([system, ENVIRONMENT, files])

    def _change(self, head: dict[str, Any], settings: Settings) -> str:
        """Say what has changed that a result depends on, if so; the page is not looked at."""
        if head.get("environment") != self.environment:  # first: another engine has other heads
            return "Python, bookproof or the processor is another one" if head else DAMAGED
        now = _settings(settings)
        if changed := [name for name in now if now[name] != head["settings"].get(name)]:
            return f"{', '.join(changed)} changed"
        if missing(head["missing"]) != head["missing"]:  # one can come without an install
            return f"a package is there now: {', '.join(head['missing'])}"
        for place, was in head["packages"].items():
            if record(place) != was:
                return f"{describe(place)} is another one"
        if new := packages_of(head["inputs"]["modules"]).keys() - head["packages"].keys():
            return f"{describe(min(new))} is there now"
        return _difference(head["inputs"], self._inputs(head["asking"], settings))

    def _write(self, page: Page, head: dict[str, Any], body: bytes) -> None:
        place = _place(page.path, page.settings)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, _sealed(head) + b"\n" + body)
        except OSError as error:
            logger.warning(
                "%s will run again next time: its result can't be kept: %s", page.path, error
            )


def _difference(before: dict[str, Any], after: dict[str, Any], apart: Iterable[str] = ()) -> str:
    """Say in what a page's surroundings differ, apart from some files, if they do."""
    old, new = before["files"], after["files"]  # and variables
    for name in sorted((old.keys() | new.keys()).difference(apart)):
        if old.get(name) != new.get(name):
            does = "is gone" if not new.get(name) else "has changed" if old.get(name) else "is new"
            return f"{shown_path(Path(name), follow=False)} {does}"
    return ""


def _asking(page: Page) -> dict[str, Any]:
    """Return of a page what tells on what it depends."""
    return {
        "code": [cell.source for cell in page.cells],
        "folder": str(page.path.resolve().parent),
        "depends": list(page.depends),
        "others": _others(page),
        "unnamed": [],
        "written": [],
    }


def _unnamed(run: Run, named: Iterable[str]) -> list[str]:
    """Return the files that a page used, though nothing names them: not what it made itself."""
    used, known = run.used, set(named)
    files = used.files if used else {}
    written = used.written if used else ()
    return [
        name for name in files
        if name not in known and is_local(name) and not _is_own(name, written)
        and not name.endswith(".pyc") and not is_below(name, str(Path(__file__).parent))
    ]  # fmt: skip


def _is_own(name: str, written: Iterable[str]) -> bool:
    """Whether a page made a file, or the folder that it is in."""
    return any(is_below(name, made) for made in written)


def _page_change(head: dict[str, Any], page: Page, body: bytes) -> str:
    """Say why a result is not that of the page as it is now, if so."""
    if head["outputs"] != _sha(body):
        return DAMAGED
    if head["cells"] != cells_digest(page):
        return "its cells, or what it declares, have changed"
    moved = head["failure"] and head["text"] != _sha(page.text.encode())
    return "its text has changed, and the lines in its traceback" if moved else ""


def _sealed(head: dict[str, Any]) -> bytes:
    """Write a head such that its damage is noticed."""
    text = json.dumps(head).encode()
    return _sha(text).encode() + b" " + text


def _opened(line: bytes) -> dict[str, Any]:
    """Read a head; one that is damaged is empty."""
    seal, _, text = line.partition(b" ")
    return dict(json.loads(text)) if _sha(text).encode() == seal else {}


def _read_head(place: Path) -> dict[str, Any]:
    with suppress(OSError), place.open("rb") as file:
        return _opened(file.readline().removesuffix(b"\n"))
    return {}


def _is_there(head: dict[str, Any], source: Path) -> bool:
    page = Path(head.get("page", ""))
    return page.is_relative_to(source) and page.is_file()


def _place(path: Path, settings: Settings) -> Path:
    name = _digest(str(path.resolve()))[:16]
    return settings.results / f"{path.stem[:40]}-{name}.json"  # file systems limit names


def _settings(settings: Settings) -> dict[str, str]:
    """Return what identifies each setting that kernels run by."""
    book = settings.notebooks
    values = {
        "nb_execution_allow_errors": book.execution_allow_errors,
        "nb_execution_in_temp": book.execution_in_temp,
        "nb_kernel_rgx_aliases": book.kernel_rgx_aliases,
        "book_complete": settings.complete,
        "book_environment": dict(settings.environment),
        "book_start": settings.start,
        "processors": threads(environment(settings.environment)),
    }
    return {name: _digest(value) for name, value in values.items()}


def _others(page: Page) -> list[str]:
    """Return the files that count besides: those of loaded cells, and of the kernel."""
    loads = [page.notebook.cells[cell.index].metadata.get("load") for cell in page.cells]
    files = [page.path.parent / name for name in loads if name]
    with suppress(NoSuchKernel):
        name = page.notebook.metadata.get("kernelspec", {}).get("name", "python3")
        files.append(Path(KernelSpecManager().get_kernel_spec(name).resource_dir, "kernel.json"))
    # not resolved: a link may come to lead elsewhere
    return sorted({os.path.abspath(file) for file in files})  # noqa: PTH100


def _unfollowed(run: Run) -> str:
    """Say of which command or address nobody knows what it reads: in which cell."""
    cells = {run.notebook.cells[cell.index].execution_count: cell for cell in run.page.cells}
    unit = "the cell at line" if run.page.has_lines else "cell"
    # one that says most: one process may be told of by several events
    event, number, words = min(run.unfollowed, key=lambda one: (not one[2], not one[1]))
    place = f"{unit} {cells[number].line}" if number in cells else "it"
    does = "asks the network" if event in NETWORK else "starts a process"
    command = textwrap.shorten(" ".join(words), LONGEST_COMMAND, placeholder="…")
    return f"{place} {does}: {command}".removesuffix(": ")


def cells_digest(page: Page) -> str:
    """Return what identifies a page's cells, the way they run, and what the page declares."""
    cells = [
        [cell.source, _run_by(cell.metadata)]
        for cell in page.notebook.cells
        if cell.cell_type == "code"
    ]
    own = [page.config.execution_allow_errors, page.config.execution_in_temp]
    declared = [page.depends, page.complete]
    return _digest([cells, page.notebook.metadata.get("kernelspec"), own, declared])


def _run_by(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a cell's metadata its run may depend on."""
    tags = [tag for tag in metadata.get("tags", ()) if not tag.startswith(SHOWN)]
    return {name: value for name, value in metadata.items() if name != "mystnb"} | {"tags": tags}


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(value: object) -> str:
    return _sha(json.dumps(value, sort_keys=True, default=str).encode())
