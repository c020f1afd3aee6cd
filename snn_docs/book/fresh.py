"""Keeps the outputs of pages, and knows as long as they hold.

They hold while nothing changes that they depend on: the page's cells, the sources of the project's
modules that it loaded, the files that it read or declared, the installed packages, Python, the
engine itself and the number of threads. A result is one file, replaced at once; one that can't be
read, or was damaged, is as good as none. Its first line says what it depends on, the rest is the
outputs.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import platform
import sys
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from snn_docs.book.files import write_atomically
from snn_docs.book.kernel import ENVIRONMENT
from snn_docs.book.optional import missing, show_records
from snn_docs.book.page import find_declared
from snn_docs.book.run import Run, judged, run_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbformat import NotebookNode

    from snn_docs.book.page import Page
    from snn_docs.book.settings import Settings

logger = logging.getLogger(__name__)

MADE_BY_TOOLS = {"__pycache__", ".ipynb_checkpoints"}


def run_outdated(
    pages: Sequence[Page],
    results: Results,
    *,
    anew: bool = False,
    progress: Callable[[int], Callable[[Run], object]] | None = None,
) -> list[Run]:
    """Return the result of each page, kept or new; each new one is kept as soon as it is there.

    ``progress`` is told how many pages are to run, and what it returns is told of each that has.
    """
    runs = {
        page: run for page in pages
        if not anew and page.settings.notebooks.execution_mode != "force"
        and (run := results.load(page))
    }  # fmt: skip
    outdated = [page for page in pages if page not in runs]
    if outdated:
        tell = progress(len(outdated)) if progress else lambda _: None

        def done(run: Run) -> None:
            results.save(run)
            tell(run)

        runs |= zip(outdated, run_pages(outdated, done=done), strict=True)
    return [runs[page] for page in pages]


class Results:
    """Results of pages, in the folders of their books. An object looks at each file once."""

    def __init__(self) -> None:
        self._file = cache(_file_digest)

    def digest(self, path: Path, settings: Settings) -> str:
        """Return what identifies the result of a page, if it holds and the page is as it was.

        This does without parsing the page, and without reading its outputs.
        """
        head = _read_head(_place(path, settings))
        holds = head and self._holds(head, settings) and head["text"] == self._file(str(path))
        return str(head["outputs"]) if head and holds else ""

    def any_outdated(self, settings: Settings, source: Path) -> bool:
        """Whether some page below a folder is sure to run, as far as its results tell."""
        heads = [_read_head(place) for place in settings.results.glob("*.json")]
        # not the results of pages that are gone, or were elsewhere when they ran
        own = [head for head in heads if not head or _is_there(head, source.resolve())]
        return not own or not all(head and self._holds(head, settings) for head in own)

    def load(self, page: Page) -> Run | None:
        """Return the result of a page as if it had run now, if it holds."""
        place = _place(page.path, page.settings)
        try:
            line, _, body = place.read_bytes().partition(b"\n")
        except OSError:
            return None
        head = _opened(line)
        if head and not (self._holds(head, page.settings) and head["cells"] == cells_digest(page)):
            return None
        if not head or head["outputs"] != hashlib.sha256(body).hexdigest():
            logger.warning("%s runs again: its result, kept from before, is damaged", page.path)
            return None
        text = _text_digest(page)
        if head["text"] != text:  # what is no cell was edited: from now on, this is the page
            self._write(page, head | {"text": text}, body)
        notebook = fill(copy.deepcopy(page.notebook), json.loads(body))
        absent = frozenset(head["missing"])
        show_records(page, notebook, absent)
        verdicts = judged(page, notebook, missing=absent)
        started, seconds = head["started"], head["seconds"]
        return Run(page, notebook, verdicts, started, seconds, missing=absent, kept=True)

    def save(self, run: Run) -> None:
        """Keep a result, if the page came to its end and all that it depends on is known."""
        files = _files(run)
        if (
            run.failed
            or run.trace is None
            or run.trace.unseen
            or _changed_since(run.started, files)
        ):
            return
        body = json.dumps(outputs_of(run.notebook)).encode()
        head = {
            "page": str(run.page.path.resolve()),
            "text": _text_digest(run.page),
            "cells": cells_digest(run.page),
            "settings": _settings(run.page.settings),
            "environment": self.environment,
            "files": {name: _file_digest(name) for name in files},
            "declared": {
                pattern: list(map(str, found)) for pattern, found in _declared(run.page).items()
            },
            "missing": sorted(run.missing),
            "outputs": hashlib.sha256(body).hexdigest(),
            "started": run.started,
            "seconds": run.seconds,
        }
        self._write(run.page, head, body)

    @cached_property
    def environment(self) -> str:
        """What identifies Python, the installed packages, this engine and how kernels start."""
        engine = sorted(Path(__file__).parent.glob("*.py"))
        records = [
            record for folder in dict.fromkeys(sys.path) if folder
            for record in sorted(Path(folder).glob("*.dist-info/RECORD"))
        ]  # fmt: skip
        files = [(file.parent.name, self._file(str(file))) for file in [*engine, *records]]
        return _digest([sys.version, platform.platform(), ENVIRONMENT, files])

    def _holds(self, head: dict[str, Any], settings: Settings) -> bool:
        """Whether nothing has changed that a result depends on; the page is not looked at."""
        return (
            head.get("environment") == self.environment  # first: another engine has other heads
            and head["settings"] == _settings(settings)
            and missing(head["missing"]) == head["missing"]  # one can come without an install
            and all(self._file(name) == digest for name, digest in head["files"].items())
            and all(
                list(map(str, find_declared(Path(head["page"]), pattern))) == found
                for pattern, found in head["declared"].items()
            )
        )

    def _write(self, page: Page, head: dict[str, Any], body: bytes) -> None:
        place = _place(page.path, page.settings)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, _sealed(head) + b"\n" + body)
        except OSError as error:
            logger.warning(
                "%s will run again next time: its result can't be kept: %s", page.path, error
            )


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


def _settings(settings: Settings) -> str:
    book = settings.notebooks
    return _digest([book.execution_allow_errors, book.execution_in_temp, book.kernel_rgx_aliases])


def _files(run: Run) -> list[str]:
    """Return the files that a page depends on: those it was seen to read, and those it declares."""
    page = run.page
    loads = [page.notebook.cells[cell.index].metadata.get("load") for cell in page.cells]
    files = [page.path.parent / name for name in loads if name]
    files += [file for found in _declared(page).values() for file in found]
    files += map(Path, run.trace.files if run.trace else ())
    with suppress(NoSuchKernel):
        name = page.notebook.metadata.get("kernelspec", {}).get("name", "python3")
        files.append(Path(KernelSpecManager().get_kernel_spec(name).resource_dir, "kernel.json"))
    return sorted({str(file.resolve()) for file in files})


def _declared(page: Page) -> dict[str, tuple[Path, ...]]:
    """Return the files that a page declares, and one that is never seen in a warm kernel.

    There, matplotlib has been imported, and has read its settings, before the trace starts.
    """
    return {**page.depends, "matplotlibrc": find_declared(page.path, "matplotlibrc")}


def _changed_since(started: float, files: list[str]) -> bool:
    """Whether a file may have changed while the page ran: nobody knows then what it has seen."""
    # some file systems count whole seconds only
    there = (path for path in map(Path, files) if path.exists())
    return any(path.stat().st_mtime > started - 1 for path in there)


def cells_digest(page: Page) -> str:
    """Return what identifies a page's cells and the way they run."""
    cells = [
        [cell.source, cell.metadata] for cell in page.notebook.cells if cell.cell_type == "code"
    ]
    own = [page.config.execution_allow_errors, page.config.execution_in_temp]
    return _digest([cells, page.notebook.metadata.get("kernelspec"), own])


def outputs_of(notebook: NotebookNode) -> dict[str, Any]:
    """Return what a run adds to a notebook."""
    cells = {
        i: [cell.outputs, cell.execution_count]
        for i, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
    }
    kept = {
        key: notebook.metadata[key]
        for key in ("language_info", "widgets")
        if key in notebook.metadata
    }
    return {"cells": list(cells.values()), "metadata": kept}


def fill(notebook: NotebookNode, kept: dict[str, Any]) -> NotebookNode:
    """Put what a run added to a notebook into another one with the same cells, and return it."""
    from_dict: Callable[[Any], Any] = nbformat.from_dict
    notebook.metadata.update(from_dict(kept["metadata"]))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, (outputs, count) in zip(cells, kept["cells"], strict=True):
        cell.update(outputs=from_dict(outputs), execution_count=count)
    return notebook


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
