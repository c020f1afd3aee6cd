"""`accept` rewrites the blocks that differ, and changes nothing else in the file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mystnb import FRONT_MATTER
from nbformat.v4 import new_output

from bookproof import accept
from bookproof.accept import Pin, pin, pins, run_again
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


def test_a_block_without_output_is_deleted():
    body = f"{CELL}\n```{{testoutput}}\n1\n```\n\nafter\n"
    assert accepted(body, "") == f"{CELL}\nafter\n"


def test_options_and_the_kind_of_fence_are_kept():
    block = "~~~~{{testoutput}}\n:options: +ELLIPSIS\n\n{}\n~~~~\n"
    assert accepted(CELL + block.format("a"), "b") == CELL + block.format("b")


def test_indentation_is_kept():
    body = f"{CELL}\n  ```{{testoutput}}\n  1\n  ```\n"
    assert accepted(body, "2\n 3\n") == f"{CELL}\n  ```{{testoutput}}\n  2\n   3\n  ```\n"


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
    assert {first.verdicts[1].cell.index: "6\n"} == {
        index: each.text for index, each in new.items()
    }


# What a new block says of an output that two runs print a little differently


def printed(text, code="print(x)"):
    body = f"{FRONT_MATTER}```{{code-cell}}\n{code}\n```\n"
    page = parse_page(Path("page.md"), body, Settings(strict=True))
    return judge(page, page.cells[0], [new_output("stream", text=text)])


def pinned(first, second, code="print(x)"):
    return pin(printed(first, code), printed(second, code), "2026-11-28")


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("hash 0x7f3c12ab", "hash 0x7f3c12ab", "hash ..."),  # the same by chance
        ("at 10:20:30, x = 3", "at 10:20:31, x = 3", "at ..., x = 3"),
        ("built 2026-11-28", "built 2026-11-28", "built ..."),  # which is today
        ("Sat Nov 28 21:34:21 2026 UTC", "Sat Nov 28 21:34:25 2026 UTC", "... UTC"),
        ("CPU times: user 4.2 ms, sys: 0 ns", "CPU times: user 5 ms, sys: 1 µs",
         "CPU times: user ..., sys: ..."),
        ("Elapsed: 1.23", "Elapsed: 1.31", "Elapsed: ..."),
        ("epoch 3, 1.5 s, loss 0.25", "epoch 3, 900 ms, loss 0.25", "epoch 3, ..., loss 0.25"),
    ],
)  # fmt: skip
def test_addresses_and_times_become_an_ellipsis(first, second, text):
    found = pinned(first, second)
    assert (found.text.strip(), found.options) == (text, (":options: +ELLIPSIS",))


@pytest.mark.parametrize(
    "text", ["born 1952-06-07 at 10:20", "waits 20 ms", "x = 3", "[0, 1, ..., 9]"]
)
def test_what_two_runs_print_alike_is_pinned_as_it_is(text):
    found = pinned(text, text)
    assert (found.text.strip(), found.options, found.reason) == (text, (), "")


@pytest.mark.parametrize(
    ("first", "second", "options"),
    [
        ("0.50000001", "0.50000002", (":rtol: 4e-8",)),
        ("epoch 3: 0.951", "epoch 3: 0.952", (":rtol: 0.0022", ":exact: integers")),
        ("residue 1.3e-16", "residue 2.1e-16", (":atol: 1.6e-16",)),
        ("(0.0+0.501j)", "(0.0+0.502j)", (":rtol: 0.004",)),
    ],
)
def test_numbers_that_differ_a_little_get_a_tolerance(first, second, options):
    found = pinned(first, second)
    assert found.text.strip() == first
    assert found.options == options
    assert found.reason.startswith("its numbers differ a little")


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("0.5", "0.7", "print(x)"),  # not by rounding
        ("process 4711", "process 4712", "print(x)"),  # a count is exact
        ("1764365000.1", "1764365001.2", "print(time.time())"),
        ("<f at 0x7f3c12ab> 0.5", "<f at 0x7f3c12ac> 0.7", "print(x)"),
        ("{'a', 'b'}", "{'b', 'a'}", "print(x)"),
    ],
)
def test_the_rest_is_not_compared(first, second, code):
    found = pinned(first, second, code)
    assert found.text == ""
    assert found.options == (
        ":options: +SKIP",
        ":reason: it prints something else in a second run",
    )
    assert ("in a cell of its own" in found.reason) is ("time" in code)  # after a clock, the rest


TIME, COMMAND = "it prints an address or a time", "it runs a command of the system"


@pytest.mark.parametrize(
    ("reason", "first", "second", "code"),
    [
        (TIME, "10:20:30", "10:20:31", "1"),
        (TIME, "2026-11-28", "2026-11-28", "1"),
        (TIME, "0x7f3c12ab", "0x7f3c12ab", "1"),
        (TIME, "datetime.date(2026, 11, 28)", "datetime.date(2026, 11, 28)", "1"),
        *(("it prints a control character", text, text, "1")
          for text in ("a\x0cb", "bell\x07", "a\u2028b", "a\0")),
        *((COMMAND, "2", "2", code)
          for code in ("!pip install x", "%pip install x", "%%bash\nls", "x = 1\n!ls")),
        *(("the page hides it", "2", "2", f":tags: [{tag}]\n\nprint(2)")
          for tag in ("hide-output", "hide-cell")),
        ("", "2", "2", "x = 5 \\\n % 3\nprint(x != 2)"),
    ],
)  # fmt: skip
def test_what_no_cell_is_asked_to_print_again_is_not_compared(reason, first, second, code):
    assert pinned(first, second, code).reason == (reason and f"not compared: {reason}")


@pytest.mark.parametrize("clock", ["time.perf_counter()", "time.time()", "time()"])
def test_how_long_a_cell_took_is_not_pinned_though_two_runs_took_equally_long(clock):
    found = pinned("sorted in 0.0003 s", "sorted in 0.0003 s", f"t = {clock}")
    assert (found.text.strip(), found.options) == ("sorted in ...", (":options: +ELLIPSIS",))


def test_a_date_that_is_not_today_is_pinned():
    found = printed("datetime.date(1952, 6, 7), datetime.date(2026, 11, 28)")
    assert pin(found, found, "2026-11-02") == Pin(found.got)


@pytest.mark.parametrize("text", ["1", "1.", "1:", "1e", "12-", "time ", "Ab ", "datetime.d(1,"])
def test_a_long_line_takes_no_longer_than_its_length(text):
    start = time.perf_counter()
    pinned(text * 60_000, text * 60_000)
    assert time.perf_counter() - start < 3
