"""What a cell printed is compared with its block, character for character unless options say so."""

from __future__ import annotations

import doctest
from decimal import Decimal
from pathlib import Path

import nbformat
import pytest
from docutils.core import publish_string
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from IPython.display import HTML, JSON, SVG, Javascript, Latex, Markdown, Pretty
from myst_nb.docutils_ import Parser
from myst_nb.ext.glue import GLUE_PREFIX
from mystnb import FRONT_MATTER
from nbformat.v4 import new_code_cell, new_notebook, new_output

from bookproof.compare import Status, judge, matches
from bookproof.outputs import normalize, printed
from bookproof.page import Expected, parse_page
from bookproof.tolerance import Tolerance

TENSOR = "tensor([0.0000, 0.0500,\n        0.1000])"
STRICT = doctest.DONT_ACCEPT_TRUE_FOR_1


def stream(text, name="stdout"):
    return new_output("stream", text=text, name=name)


def verdict(block, *outputs, tags=()):
    head = f":tags: [{', '.join(tags)}]\n\n"
    page = parse_page(Path("page.md"), f"{FRONT_MATTER}```{{code-cell}}\n{head}1\n```\n{block}")
    return judge(page, page.cells[0], outputs)


def status(block, *outputs, tags=()):
    return verdict(block, *outputs, tags=tags).status


def expect(text, options="", **more):
    """A block with its options."""
    head = [f":options: {options}"] * bool(options) + [f":{k}: {v}" for k, v in more.items()]
    lines = [*head, *[""] * bool(head), text]
    return "`````{testoutput}\n" + "\n".join(lines) + "\n`````\n"


def near(want, got, flags=0, *, exact=(), **amounts):
    """Whether a printed text is accepted, under a tolerance if one is given."""
    given = {name: Decimal(repr(each)) for name, each in amounts.items()}
    tolerance = Tolerance(exact=exact, **given) if given else None
    return matches(Expected(1, 2, 3, want, STRICT | flags, tolerance), normalize(got))


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


def test_no_block_and_no_output():
    assert status("") is Status.SILENT
    assert status("", stream("\n \n")) is Status.SILENT


def test_output_without_a_block_is_wrong_on_a_page_that_has_blocks():
    another = "```{code-cell}\n2\n```\n" + expect("2")
    assert status(another, stream("1\n")) is Status.UNEXPECTED
    assert status("", stream("1\n")) is Status.UNCHECKED


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


def test_true_is_not_1():
    assert status(expect("1"), stream("True\n")) is Status.DIFFERS


def test_blankline_marks_a_blank_line():
    assert status(expect("<BLANKLINE>\na"), stream("\na")) is Status.MATCHES


def test_a_letter_is_not_its_escape():
    # plain doctest takes these for the same
    assert status(expect("膜"), stream("\\u819c")) is Status.DIFFERS


def test_streams_results_and_errors_are_one_text_in_order():
    outputs = [
        stream("out\n"),
        stream("err", "stderr"),
        new_output("execute_result", data={"text/plain": "42"}, execution_count=1),
        new_output("error", ename="E", evalue="v", traceback=[]),
    ]
    assert printed(outputs) == "out\nerr\n42\nE: v\n"


def result(data):
    return new_output("display_data", data=data)


def shown(thing):
    """What is printed of a thing that IPython displays."""
    return printed([result(DisplayFormatter().format(thing)[0])])


class Table:
    """Displays itself in two ways, as a table of pandas does."""

    def __repr__(self):
        return "   a\n0  1"

    def _repr_html_(self):
        return "<table>…</table>"


@pytest.mark.parametrize(
    "data",
    [
        {"image/svg+xml": "<svg/>"},
        {"image/png": "…"},
        {"image/png": "…", "text/html": "<img>", "text/latex": "$x$"},
        {"application/vnd.jupyter.widget-view+json": {}, "text/html": "<p>"},
        {"application/javascript": "alert()"},
    ],
    ids=" ".join,
)
def test_a_figure_is_not_printed(data):
    assert printed([result({"text/plain": "<Figure size 640x480>", **data})]) == ""


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (0.5, "0.5"),
        ([1, 2], "[1, 2]"),
        (Table(), "   a\n0  1"),
        (HTML("<b>x</b>"), "<b>x</b>"),
        (Markdown("**x**"), "**x**"),
        (Latex("$x$"), "$x$"),
        (JSON({"b": [1], "a": "膜"}), '{"a": "膜", "b": [1]}'),
        (Pretty("x"), "x"),
        (Javascript("1"), ""),
        (SVG('<svg xmlns="http://www.w3.org/2000/svg"/>'), ""),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_a_result_is_printed_as_what_can_be_read_of_it(thing, text):
    assert shown(thing) == normalize(text)


def test_what_is_glued_for_another_place_is_not_printed():
    data = {f"{GLUE_PREFIX}text/plain": "1", f"{GLUE_PREFIX}image/png": "…"}
    assert printed([result(data)]) == ""


OUTPUTS = [
    stream("OUT\n"),
    stream("ERR\n", "stderr"),
    new_output("execute_result", data={"text/plain": "RESULT"}, execution_count=1),
    new_output("error", ename="Error", evalue="BAD", traceback=["BAD"]),
]


@pytest.mark.parametrize(
    "tag",
    ["remove-cell", "remove_cell", "remove-output", "remove_output", "remove-stdout",
     "remove_stdout", "remove-stderr", "remove-input", "hide-cell", "hide-output", "a"],
)  # fmt: skip
def test_what_a_tag_takes_off_the_page_is_what_needs_no_block(tag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # myst-nb leaves a file behind
    cell = new_code_cell("1", metadata={"tags": [tag]}, outputs=OUTPUTS)
    quiet = {"nb_execution_mode": "off", "output_encoding": "unicode", "report_level": 5}
    page = publish_string(
        nbformat.writes(new_notebook(cells=[cell])), parser=Parser(), settings_overrides=quiet
    )
    got = verdict("", *OUTPUTS, tags=[tag]).got
    words = ("OUT", "ERR", "RESULT", "BAD")
    assert [word in got for word in words] == [word in page for word in words]


def test_a_block_after_a_cell_whose_output_is_hidden_is_compared():
    for tag in ("remove-output", "remove-stdout"):
        assert status("", stream("1"), tags=[tag]) is Status.SILENT
        assert status(expect("1"), stream("1"), tags=[tag]) is Status.MATCHES
        assert status(expect("2"), stream("1"), tags=[tag]) is Status.DIFFERS


@pytest.mark.parametrize("outputs", [[stream("2")], [stream("1")], []])
def test_a_skipped_output_is_right_whatever_it_is(outputs):
    found = verdict(expect("1", "+SKIP", reason="needs a GPU"), *outputs)
    assert found.status is Status.SKIPPED
    assert found.ok
    assert found.got == printed(outputs)


def test_a_carriage_return_begins_its_line_anew_and_ends_one_before_a_line_feed():
    assert normalize("a\r\nb\rc\n\rd\r") == "a\nc\nd\n"


plain = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(plain, max_size=5).map("\n".join))
def test_normalize_is_idempotent_and_drops_only_trailing_blanks(text):
    once = normalize(text)
    assert normalize(once) == once
    lines = [line.rstrip() for line in text.split("\n")]
    assert once.rstrip("\n") == "\n".join(lines).rstrip("\n")


# Numbers


def test_a_tolerance_is_that_of_the_block():
    assert status(expect("x = 0.5", rtol="1e-2"), stream("x = 0.504")) is Status.MATCHES
    assert status(expect("x = 0.5", rtol="1e-2"), stream("x = 0.506")) is Status.DIFFERS
    assert status(expect("x = 0.5", atol="1e-2"), stream("x = 0.506")) is Status.MATCHES
    assert status(expect("x = 0.5"), stream("x = 0.504")) is Status.DIFFERS
    assert status(expect("x = -0.5", rtol="1e-2"), stream("x = -0.504")) is Status.MATCHES


@pytest.mark.parametrize(
    ("want", "got"),
    [
        ("1", "1.0"),  # integers are no floats
        ("1.0", "1"),
        ("1.0", "1.0+0j"),
        ("1.0", "1.0j"),
        ("float64", "float65"),  # digits of words are text
        ("x1.5", "x1.6"),
        ("torch 2.13.0", "torch 2.13.1"),
        ("1.25.3", "1.35.3"),
        ("1.2.dev3", "1.3.dev3"),
        ("0x1e5", "0x1e6"),
        ("e1e5f", "e1e6f"),
        ("9e5f", "9e6f"),
        ("at 1e5.7.1", "at 1e6.7.1"),
        ("3-2.5", "3+2.5"),  # a sign between two things is none of a number
        ("x[0]-0.5", "x[0]+0.5"),
        ("0.5-0.7", "0.5 -0.7"),
        ("nan", "inf"),
        ("nan", "0.0"),
        ("inf", "-inf"),
        ("1e300", "inf"),
        ("nano", "info"),
        ("1.0+nanj", "nan+1.0j"),
        ("nan+1.0j", "nan+9.0j"),
        ("[1.0, 2.0]", "[1.0], 2.0"),  # brackets are the shape
        ("[[1.0, 2.0]]", "[1.0, 2.0]"),
        ("[1.0, 2.0]", "[1.0, 2.0, 3.0]"),
        ("[1.0 2.0]", "[1.0, 2.0]"),
        ("a 1.0", "b 1.0"),
        ("a b 1.0", "ab 1.0"),
        ("True", "1"),
        ("１.0", "２.0"),
    ],
)
@pytest.mark.parametrize("options", [{"atol": 3.0}, {"rtol": 3.0}], ids=str)
def test_only_numbers_of_one_kind_have_a_tolerance(want, got, options):
    assert not near(want, got, **options)
    assert near(want, want, **options)
    assert near(got, got, **options)


def test_a_tolerance_reaches_whole_numbers_too():
    assert near("2488 spikes", "2559 spikes", rtol=0.15)
    assert not near("2488 spikes", "2900 spikes", rtol=0.15)


@pytest.mark.parametrize(
    ("exact", "got", "accepted"),
    [
        ((), "epoch 3: 0.51, 40 spikes of [64, 10]", True),
        ((), "epoch 2: 0.5, 42 spikes of [66, 10]", True),
        (("integers",), "epoch 2: 0.51, 40 spikes of [64, 10]", True),
        (("integers",), "epoch 2: 0.5, 41 spikes of [64, 10]", False),
        (("epoch *",), "epoch 2: 0.51, 42 spikes of [64, 10]", True),
        (("epoch *",), "epoch 3: 0.5, 40 spikes of [64, 10]", False),
        (("epoch *", "[*, *]"), "epoch 2: 0.5, 42 spikes of [64, 10]", True),
        (("epoch *", "[*, *]"), "epoch 2: 0.5, 42 spikes of [64, 11]", False),
        (("^epoch *: *",), "epoch 2: 0.51, 40 spikes of [64, 10]", False),
    ],
)
def test_a_block_says_which_numbers_are_exact(exact, got, accepted):
    want = "epoch 2: 0.5, 40 spikes of [64, 10]"
    assert near(want, got, atol=2.0, exact=exact) == accepted


def test_the_first_number_of_each_row_may_be_exact():
    want = "steps  right\n 1  41\n 4  93"
    assert near(want, "steps  right\n 1  40\n 4  94", atol=1.0, exact=("^*",))
    assert not near(want, "steps  right\n 2  41\n 4  93", atol=1.0, exact=("^*",))


@pytest.mark.parametrize(
    ("want", "got", "atol", "accepted"),
    [
        ("0.56", "0.52", 0.04, True),  # in binary, they are farther apart
        ("0.56", "0.52", 0.039, False),
        ("0.3", "0.1", 0.2, True),
        ("1E+400", "9E+999", 1.0, False),
        ("1e-400", "0.0", 0.0, False),
        (f"1e{'9' * 23}", f"2e{'9' * 23}", 1.0, False),
        (f"1e{'9' * 23}", "nan", 1.0, False),
        ("123456789012345678901", "123456789012345678900", 1.0, True),
        ("123456789012345678902", "123456789012345678900", 1.0, False),
    ],
)
def test_decimals_are_decimals_of_any_size(want, got, atol, accepted):
    assert near(want, got, atol=atol) == accepted


@pytest.mark.parametrize(
    ("want", "got"),
    [
        ("0.5", "+0.501"),
        ("-0.0", "0.0"),
        (".5", "0.5"),
        ("1.", "1.001"),
        ("1e-3", "0.001"),
        ("1.e+10", "1.0000e+10"),
        ("5E-1", "0.5"),
        ("-inf", "-inf"),
        ("nan", "-nan"),
        ("1.5mV", "1.501mV"),
        ("1.5%", "1.501 %"),
        ("電位は0.5です", "電位は0.501です"),
        ("電位は-0.5です。", "電位は-0.501です。"),
        ("It is 0.5.", "It is 0.501."),
        ("v=0.5,", "v=0.501,"),
        ("3-2.5", "3-2.501"),
        ("<0.5>", "<0.501>"),
        ("1.0+2.0j", "1.001+2.001j"),
        ("(1-2.5j)", "(1-2.501j)"),
        ("(1+0.001j)", "(1-0.001j)"),
        ("2.0j", "2.001j"),
        ("tensor(1.+2.j)", "tensor(1.0010+2.0010j)"),
        ("1. +2.j", "1.001+2.001j"),
        ("nan+1.0j", "nan+1.001j"),
        ("1.0-infj", "1.001-infj"),
    ],
)
def test_what_is_a_float(want, got):
    assert near(want, got, atol=0.01)
    assert near(got, want, atol=0.01)


def test_white_space_is_free_beside_a_tolerance_only():
    # torch and numpy pad columns and break lines by the width of the numbers
    for want, got in [("[0.5, 1.0]", "[ 0.5,\n  1.0 ]"), ("a  b 0.5", "a b\n0.5")]:
        assert near(want, got, rtol=0)
        assert not near(want, got)


def test_a_blank_line_is_marked_under_a_tolerance_too():
    assert near("<BLANKLINE>\nx = 0.5", "\nx =  0.501", atol=0.01)
    assert not near("<BLANKLINE>\n0.5", "\n0.501", doctest.DONT_ACCEPT_BLANKLINE, atol=0.01)
    assert not near("\nx = 0.5", "<BLANKLINE>\nx = 0.5", atol=0.01)


def test_what_no_two_runs_agree_on_is_dropped():
    assert normalize("\x1b[0;31mValueError\x1b[0m: 3\n") == "ValueError: 3\n"
    assert normalize("<Axes at 0x7f3c12ab>\n") == normalize("<Axes at 0x55d3a0b1>\n")
    assert normalize("/tmp/ipykernel_12/34.py:1: W\n") == normalize("/tmp/ipykernel_7/8.py:1: W\n")
    assert normalize("0xdeadbeef at 0x10\n") == "0xdeadbeef at 0x10\n"


def test_a_long_line_takes_no_longer_than_its_length():
    long = normalize("x" * 10_000_000)  # by its square, this would take days
    assert len(long) == 10_000_001
