"""A file of the site is what was written."""

from __future__ import annotations

import pytest
from book.files import write_file


@pytest.mark.parametrize(("content", "data"), [("閾\r\n", "閾\r\n".encode()), (b"\xff", b"\xff")])
def test_text_is_utf_8_and_bytes_are_what_they_are(tmp_path, content, data):
    file = tmp_path / "new" / "folder" / "file"
    write_file(file, content)
    assert file.read_bytes() == data
