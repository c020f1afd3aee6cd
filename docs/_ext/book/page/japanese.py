"""Settings for Japanese that neither ``conf.py`` nor a template can reach."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

SHORT = 18  # letters: half of the narrowest phone's line


def read_markup_without_spaces(app: Sphinx) -> None:
    """Let RST markup touch Japanese text: words are not set apart by spaces."""
    app.env.settings["character_level_inline_markup"] = True


def write_dashes(_app: Sphinx, doctree: nodes.document) -> None:
    """Write Sphinx's `` -- `` after a parameter as a dash: smartquotes leaves Japanese alone."""
    for text in list(doctree.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" – "))


def mark_short_code(_app: Sphinx, doctree: nodes.document) -> None:
    """Mark code that is never broken: what is short goes to the next line whole."""
    for code in doctree.findall(nodes.literal):
        if len(code.astext()) <= SHORT:
            code["classes"].append("short-code")


def visit_hidden_cell(translator: HTML5Translator, node: HideCodeCellNode) -> None:
    """Open a folded cell as myst-nb does, without its English label over the Japanese text.

    Nor with its paragraphs: what can be clicked holds text, not blocks. Where nothing can be folded
    (``on_site`` is False), say what it is.
    """
    title = escape(node["prompt_show"].removesuffix("を表示"))
    if not getattr(translator.builder, "on_site", True):
        translator.body.append(f'<div class="folded">\n<p class="folded-title">{title}</p>\n')
        return
    classes = " ".join(["admonition", "hide", *node["classes"]])
    translator.body.append(
        f'<details class="{classes}">\n<summary data-title="{title}">\n'
        f'<span class="collapsed admonition-title">{escape(node["prompt_show"])}</span>\n'
        f'<span class="expanded admonition-title">{escape(node["prompt_hide"])}</span>\n'
        "</summary>\n"
    )


def depart_hidden_cell(translator: HTML5Translator, node: HideCodeCellNode) -> None:
    """Close it."""
    if getattr(translator.builder, "on_site", True):
        depart_HideCellInput(translator, node)
    else:
        translator.body.append("</div>\n")


def setup(app: Sphinx) -> None:
    """Connect all four."""
    app.setup_extension("myst_nb")
    app.connect("builder-inited", read_markup_without_spaces)
    app.connect("doctree-read", write_dashes)
    app.connect("doctree-read", mark_short_code)
    app.add_node(HideCodeCellNode, override=True, html=(visit_hidden_cell, depart_hidden_cell))
