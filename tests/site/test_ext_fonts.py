"""The fonts that a page asks for at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from book import formulas
from book.web import fonts
from sphinx_project import EXTENSIONS

FORMULA = ["Main-Regular", "Math-Italic"]
SUM = [*FORMULA, "Size1-Regular"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("{x}<details>{sum}<code>a</code></details>", FORMULA),
        ('{x}<details class="a">{sum}</details>', FORMULA),
        ("{x}<details open>{sum}</details>", SUM),
        ("{x}<p>{sum}</p>", SUM),
        ("<p><code>a</code></p>", ["m-plus-1-code"]),
        ("<pre>a</pre>", ["m-plus-1-code"]),
        ("<p>codes</p>", []),
    ],
)
def test_fonts_are_asked_for_that_are_seen_before_anything_is_unfolded(body, names):
    set_as = {"x": "x", "sum": r"\sum_i 1"}
    html = {name: formulas.render(tex, display=False) for name, tex in set_as.items()}
    context = {"body": body.format(**html), "pathto": lambda path, _: path}
    fonts.ask_early(None, "page", "page.html", context, None)
    asked = [Path(path).stem.removeprefix("KaTeX_") for path in context["early_fonts"]]
    assert asked == names
    there = {file.name for file in EXTENSIONS.rglob("*.woff2")}
    assert {Path(path).name for path in context["early_fonts"]} <= there
