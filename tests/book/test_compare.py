"""What a cell printed is compared with its block, character for character unless flags say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mystnb import FRONT_MATTER
from nbformat.v4 import new_output

from snn_docs.book.compare import Status, judge, normalize, printed
from snn_docs.book.page import parse_page

TENSOR = "tensor([0.0000, 0.0500,\n        0.1000])"


def stream(text, name="stdout"):
    return new_output("stream", text=text, name=name)


def status(block, *outputs):
    page = parse_page(Path("page.md"), FRONT_MATTER + "```{code-cell}\n1\n```\n" + block)
    return judge(page, page.cells[0], outputs).status


def expect(text, options=""):
    head = f":options: {options}\n\n" if options else ""
    return f"`````{{testoutput}}\n{head}{text}\n`````\n"


def test_the_same_text_matches():
    assert status(expect(TENSOR), stream(TENSOR + "\n")) is Status.MATCHES


@pytest.mark.parametrize(
    "got",
    [
        TENSOR.replace("0.0500", "0.0501"),
        TENSOR.replace(", ", ",  "),
        TENSOR.replace("        ", "       "),
        TENSOR + ".",
        TENSOR[:-1],
        TENSOR.replace("\n", "\n\n"),
        "\n" + TENSOR,
        " " + TENSOR,
    ],
    ids=["digit", "space", "indent", "more", "less", "blank line", "leading line", "leading space"],
)
def test_any_other_text_differs(got):
    assert status(expect(TENSOR), stream(got + "\n")) is Status.DIFFERS


def test_trailing_blanks_are_no_difference():
    assert status(expect("a\nb"), stream("a  \nb\t\n\n\n")) is Status.MATCHES


def test_no_block_and_no_output():
    assert status("") is Status.SILENT
    assert status("", stream("\n \n")) is Status.SILENT


def test_output_without_a_block():
    assert status("", stream("1\n")) is Status.UNEXPECTED


def test_a_block_without_output():
    assert status(expect("1")) is Status.MISSING
    assert status("```{testoutput}\n```\n") is Status.MISSING


@pytest.mark.parametrize(
    ("options", "text", "same"),
    [
        ("", "t...r", False),
        ("+ELLIPSIS", "t...r", True),
        ("", "ten  sor", False),
        ("+NORMALIZE_WHITESPACE", "ten  sor", True),
        ("+NORMALIZE_WHITESPACE, +ELLIPSIS", "t...  sor", True),
    ],
)
def test_flags(options, text, same):
    got = "ten sor" if "  " in text else "tensor"
    found = status(expect(text, options), stream(got))
    assert found is (Status.MATCHES if same else Status.DIFFERS)


def test_true_is_not_1_unless_asked():
    assert status(expect("1"), stream("True\n")) is Status.DIFFERS
    assert status(expect("1", "-DONT_ACCEPT_TRUE_FOR_1"), stream("True\n")) is Status.MATCHES


def test_blankline_marks_a_blank_line_unless_asked():
    assert status(expect("<BLANKLINE>\na"), stream("\na")) is Status.MATCHES
    block = expect("<BLANKLINE>\na", "+DONT_ACCEPT_BLANKLINE")
    assert status(block, stream("\na")) is Status.DIFFERS
    assert status(block, stream("<BLANKLINE>\na")) is Status.MATCHES


def test_a_letter_is_not_its_escape():
    # plain doctest takes these for the same
    assert status(expect("膜"), stream("\\u819c")) is Status.DIFFERS


def test_errors_are_compared_by_type_and_message():
    error = new_output("error", ename="ValueError", evalue="bad", traceback=["…"])
    assert status(expect("ValueError: bad"), error) is Status.MATCHES
    assert status(expect("ValueError: worse"), error) is Status.DIFFERS
    assert status(expect("ValueError: worse", "+IGNORE_EXCEPTION_DETAIL"), error) is Status.MATCHES
    assert status(expect("TypeError: bad", "+IGNORE_EXCEPTION_DETAIL"), error) is Status.DIFFERS


def test_streams_results_and_errors_are_one_text_in_order():
    outputs = [
        stream("out\n"),
        stream("err", "stderr"),
        new_output("execute_result", data={"text/plain": "42"}, execution_count=1),
        new_output("error", ename="E", evalue="v", traceback=[]),
    ]
    assert printed(outputs) == "out\nerr\n42\nE: v\n"


def test_a_figure_is_not_printed():
    data = {"text/plain": "<Figure size 640x480>", "image/svg+xml": "<svg/>"}
    assert printed([new_output("display_data", data=data)]) == ""


def test_carriage_returns_end_lines():
    assert normalize("a\r\nb\rc") == "a\nb\nc\n"


plain = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(plain, max_size=5).map("\n".join))
def test_normalize_is_idempotent_and_drops_only_trailing_blanks(text):
    once = normalize(text)
    assert normalize(once) == once
    lines = [line.rstrip() for line in text.split("\n")]
    assert once.rstrip("\n") == "\n".join(lines).rstrip("\n")


def test_a_verdict_is_right_only_if_it_matches_or_nothing_was_said():
    page = parse_page(Path("page.md"), FRONT_MATTER + "```{code-cell}\n1\n```\n" + expect("1"))
    assert judge(page, page.cells[0], [stream("1")]).ok
    assert not judge(page, page.cells[0], [stream("2")]).ok
    assert not judge(page, page.cells[0], []).ok
