"""`accept` rewrites the blocks that differ, and changes nothing else in the file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mystnb import FRONT_MATTER
from nbformat.v4 import new_output

from snn_docs.book.accept import accepted_text, write_atomically
from snn_docs.book.compare import Status, judge
from snn_docs.book.page import PageError, parse_page
from snn_docs.book.run import Run


def run(body, *texts):
    """A run of the page in which each cell prints its text."""
    page = parse_page(Path("page.md"), FRONT_MATTER + body)
    verdicts = [
        judge(page, cell, [new_output("stream", text=text)] if text else [])
        for cell, text in zip(page.cells, texts, strict=True)
    ]
    return Run(page, page.notebook, tuple(verdicts))


def accepted(body, *texts):
    return accepted_text(run(body, *texts)).removeprefix(FRONT_MATTER)


CELL = "```{code-cell}\nprint(x)\n```\n"


def test_a_block_that_differs_is_rewritten_and_nothing_else():
    body = f"before\n\n{CELL}\n```{{testoutput}}\n1\n2\n```\n\nafter  \n"
    assert accepted(body, "3\n") == f"before\n\n{CELL}\n```{{testoutput}}\n3\n```\n\nafter  \n"


def test_a_block_that_is_right_is_left_alone():
    body = f"{CELL}\n```{{testoutput}}\n1   \n```\n"
    assert accepted(body, "1\n") == body


def test_a_missing_block_is_added_after_its_cell():
    assert accepted(f"{CELL}\nafter\n", "1\n") == f"{CELL}\n```{{testoutput}}\n1\n```\n\nafter\n"


def test_a_block_without_output_is_deleted():
    body = f"{CELL}\n```{{testoutput}}\n1\n```\n\nafter\n"
    assert accepted(body, "") == f"{CELL}\nafter\n"


def test_several_blocks_at_once():
    blocks = "".join(f"{CELL}\n```{{testoutput}}\n{n}\n```\n\n" for n in range(3))
    wanted = "".join(f"{CELL}\n```{{testoutput}}\n{n}\n```\n\n" for n in (0, 7, 8))
    assert accepted(blocks, "0", "7", "8") == wanted


def test_options_and_the_kind_of_fence_are_kept():
    block = "~~~~{{testoutput}}\n:options: +ELLIPSIS\n\n{}\n~~~~\n"
    assert accepted(CELL + block.format("a"), "b") == CELL + block.format("b")


def test_indentation_is_kept():
    body = f"{CELL}\n  ```{{testoutput}}\n  1\n  ```\n"
    assert accepted(body, "2\n 3\n") == f"{CELL}\n  ```{{testoutput}}\n  2\n   3\n  ```\n"


def test_line_ends_are_kept():
    body = f"{CELL}\n```{{testoutput}}\n1\n```\n\n{CELL}".replace("\n", "\r\n")
    text = accepted_text(run(body, "2\n3\n", "4\n"))
    assert text.removeprefix(FRONT_MATTER).replace("\r\n", "").find("\n") == -1


def test_a_page_that_does_not_end_with_a_newline_keeps_its_end():
    assert accepted(CELL.rstrip("\n"), "1\n") == CELL + "\n```{testoutput}\n1\n```"


@pytest.mark.parametrize(
    "text",
    [
        "```\ncode\n```\n",
        "  `````\n",
        ":not: an option\n",
        "---\n",
        "\n\nleading blank lines\n",
        "膜電位\n",
        "    indented\n",
        "% comment\n",
        "<b>html</b> $x$ {term}`x`\n",
        "a\n\n\nb\n",
    ],
)
@pytest.mark.parametrize("block", ["", "```{testoutput}\n1\n```\n"])
def test_whatever_a_cell_prints_is_accepted_and_then_right(text, block):
    once = accepted(f"{CELL}{block}\nafter\n", text)
    again = run(once, text)
    assert again.verdicts[0].status is Status.MATCHES
    assert accepted_text(again) == FRONT_MATTER + once
    assert once.endswith("\nafter\n")


line = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(line, max_size=4).map("\n".join), st.lists(line, max_size=4).map("\n".join))
def test_accept_is_idempotent(old, new):
    start = accepted(f"{CELL}\nafter\n", old)
    done = accepted(start, new)
    assert run(done, new).verdicts[0].ok
    assert accepted(done, new) == done
    assert done.startswith(CELL)
    assert done.endswith("after\n")


def test_what_a_block_cannot_hold_is_refused():
    with pytest.raises(PageError, match=r"print its repr\(\) instead"):
        accepted(CELL, "a\x0cb\n")


def test_cells_that_failed_are_left_alone():
    body = f"{CELL}\n```{{testoutput}}\n1\n```\n"
    done = run(body, "2")
    for status in (Status.FAILED, Status.NOT_RUN):
        failed = replace(done.verdicts[0], status=status)
        assert accepted_text(replace(done, verdicts=(failed,))) == FRONT_MATTER + body


def test_writing_keeps_the_mode_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, "new\r\n")
    assert path.read_bytes() == b"new\r\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["page.md"]  # noqa: PTH208


def test_a_write_that_fails_leaves_the_old_text_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "page.md"
    path.write_text("old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["page.md"]  # noqa: PTH208
