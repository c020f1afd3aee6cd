"""A file of the site is the old one or the new one, whenever somebody looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from book.files import write_atomically


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("old", encoding="utf-8")
    return file


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(("content", "data"), [("閾\r\n", "閾\r\n".encode()), (b"\xff", b"\xff")])
def test_text_is_utf_8_and_bytes_are_what_they_are(tmp_path, content, data):
    file = tmp_path / "new" / "folder" / "file"
    write_atomically(file, content)
    assert file.read_bytes() == data


def test_a_file_is_whole_before_it_takes_its_place(file, monkeypatch):
    seen = []

    def look(beside: Path, place: Path) -> None:
        seen.append((place.read_text(), beside.read_text()))
        os.replace(beside, place)  # noqa: PTH105 (it is Path.replace that is watched)

    monkeypatch.setattr(Path, "replace", look)
    write_atomically(file, "new")
    assert seen == [("old", "new")]
    assert file.read_text() == "new"
    assert names(file.parent) == ["page.html"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(file, monkeypatch):
    def fill_the_disk(path: Path, content: bytes) -> None:
        path.write_text(content[:1].decode())
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(OSError, match="no space"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert names(file.parent) == ["page.html"]


def test_processes_that_write_the_same_file_do_not_write_into_each_others(file, monkeypatch):
    """Sphinx may write pages in several processes."""
    written = set()
    monkeypatch.setattr(Path, "write_bytes", lambda path, _: written.add(path))
    monkeypatch.setattr(Path, "replace", lambda *_: None)
    for pid in (1, 2):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        write_atomically(file, "new")
    assert len(written) == 2
    assert file not in written
