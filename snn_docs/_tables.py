"""How what this package returns is printed."""

from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width


def table(rows: Iterable[Sequence[str]]) -> str:
    """Align the columns; a Japanese character is two wide."""

    def width(text: str) -> int:
        return sum(1 + (east_asian_width(letter) in "WFA") for letter in text)

    columns = list(zip(*rows, strict=True))
    widths = [max(map(width, column)) for column in columns]
    return "\n".join(
        "  ".join(text + " " * (most - width(text)) for text, most in zip(row, widths, strict=True))
        .rstrip() for row in zip(*columns, strict=True)
    )  # fmt: skip
