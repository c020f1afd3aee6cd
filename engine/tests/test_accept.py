"""`accept` rewrites the blocks that differ, and changes nothing else in the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mystnb import FRONT_MATTER
from nbformat.v4 import new_output

from bookproof import accept
from bookproof.accept import pins, run_again
from bookproof.compare import Status, judge
from bookproof.page import PageError, parse_page
from bookproof.result import Run
from bookproof.settings import Settings


def run(body, *texts):
    """A run of the page in which each cell prints its text."""
    page = parse_page(Path("page.md"), FRONT_MATTER + body, Settings(strict=True))
    verdicts = [
        judge(page, cell, [new_output("stream", text=text)] if text else [])
        for cell, text in zip(page.cells, texts, strict=True)
    ]
    return Run(page, page.notebook, tuple(verdicts))


def accepted(body, *texts):
    return text_of(run(body, *texts)).removeprefix(FRONT_MATTER)


def text_of(done):
    return accept.accepted(done, pins(done, done)).text


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
    text = text_of(run(body, "2\n3\n", "4\n"))
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
    assert text_of(again) == FRONT_MATTER + once
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
        accepted(f"{CELL}```{{testoutput}}\n1\n```\n", "a\x0cb\n")


def test_cells_that_failed_are_left_alone():
    body = f"{CELL}\n```{{testoutput}}\n1\n```\n"
    done = run(body, "2")
    for status in (Status.FAILED, Status.NOT_RUN):
        failed = replace(done.verdicts[0], status=status)
        assert text_of(replace(done, verdicts=(failed,))) == FRONT_MATTER + body


@pytest.mark.parametrize(
    ("options", "right", "wrong"),
    [
        (":rtol: 1e-2", "0.501", "0.6"),
        (":options: +ELLIPSIS", "0.5...", "0.6"),
        (":options: +NUMBER", "0.5", "0.7"),
    ],
)
def test_an_output_that_the_options_allow_is_left_and_another_is_written(options, right, wrong):
    def page(text):
        return f"{CELL}```{{testoutput}}\n{options}\n\n{text}\n```\n"

    assert accepted(page(right), "0.501") == page(right)
    assert accepted(page(right), wrong) == page(wrong)


def test_an_output_that_is_not_compared_is_left():
    body = f"{CELL}\n```{{testoutput}}\n:options: +SKIP\n:reason: a GPU\n\n1\n```\n"
    assert accepted(body, "2") == accepted(body, "") == body


def test_a_page_without_blocks_is_left_alone_unless_all_must_have_theirs():
    assert accepted(CELL, "1") == CELL + "\n```{testoutput}\n1\n```\n"
    page = parse_page(Path("page.md"), FRONT_MATTER + CELL)
    verdict = judge(page, page.cells[0], [new_output("stream", text="1")])
    assert text_of(Run(page, page.notebook, (verdict,))) == page.text


def test_a_block_whose_cell_prints_something_else_in_a_second_run_is_left(monkeypatch):
    blocks = "".join(f"{CELL}\n```{{testoutput}}\n{n}\n```\n\n" for n in range(4))
    first = run(blocks, "0", "6", "7", "")
    again = run(blocks, "1", "6", "8", "9")

    def run_pages(pages, *, warm):
        assert pages == [first.page]
        assert not warm  # so that the two share as little as can be
        return [again]

    monkeypatch.setattr(accept, "run_pages", run_pages)
    new = pins(first, run_again([first])[first.page])
    # the first block is right, so nobody is about to write it
    assert {first.verdicts[1].cell.index: "6\n"} == {index: pin.text for index, pin in new.items()}
