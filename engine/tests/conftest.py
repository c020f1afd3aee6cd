from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from book_project import Book, settle_environment
from house_rules import (  # noqa: F401
    pytest_configure,
    pytest_runtest_makereport,
)
from mystnb import FRONT_MATTER

from bookproof import run as running
from bookproof import settings
from bookproof.run import run_pages

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def write_page(tmp_path: Path) -> Callable[..., Path]:
    """Write a MyST notebook with the given body."""

    def write(body: str, name: str = "page.md") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FRONT_MATTER + body, encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture
def settled(monkeypatch, tmp_path_factory):
    """Let kernels that run for different tests share a template."""
    folder = tmp_path_factory.getbasetemp() / "temporary"
    folder.mkdir(exist_ok=True)
    settle_environment(monkeypatch, folder)
    monkeypatch.setattr(settings, "USUAL", ())  # what the template imports unless told otherwise


@pytest.fixture
def book(settled, tmp_path, monkeypatch):
    """A book, in which the test stands."""
    monkeypatch.chdir(tmp_path)
    return Book(tmp_path)


@pytest.fixture
def said(capsys):
    """What the commands wrote since it was asked last."""
    return lambda: capsys.readouterr().out


class Ran(list):
    """The names of the pages that were run since it was asked last."""

    def take(self):
        names, self[:] = sorted(self), []
        return names


@pytest.fixture
def ran(monkeypatch):
    """Watch which pages are run, whatever asks for them."""
    names = Ran()

    def run_and_tell(pages, **options):
        names.extend(Path(page.path).stem for page in pages)
        return run_pages(pages, **options)

    monkeypatch.setattr(running, "run_pages", run_and_tell)
    return names
