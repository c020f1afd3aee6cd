"""A page is read into cells and expected outputs, each with its true line."""

from __future__ import annotations

import doctest
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myst_nb.core.config import NbParserConfig
from mystnb import FRONT_MATTER

from bookproof.page import PageError, is_page, parse_page, read_page
from bookproof.settings import Settings
from bookproof.tolerance import Tolerance

LINE = FRONT_MATTER.count("\n") + 1  # the first line of a body


def parse(body: str):
    return parse_page(Path("page.md"), FRONT_MATTER + body)


def test_a_cell_and_the_block_after_it_belong_together():
    [cell] = parse("```{code-cell}\nprint(1)\n```\n\n```{testoutput}\n1\n```\n").cells
    assert cell.source == "print(1)"
    assert cell.expected.text == "1"


def test_lines_are_those_of_the_file():
    body = (
        "text\n\n```{code-cell}\n:tags: [hide-cell]\n\nx = 1\nprint(x)\n```\n\n"
        "```{testoutput}\n:options: +ELLIPSIS\n\n1\n```\n"
    )
    [cell] = parse(body).cells
    lines = (FRONT_MATTER + body).splitlines()
    assert lines[cell.line - 1] == "x = 1"
    assert lines[cell.end - 1] == "```"
    assert lines[cell.expected.line - 1] == "```{testoutput}"
    assert lines[cell.expected.text_line - 1] == "1"
    assert lines[cell.expected.end - 1] == "```"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_do_not_depend_on_line_ends(tmp_path, newline):
    text = FRONT_MATTER + "```{code-cell}\nprint(1)\n```\n```{testoutput}\n1\n```\n"
    path = tmp_path / "page.md"
    path.write_bytes(text.replace("\n", newline).encode())
    [cell] = read_page(path).cells
    assert (cell.line, cell.expected.line) == (LINE + 1, LINE + 3)
    assert cell.expected.text == "1"


@pytest.mark.parametrize("fence", ["```", "````", "~~~"])
def test_fences_of_any_kind(fence):
    body = f"{fence}{{code-cell}} ipython3\nprint(1)\n{fence}\n{fence}{{testoutput}}\n1\n{fence}\n"
    [cell] = parse(body).cells
    assert cell.expected.text == "1"


CELL = "```{code-cell}\n1\n```\n"
BLOCK = "```{testoutput}\n1\n```\n"
# Bodies that are refused: the line of the body that is named, and what is said.
NOT_AFTER = r"does not stand right after a code cell"
REFUSED = [
    (BLOCK, 1, NOT_AFTER),
    (f"{CELL}\ntext\n\n{BLOCK}", 7, NOT_AFTER),
    (f"{CELL}{BLOCK}{BLOCK}", 7, NOT_AFTER),
    (f"{CELL}\n- item\n\n  ```{{testoutput}}\n  1\n  ```\n", 7, NOT_AFTER),
    ("```{code-cell}\n1\n\nthe rest\n", 1, r"this {code-cell} is never closed; end it with ```"),
    (f"{CELL}```{{testoutput}}\n1\n", 4, r"this {testoutput} is never closed; end it with ```"),
    (f"{CELL}```{{testoutput}} group\n1\n```\n", 4, "takes no argument"),
    ("```{code-cell}\n---\n: [\n---\n1\n```\n", None, "could not be read"),
]
# Options of a block, its text, and what is said of them.
WRONG = [
    *((f":options: {flag}", "1", r"is no option of \{testoutput\}.*ELLIPSIS")
      for flag in ("+NUMBERS", "ELLIPSIS", "+REPORT_UDIFF", "+")),
    (":hide:", "1", r"'hide'.* \(allowed: \['atol', 'exact', 'options', 'reason', 'rtol'\]\)"),
    (":rtol: 1", "0.5", "`:rtol:` must be below 1"),
    (":rtol: 1e308", "0.5", "`:rtol:` must be below 1"),
    (":atol: 0.1", "no number", "its tolerance reaches no number"),
    (":atol: 0.1\n:exact: integers", "3 of 4", "its tolerance reaches no number"),
    (":atol: 0.1\n:exact: whole", "0.5", r"takes integers, or texts in which \* stands"),
    (":atol: 0.1\n:exact: epoch *", "step 1: 0.5", r"epoch \* finds no number here"),
    (":exact: integers", "3", "names what a tolerance does not reach"),
    (":options: +SKIP", "1", "SKIP needs a reason.*add `:reason: needs a GPU`"),
    (":reason: needs a GPU", "1", r"add `:options: \+SKIP` or delete it"),
    (":options: +ELLIPSIS\n:rtol: 1e-5", "1.", "ELLIPSIS does not go with.*a cell of its own"),
]  # fmt: skip
REFUSED += [
    (f"{CELL}\n```{{testoutput}}\n{options}\n\n{text}\n```\n", 5, told)
    for options, text, told in WRONG
]


@pytest.mark.parametrize(("body", "line", "told"), REFUSED)
def test_what_cannot_be_meant_is_refused_with_its_line(body, line, told):
    with pytest.raises(PageError, match=told) as caught:
        parse(body)
    assert caught.value.line == (LINE + line - 1 if line else 1)


def test_options_are_the_flags_of_doctest():
    block = "```{testoutput}\n:options: +ELLIPSIS\n1...\n```\n"
    [cell] = parse("```{code-cell}\n1\n```\n" + block).cells
    assert cell.expected.flags == doctest.ELLIPSIS | doctest.DONT_ACCEPT_TRUE_FOR_1


def block(*options, text="1.0"):
    """The expected output of a cell whose block has these options."""
    head = "\n".join(options)
    body = f"```{{code-cell}}\n1\n```\n\n```{{testoutput}}\n{head}\n\n{text}\n```\n"
    [cell] = parse(body).cells
    return cell.expected


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ([], None),
        ([":rtol: 1e-5"], Tolerance(Decimal("1e-5"))),
        ([":atol: 1e-8"], Tolerance(atol=Decimal("1e-8"))),
        ([":rtol: 0.5", ":atol: 2"], Tolerance(Decimal("0.5"), Decimal(2))),
        (["---", "rtol: 1e-5", "---"], Tolerance(Decimal("1e-5"))),
        ([":rtol: 0"], Tolerance()),
        ([":atol: 4/500"], Tolerance(atol=Decimal("0.008"), unit=Decimal("0.002"))),
        ([":atol: 1e6"], Tolerance(atol=Decimal(10**6))),
    ],
)
def test_a_tolerance_has_a_relative_and_an_absolute_part(options, tolerance):
    assert block(*options).tolerance == tolerance


@pytest.mark.parametrize("name", ["rtol", "atol"])
@pytest.mark.parametrize(
    "amount",
    ["-1e-5", "nan", "inf", "1e400", "1e-5 %", "small", "1_0", "1e1_0", "１", "1e３", "1/0",
     "1/2.5", f"1e-{'9' * 23}"],
)  # fmt: skip
def test_a_tolerance_that_is_no_amount_is_refused(name, amount):
    wanted = rf"'{name}': {re.escape(amount)}: must be a number from 0 up, such as 1e-5"
    with pytest.raises(PageError, match=wanted) as caught:
        block(f":{name}: {amount}")
    assert caught.value.line == LINE + 4


def test_a_block_may_wait_for_its_numbers():
    assert block(":atol: 0.1", ":exact: integers", text="").tolerance


def test_an_output_is_skipped_for_a_reason():
    expected = block(":options: +SKIP", ":reason: needs a GPU")
    assert expected.flags & doctest.SKIP
    assert expected.reason == "needs a GPU"


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=6))
def test_every_cell_is_found_with_its_own_block_if_it_has_one(cells):
    body = ""
    for number, (expects, blank) in enumerate(cells):
        body += f"```{{code-cell}}\nprint({number})\n```\n" + "\n" * blank
        body += f"```{{testoutput}}\n{number}\n```\n\n" if expects else "text\n\n"
    found = [(cell.source, cell.expected and cell.expected.text) for cell in parse(body).cells]
    expected = [(f"print({n})", str(n) if e else None) for n, (e, _) in enumerate(cells)]
    assert found == expected


def test_a_page_is_recognised_by_its_front_matter(write_page, tmp_path):
    plain = tmp_path / "plain.md"
    plain.write_text("# Title\n")
    assert is_page(write_page("text\n"))
    assert not is_page(plain)
    assert not is_page(tmp_path / "missing.md")
    assert not is_page(tmp_path)
    other = tmp_path / "page.txt"
    other.write_text(FRONT_MATTER)
    assert not is_page(other)


def front(extra: str, body: str = "```{code-cell}\n1\n```\n") -> str:
    return f"---\nfile_format: mystnb\nkernelspec: {{name: python3}}\n{extra}\n---\n\n{body}"


@pytest.mark.parametrize(
    ("extra", "timeout", "allows_errors"),
    [
        ("", 30, False),
        ("mystnb: {execution_timeout: 5, execution_allow_errors: true}", 5, True),
        ("execution: {timeout: 7, allow_errors: true}", 7, True),
        ("execution: {timeout: 7}\nmystnb: {execution_timeout: 5}", 5, False),
    ],
)
def test_a_page_has_its_own_configuration(extra, timeout, allows_errors):
    config = parse_page(Path("page.md"), front(extra)).config
    assert config.execution_timeout == timeout
    assert config.execution_allow_errors is allows_errors


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("mystnb: {execution_mode: off}", "mystnb: 'execution_mode' must be in"),
        ("mystnb: {execution_timeout: soon}", "mystnb: "),
        ("mystnb: {nonsense: 1}", "mystnb: "),
        ("book: {depends: a.csv}", "book: depends: is 'a.csv', but takes a list of files"),
        ("book: {needs: [a.csv]}", "but takes depends: and complete:"),
        ("book: 3", "book: is 3, but takes depends: and complete:"),
        ("book: {complete: 1}", "book: complete: is 1, but takes true or false"),
        ("book: {depends: [nothing.csv]}", "no file matches 'nothing.csv'"),
        ("book: {depends: [/a.csv]}", "no file matches '/a.csv'"),
        ("book: {depends: ['']}", "no file matches ''"),
    ],
)
def test_an_option_of_a_page_that_is_not_honoured_is_refused(extra, told):
    with pytest.raises(PageError, match=re.escape(told)) as refused:
        parse_page(Path("page.md"), front(extra))
    assert refused.value.line == 1


def test_a_block_on_a_page_that_does_not_run_is_an_error():
    body = "```{code-cell}\n1\n```\n\n```{testoutput}\n1\n```\n"
    with pytest.raises(PageError, match="can't be checked, since the page is not run") as refused:
        parse_page(Path("page.md"), front("mystnb: {execution_mode: 'off'}", body))
    assert refused.value.line == 11


def test_a_page_that_does_not_run_says_why():
    assert parse_page(Path("page.md"), front("")).why_not_run == ""
    assert parse_page(Path("page.md"), front("", "text")).why_not_run == "it has no cell"
    quiet = front("mystnb: {execution_mode: 'off'}")
    assert parse_page(Path("page.md"), quiet).why_not_run == "its execution_mode is off"
    inline = front("mystnb: {execution_mode: inline}")
    assert parse_page(Path("page.md"), inline).why_not_run.startswith(
        "MyST-NB runs it while it reads it"
    )
    excluded = NbParserConfig(execution_excludepatterns=["drafts/*"])
    page = parse_page(Path("drafts/page.md"), front(""), Settings(notebooks=excluded))
    assert page.why_not_run == "nb_execution_excludepatterns has 'drafts/*'"


def test_a_kernel_may_have_another_name_here():
    aliases = NbParserConfig(kernel_rgx_aliases={"pyth.*": "other"})
    page = parse_page(Path("page.md"), front(""), Settings(notebooks=aliases))
    assert page.notebook.metadata.kernelspec.name == "other"
