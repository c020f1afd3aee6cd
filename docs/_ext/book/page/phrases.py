"""Where a Japanese title may be broken: between phrases, which BudouX finds.

A line may end in the middle of a word: in running text that is how Japanese is set. In what is
short and stands alone, titles, captions, tables, cards, the lists of chapters, and the sentences
that a page begins and ends with, it disturbs: there, each boundary is marked for ``phrases.css``.
In sentences and captions, a short clause is not broken: lines end with a comma where they can. In
running text a number stays with what it counts: 5つ.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import budoux
from docutils import nodes

from book.nodes import around

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

ALONE = nodes.title, nodes.rubric, nodes.entry, nodes.term
CLASSES = {"subtitle", "page-lead", "book-summary", "ledger-claim", "door-path", "door-rest"}
COUNTED = re.compile(r"[0-9][0-9.,]*[つか一-鿿ァ-ヶ]")
CLAUSES, SHORT = re.compile(r"(?<=[、。])"), 16
"""Where a sentence has clauses, and how many letters fit into a phone's line."""
LISTED = "<partial node>"
"""What Sphinx calls a document of one title, or of the list of chapters."""
PARSER = budoux.load_default_japanese_parser()
SPLIT = {"手が": "かり", "ず": "つ"}
"""The words that BudouX breaks: how one phrase ends, and how the next begins."""


@cache
def phrases(text: str) -> tuple[str, ...]:
    """Split a text, each word with the particles behind it: これは + 文です。"""
    whole: list[str] = []
    for phrase in PARSER.parse(text):
        if whole and any(whole[-1].endswith(a) and phrase.startswith(b) for a, b in SPLIT.items()):
            whole[-1] += phrase
        else:
            whole.append(phrase)
    return tuple(whole)


def clauses(text: str) -> list[str]:
    """Split a sentence into its clauses, and the long ones and the last words into phrases."""
    return [
        piece
        for part in filter(None, CLAUSES.split(text))
        for piece in ([part] if len(part) <= SHORT and part[-1] in "、。" else phrases(part))
    ]


def is_code(text: nodes.Text) -> bool:
    """Tell whether a text is code, or stands as it is written."""
    return any(isinstance(each, nodes.literal | nodes.FixedTextElement) for each in around(text))


def stands_alone(text: nodes.Text) -> bool:
    """Tell whether a text is no running one."""
    outer = list(around(text))
    titled = outer[-1].get("source") == LISTED or any(isinstance(each, ALONE) for each in outer)
    return titled or is_sentence(text)


def is_sentence(text: nodes.Text) -> bool:
    """Tell whether a text is one of the sentences that stand alone."""
    return any(
        isinstance(each, nodes.caption) or CLASSES & set(each.get("classes", ()))
        for each in around(text)
    )


def visit_text(translator: HTML5Translator, node: nodes.Text) -> None:
    """Write a text, with its boundaries marked where it stands alone."""
    if not getattr(translator.builder, "on_site", True) or is_code(node):
        type(translator).visit_Text(translator, node)
    elif stands_alone(node):
        split = clauses if is_sentence(node) else phrases
        translator.body.append("<wbr>".join(map(translator.encode, split(node.astext()))))
    else:
        before = len(translator.body)
        type(translator).visit_Text(translator, node)
        translator.body[before:] = [
            COUNTED.sub(r'<span class="counted">\g<0></span>', written)
            for written in translator.body[before:]
        ]


def depart_text(translator: HTML5Translator, node: nodes.Text) -> None:
    """Nothing follows it."""


def setup(app: Sphinx) -> None:
    """Write texts so."""
    app.add_css_file("phrases.css")
    text: Any = nodes.Text  # Sphinx takes it, as any class of nodes, though it says elements.
    app.add_node(text, override=True, html=(visit_text, depart_text))
