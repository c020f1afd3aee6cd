"""A file of the site is the old one or the new one, whenever somebody looks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from book.files import write_atomically


@pytest.mark.parametrize(("content", "data"), [("閾\r\n", "閾\r\n".encode()), (b"\xff", b"\xff")])
def test_text_is_utf_8_and_bytes_are_what_they_are(tmp_path, content, data):
    file = tmp_path / "new" / "folder" / "file"
    write_atomically(file, content)
    assert file.read_bytes() == data
    assert [*file.parent.iterdir()] == [file]


def test_a_file_is_whole_whenever_it_is_read(tmp_path):
    file, contents = tmp_path / "page.html", [sign * 2_000_000 for sign in (b"a", b"b")]
    write_atomically(file, contents[0])
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(lambda: [write_atomically(file, each) for each in 30 * contents])
        while not writing.done():
            assert file.read_bytes() in contents


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "page.html"
    write_atomically(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "\ud800")
    assert file.read_text() == "old"
    assert [*tmp_path.iterdir()] == [file]
