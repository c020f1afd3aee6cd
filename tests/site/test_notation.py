"""Each letter that a formula of the book holds is explained on the page of notation, once."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain

import pytest
from pages import FILES

PAGES = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+)\$", re.DOTALL)
GREEK = "alpha beta gamma delta Delta epsilon eta theta kappa lambda mu rho sigma tau phi omega"
WORDS = re.compile(r"\\(?:text\w*|math\w+|operatorname|begin|end|label)\{[^}]*\}")
LETTER = re.compile(rf"\\(?:{'|'.join(GREEK.split())})(?![A-Za-z])|(?<![\\A-Za-z])[A-Za-z]")
FIXED = {"e", r"\pi"}
"""Numbers that mean the same everywhere."""


def letters(text: str) -> set[str]:
    """Return the letters of a text's formulas; names in upright type are none."""
    prose = re.sub(
        r"^(```+|~~~+)\{(code-cell|testoutput)\}.*?^\1", "", text, flags=re.DOTALL | re.MULTILINE
    )
    formulas = (" ".join(filter(None, found)) for found in FORMULA.findall(prose))
    plain = (re.sub(r"\\[A-Za-z]+", keep_greek, WORDS.sub(" ", formula)) for formula in formulas)
    return {letter for formula in plain for letter in LETTER.findall(formula)} - FIXED


def keep_greek(command: re.Match[str]) -> str:
    return f"{command[0]} " if command[0][1:] in GREEK.split() else " "


def test_letters_are_found():
    text = "$v_t = \\max(0, \\mathrm{leak})$と`$x`\n\n$$\n\\tau_m \\frac{dv}{dt}\n$$\n"
    assert letters(text) == {"v", "t", r"\tau", "m", "d"}
    assert letters("```{code-cell}\n$a$\n```\n") == set()


def rows(text: str, heading: str) -> list[str]:
    """Return the symbols of the first column of the tables whose title holds the words."""
    tables = re.findall(r"```\{list-table\} (.+?)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    bodies = [body for title, body in tables if heading in title]
    firsts = chain.from_iterable(
        re.findall(r"^\* - (.+)$", body, re.MULTILINE)[1:] for body in bodies
    )
    return [symbol for first in firsts for symbol in re.findall(r"\$(.+?)\$", first)]


def test_a_symbol_has_one_row_and_so_one_meaning():
    symbols = rows(PAGES["notation"], "記号")
    assert len(symbols) > 20
    assert not [symbol for symbol, count in Counter(symbols).items() if count > 1]


@pytest.mark.parametrize("name", sorted(PAGES.keys() - {"notation"}))
def test_a_letter_of_a_formula_is_on_the_page_of_notation(name):
    """If this fails, add the letter to a table there: to the last, if it means something else."""
    told = letters(PAGES["notation"])
    assert not letters(PAGES[name]) - told
