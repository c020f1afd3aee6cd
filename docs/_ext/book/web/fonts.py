"""The fonts that a page asks for at once: those of its formulas, and the one of its code.

Left to its stylesheet, a browser asks for a font once it has laid out the page, and then lays out
all of it again. It complains of one that it is told to fetch and then does not see.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

KATEX = "katex/fonts/KaTeX_{}.woff2".format
# Where they lie among the static files, and what uses them. Formulas: lines, letters, code, signs
# in four sizes.
FONTS = {
    KATEX("Main-Regular"): re.compile(r'class="katex"'),
    KATEX("Main-Bold"): re.compile(r'"mord mathbf'),
    KATEX("Math-Italic"): re.compile(r'"mord mathnormal'),
    KATEX("Typewriter-Regular"): re.compile(r'"mord (?:math|text)tt'),
    KATEX("Size1-Regular"): re.compile(r'delimsizing size1"|small-op"|delim-size1"'),
    KATEX("Size2-Regular"): re.compile(r'delimsizing size2"|large-op"'),
    KATEX("Size3-Regular"): re.compile(r'delimsizing size3"'),
    KATEX("Size4-Regular"): re.compile(r'delimsizing size4"|delim-size4"'),
    "m-plus-1-code.woff2": re.compile(r"<(?:code|pre|samp)\b|class=\"sig-"),
}
FOLDED = re.compile(r"<details(?![^>]* open).*?</details>", re.DOTALL)


def ask_early(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Name the fonts that a page shows before anything is unfolded, for ``layout.html``."""
    shown = FOLDED.sub("", context.get("body", ""))
    needed = [name for name, used in FONTS.items() if used.search(shown)]
    context["early_fonts"] = [context["pathto"](f"_static/{name}", 1) for name in needed]


def setup(app: Sphinx) -> None:
    """Ask when a page's text is known."""
    app.connect("html-page-context", ask_early)
