"""A file is written whole or not at all."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from bookproof.files import write_atomically


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("old")
    return path


def test_writing_keeps_the_mode_and_leaves_no_temporary_file(page):
    page.chmod(0o640)
    write_atomically(page, b"new\r\n")
    assert page.read_bytes() == b"new\r\n"
    assert stat.S_IMODE(page.stat().st_mode) == 0o640
    assert list(page.parent.iterdir()) == [page]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", [(Path, "write_bytes"), (Path, "replace"), (shutil, "copymode")])
def test_a_write_that_fails_leaves_the_old_text_and_nothing_else(page, monkeypatch, step, error):
    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*step, fail)
        with pytest.raises(type(error)):
            write_atomically(page, b"new")
    assert page.read_text() == "old"
    assert list(page.parent.iterdir()) == [page]


def test_a_link_stays_a_link(page):
    link = page.parent / "link.md"
    link.symlink_to(page.name)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert page.read_text() == "new"
    assert sorted(page.parent.iterdir()) == [link, page]
