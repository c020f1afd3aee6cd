"""What readers type, and the book writes otherwise.

Other names of a term come from the glossary: from a sentence of its definition that ends in
ともいう or とも書く, with 、 between the names; and from its English, which comes first. 「ぎじ
こうばい、surrogate gradient。疑似勾配、サロゲート勾配ともいう。」 gives three. The pages that a
definition names are where the term is looked for.

All other words are in the file ``search_words``, which says by itself how it is written.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAMING = re.compile(r"([^。]+)とも(?:いう|書く)。")
NAMING_MORE = re.compile(r"とも(?:いい|書き)$")
ENGLISH = re.compile(r"(?:[ぁ-んァ-ヺー]+、)?([A-Za-z][A-Za-z -]+[a-z])(?: \(([A-Za-z]+)\))?。")
PAGE_NAMED = re.compile(r"「([^」]+)」")


class Lead(NamedTuple):
    """A line of the file: words, and the page they lead to, or its section."""

    line: int
    page: str
    heading: str
    words: list[str]


def folded(text: str) -> str:
    """Make equal what is looked for as one, as ``fold`` in search.js does."""
    return unicodedata.normalize("NFKC", text).lower()


def other_names(definition: str) -> Iterator[str]:
    """Yield the other names that a definition gives."""
    for sentence in NAMING.findall(definition):
        for part in sentence.split("、"):
            yield NAMING_MORE.sub("", part)


def english(definition: str) -> list[str]:
    """Read the English of a term, and its abbreviation: ``spiking neural network (SNN)``."""
    found = ENGLISH.match(definition)
    return [name for name in found.groups() if name] if found else []


def variants(glossary: dict[str, str]) -> dict[str, str]:
    """Map the other names in a glossary to the book's own terms."""
    foreign = {name: term for term, text in glossary.items() for name in english(text)}
    others = {name: term for term, text in glossary.items() for name in other_names(text)}
    return {folded(name): term for name, term in (foreign | others).items()}


def homes(glossary: dict[str, str], titles: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each page that a definition names by its title, and each name of the term."""
    for term, text in glossary.items():
        for title in PAGE_NAMED.findall(text):
            if title in titles:
                yield from ((titles[title], name) for name in (term, *other_names(text)))


def split(words: str) -> list[str]:
    """Cut a list at its commas."""
    return [word.strip() for word in words.split(",")]


def read(text: str) -> tuple[dict[str, str], list[Lead], list[int]]:
    """Read the file: other names, what leads where, and the lines that say neither."""
    names: dict[str, str] = {}
    leads: list[Lead] = []
    unread: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if found := re.fullmatch(r"([^=]+?) = (.+)", line):
            names |= {folded(name): found[1] for name in split(found[2])}
        elif found := re.fullmatch(r"(\w+)(?: › ([^:]+))?: (.+)", line):
            leads.append(Lead(number, found[1], found[2] or "", split(found[3])))
        else:
            unread.append(number)
    return names, leads, unread


def placed(found: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, list[str]]]:
    """Put words where they lead, from triples of page, anchor and word."""
    places: dict[str, dict[str, list[str]]] = {}
    for page, anchor, word in found:
        words = places.setdefault(page, {}).setdefault(anchor, [])
        if folded(word) not in words:
            words.append(folded(word))
    return places
