"""Numbers in a text, and the tolerance that a block gives: ``:rtol:``, ``:atol:``, ``:exact:``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext

# Possessive, so that no part of 1.2.3 is taken for a number. ASCII, so that 電位0.5です holds one.
_EXPONENT = r"(?:[eE][+-]?\d++)"
_PART = rf"(?:(?:\d++\.?+\d*+|\.\d++){_EXPONENT}?+|inf|nan)"
NUMBERS = re.compile(
    rf"""
    [+-]{_PART}j(?!\w)               # an imaginary part has its sign: 1-2j
    |
    (?: (?<![\w.)\]])[+-] )?+         # a sign, unless it stands between two things: 3-2
    (?<![\w.])                        # digits of a word are its name: float64, x1
    (?: {_PART}j(?!\w)
      | \d*+\.\d++{_EXPONENT}?+(?!\.\w)
      | \d++\.{_EXPONENT}?+(?![\w.])
      | \d++{_EXPONENT}(?!\.?\w)
      | (?:inf|nan)(?!\w)
      | \d++
    )
    """,
    re.ASCII | re.VERBOSE,
)
AMOUNT = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)(?:\s*/\s*(\d+))?", re.ASCII)
"""How an author writes a tolerance: ``0.02``, ``1e-5``, or ``4/450``, four of 450."""
INTEGERS, PLACE = "integers", "*"
"""What ``:exact:`` takes: all whole numbers, or texts in which a star stands for a number."""
# Decimals as printed are decimals: 0.52 and 0.56 are 0.04 apart, and 1E+400 is not infinite.
PRECISE = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be off: ``|got - expected| <= atol + rtol * |expected|``."""

    rtol: Decimal = Decimal(0)
    atol: Decimal = Decimal(0)
    exact: tuple[str, ...] = ()
    """Which numbers of the text it does not reach, as ``:exact:`` says."""
    unit: Decimal | None = None
    """What one more or one fewer changes, where the tolerance is given in such steps: 1/450."""

    def reach(self, text: str) -> list[bool]:
        """Return for each number of a text whether it may be off."""
        found = list(NUMBERS.finditer(text))
        held = {span for pattern in self.exact for span in _held(pattern, text)}
        whole = INTEGERS in self.exact
        return [
            not (number.start() in held or (whole and kind(number[0]) == "integer"))
            for number in found
        ]

    def allowed(self, want: str) -> Decimal:
        """Return how far a number may be off."""
        return PRECISE.fma(self.rtol, value(want).copy_abs(), self.atol)

    def allows(self, want: str, got: str) -> bool:
        """Whether a number may stand for the page's."""
        here, there = value(want), value(got)
        if here.is_finite() and there.is_finite():
            return PRECISE.subtract(here, there).copy_abs() <= self.allowed(want)
        return here == there or ("nan" in want and "nan" in got)


def kind(number: str) -> str:
    """Return what a number is; only numbers of one kind are compared by their values."""
    if "j" in number:
        return "imaginary"
    return "integer" if number.lstrip("+-").isdecimal() else "float"


def value(number: str) -> Decimal:
    """Return what a number is worth."""
    with localcontext(PRECISE):
        return Decimal(number.rstrip("j"))


def last_digit(number: str) -> Decimal:
    """Return what the last digit counts that a number is written with: 0.001 for 0.953."""
    place = value(number).as_tuple().exponent
    return Decimal(1).scaleb(place if isinstance(place, int) else 0)


def amount(text: str | None) -> tuple[Decimal, Decimal | None]:
    """Read a tolerance and, of one like 4/450, what one of them is. Raises `ValueError`."""
    wrong = "must be a number from 0 up, such as 1e-5, or a share such as 2/450"
    found = AMOUNT.fullmatch((text or "").strip())
    if not found or not float(found[1]) < math.inf or (found[2] and not int(found[2])):
        raise ValueError(wrong)
    with localcontext(PRECISE):
        unit = 1 / Decimal(found[2]) if found[2] else None
        return Decimal(found[1]) * (1 if unit is None else unit), unit


def patterns(text: str | None) -> tuple[str, ...]:
    """Read what ``:exact:`` says. Raises `ValueError` for a part that names no number."""
    given = tuple(part.strip() for part in (text or "").split(";") if part.strip())
    for part in given:
        if part != INTEGERS and PLACE not in part:
            raise ValueError(
                f"takes {INTEGERS}, or texts in which {PLACE} stands for a number, such as epoch "
                f"{PLACE}, with ; between; {part!r} is neither"
            )
    return given


def _held(pattern: str, text: str) -> set[int]:
    """Return where the numbers begin that a pattern names; white space is any white space."""
    words = pattern.removeprefix("^").split(PLACE)
    literal = [r"\s+".join(map(re.escape, re.split(r"\s+", word))) for word in words]
    begin = r"(?m)^[ ]*" if pattern.startswith("^") else ""
    wanted = re.compile(begin + r"([-+]?[\w.]+)".join(literal), re.ASCII)
    starts = {number.start() for number in NUMBERS.finditer(text)}
    return {
        found.start(group)
        for found in wanted.finditer(text)
        for group in range(1, wanted.groups + 1)
        if found.start(group) in starts
    }
