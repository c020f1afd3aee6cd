"""Finds the pages of a book, by Sphinx's own rules, for every way into this engine.

Sphinx takes the files below the source folder that `include_patterns` names and `exclude_patterns`
does not. What a build has written is no source, whether or not ``conf.py`` excludes it: MyST-NB
puts a notebook with outputs beside the built book for each page.
"""

from __future__ import annotations

import glob
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml  # type: ignore[import-untyped]
from sphinx.errors import ConfigError
from sphinx.project import EXCLUDE_PATHS
from sphinx.util.matching import compile_matchers, patmatch

from bookproof.page import CELL, NO_NOTEBOOK, PageError, is_page
from bookproof.settings import BUILD, Settings, find_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WRITTEN = (BUILD, "jupyter_execute")
"""The names of folders that Sphinx and MyST-NB write."""
MARKS = (".buildinfo", ".doctrees", "environment.pickle")
"""What Sphinx leaves in a folder that it has written."""


def find_pages(paths: Sequence[Path]) -> list[Path]:
    """Return the pages among files, and those of their books in folders, in order.

    A file that is named is taken whatever its book excludes: who names it means it. One without
    cells is left out beside pages, as ``*.md`` has it, and is a mistake alone.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [name for name in sorted(_files(path)) if is_page_of_its_book(name)]
        elif not path.exists():
            # It may be named as it is in the book's folder.
            meant = f"; did you mean {there}?" if (there := Path("docs", path)).exists() else ""
            raise FileNotFoundError(f"no such page or folder: {path}{meant}")
        elif is_page_of_its_book(path, named=True):
            found.append(path)
        elif len(paths) == 1 or CELL.encode() in path.read_bytes():
            raise PageError(path, 1, NO_NOTEBOOK)
    return list(dict.fromkeys(found))


def is_page_of_its_book(path: Path, *, named: bool = False) -> bool:
    """Whether a file is a page, maybe in a format that its book's ``conf.py`` names."""
    try:
        settings = find_settings(path)
    except ConfigError:
        settings = Settings()  # if it is a page, whoever reads it will tell
    # the format `.py` of some books makes no page of the file with their settings
    if settings.home and path.resolve() == settings.home / "conf.py":
        return False
    return (named or is_source(path.resolve(), settings)) and is_page(path, settings)


def is_source(path: Path, settings: Settings) -> bool:
    """Whether Sphinx takes a file for a document of the book with these settings."""
    home = settings.home or Path.cwd()
    folders = [folder for folder in path.parents if folder.is_relative_to(home)]
    if any(_is_written(folder) for folder in folders if folder != home):
        return False
    if not settings.home:  # no book, or its settings can't be read: nobody says what is excluded
        return True
    source = _source_folder(folders, settings)
    # Sphinx does not enter a folder that is excluded
    parts = [p.relative_to(source).as_posix() for p in (path, *folders) if source in p.parents]
    included = compile_matchers(settings.include)
    excluded = compile_matchers([*settings.exclude, *EXCLUDE_PATHS])
    kept = any(matches(parts[0]) for matches in included) and _in_toc(parts[0], source, settings)
    return kept and not any(matches(part) for matches in excluded for part in parts)


def written_patterns(source: Path, own: Sequence[Path]) -> list[str]:
    """Return patterns that keep Sphinx out of what builds write, this one's folders too."""
    folders = sorted(folder.relative_to(source) for folder in own if source in folder.parents)
    names = [pattern for name in WRITTEN for pattern in (name, f"**/{name}")]
    return [*names, *(glob.escape(folder.as_posix()) for folder in folders)]


def _in_toc(name: str, source: Path, settings: Settings) -> bool:
    """Whether the book's table of contents, if that decides, has a document."""
    if not settings.toc:
        return True
    documents, patterns = _listed(Path(source, settings.toc).read_bytes())
    bare = name.rpartition(".")[0]
    return bool(documents & {name, bare}) or any(patmatch(bare, each) for each in patterns)


@cache
def _listed(text: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """Return the documents that a table of contents names, and its patterns of others."""
    named: dict[str, set[str]] = {"root": set(), "file": set(), "glob": set()}
    todo = [yaml.safe_load(text)]
    while todo:
        match todo.pop():
            case dict(entry):
                todo += entry.values()
                for key in named.keys() & entry.keys():
                    named[key].add(str(entry[key]))
            case list(entries):
                todo += entries
    return frozenset(named["root"] | named["file"]), frozenset(named["glob"])


def _source_folder(folders: Sequence[Path], settings: Settings) -> Path:
    """Return the source folder: among those from conf.py's to a page's, the first with the root.

    Patterns are relative to it, and only who calls Sphinx knows where it is: ``conf.py`` may be
    elsewhere (``sphinx-build -c``).
    """
    for folder in reversed(folders):
        if any(found.is_file() for found in folder.glob(f"{settings.root}.*")):
            return folder
    return folders[-1]


def _is_written(folder: Path) -> bool:
    """Whether a build has written a folder."""
    return folder.name in WRITTEN or any((folder / mark).exists() for mark in MARKS)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that no dot hides, and that no build has written."""
    for place, folders, files in os.walk(folder):
        folders[:] = [
            name for name in folders if name[0] != "." and not _is_written(Path(place, name))
        ]
        yield from (Path(place, name) for name in files if name[0] != ".")
