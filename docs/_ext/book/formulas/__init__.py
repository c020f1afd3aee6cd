"""Formulas are typeset while the site is built, by KaTeX in a V8 that comes as a Python wheel.

The reader's browser gets HTML, MathML for those who listen, one stylesheet and its fonts: no
script. Node is neither needed nor used, so there is one way to set a formula, and one look. A
formula that KaTeX cannot read is a warning at its own line, so the build fails and red text is
never published. ``katex.min.js`` and ``static/katex`` come from one release (``npm pack
katex``); change both together.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from py_mini_racer import JSEvalException
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from book.v8 import running

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

SCRIPT = Path(__file__).with_name("katex.min.js").read_text(encoding="utf-8")
STYLE = "katex/katex.min.css"
APPLIED_TO_NOTHING = re.compile("<mo>\N{FUNCTION APPLICATION}</mo>(?=</m(?:sub|sup|subsup)>)")
# The parts between its signs that make a formula too long for what is left of a line on a phone.
LONG = 5
logger = logging.getLogger(__name__)


@cache
def render(tex: str, *, display: bool, output: str = "htmlAndMathml") -> str:
    """Typeset one formula. Raise ValueError if it cannot be read."""
    options = {"displayMode": display, "output": output, "strict": "error"}
    try:
        shown = str(running(SCRIPT).call("katex.renderToString", tex, options))
    except JSEvalException as error:
        message = next(line for line in str(error).splitlines() if "Error: " in line)
        raise ValueError(message.partition("Error: ")[2]) from None
    return valid(shown)


def valid(shown: str) -> str:
    r"""Mend what KaTeX writes and MathML forbids.

    The space between the columns of a table that has only one; and the sign that a function is
    applied, where the function's name is an index (``d_\max``) and the sign would be a second one.
    """
    return APPLIED_TO_NOTHING.sub("", shown.replace(' columnspacing=""', ""))


def lines_aligned(tex: str) -> str:
    r"""Align lines at ``&`` unasked, as Sphinx does. ``\\`` or an empty line ends a line."""
    lines = [part.strip() for part in tex.split("\n\n") if part.strip()]
    if len(lines) > 1 or r"\\" in tex:
        return r"\begin{aligned}" + r"\\".join(lines) + r"\end{aligned}"
    return tex


def tex_of(node: nodes.math_block) -> str:
    """Return a formula that stands on lines of its own: aligned, unless that is forbidden."""
    as_written = node.get("no-wrap", node.get("nowrap", False))
    return node.astext() if as_written else lines_aligned(node.astext())


def typeset(translator: HTML5Translator, node: nodes.Element, tex: str, *, display: bool) -> str:
    """Return a formula in the form that its builder has, or warn where its node stands."""
    shown_by = getattr(translator.builder, "render_formula", render)
    try:
        return str(shown_by(tex.strip(), display=display))
    except ValueError as error:
        logger.warning("%s", error, location=node, type="katex")
        return ""


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line of text; a long one may be broken after its signs."""
    shown = typeset(translator, node, node.astext(), display=False)
    # Told here: a stylesheet that counts them makes each layout of the page longer.
    classes = "math math-long" if shown.count('class="katex-base"') >= LONG else "math"
    translator.body.append(translator.starttag(node, "span", "", CLASS=classes))
    translator.body.append(f"{shown}</span>")
    raise nodes.SkipNode


def visit_math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, with its number if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    # A wide formula scrolls by itself. What scrolls must be reachable by keyboard.
    translator.body.append('<div class="math-scroll" tabindex="0">')
    translator.body.append(typeset(translator, node, tex_of(node), display=True))
    translator.body.append("</div>")
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the renderer ``html_math_renderer = "katex"``."""
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.add_css_file(STYLE)
    app.add_css_file("formulas.css")
