from __future__ import annotations

from pathlib import Path

import pytest
from book_project import Book, settle_environment

from snn_docs.book import fresh, kernel, settings
from snn_docs.book.run import run_pages


@pytest.fixture
def settled(monkeypatch, tmp_path_factory):
    """Let kernels that run for different tests share a template."""
    folder = tmp_path_factory.getbasetemp() / "temporary"
    folder.mkdir(exist_ok=True)
    settle_environment(monkeypatch, folder)
    for module in (kernel, settings):  # what the template imports unless it is told otherwise
        monkeypatch.setattr(module, "MODULES", ())


@pytest.fixture
def book(settled, tmp_path, monkeypatch):
    """A book, in which the test stands."""
    monkeypatch.chdir(tmp_path)
    return Book(tmp_path)


class Ran(list):
    """The names of the pages that were run since it was asked last."""

    def take(self):
        names, self[:] = sorted(self), []
        return names


@pytest.fixture
def ran(monkeypatch):
    """Watch which pages are run, whichever door they come through."""
    names = Ran()

    def run_and_tell(pages, **options):
        names.extend(Path(page.path).stem for page in pages)
        return run_pages(pages, **options)

    monkeypatch.setattr(fresh, "run_pages", run_and_tell)
    return names
