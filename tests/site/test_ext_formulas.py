"""Formulas are set while building, and one that can't be set fails the build."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from book import formulas
from sphinx_project import EXTENSIONS, build

SITE = EXTENSIONS / "formulas" / "static" / "katex"
SETTINGS = 'myst_enable_extensions = ["dollarmath", "amsmath"]\nhtml_math_renderer = "katex"'


def test_formula_becomes_html_for_the_eye_and_mathml_for_the_ear():
    html = formulas.render(r"x_{t-1}", display=False)
    assert 'class="katex-html" aria-hidden="true"' in html
    assert "<math " in html
    assert "katex-display" not in html
    assert 'class="katex-display"' in formulas.render(r"x_{t-1}", display=True)


@pytest.mark.parametrize(
    ("tex", "reason"),
    [
        (r"\frac{1", "Unexpected end of input"),
        (r"\nosuch", r"Undefined control sequence: \nosuch"),
        ("電位 > 1", "unicodeTextInMathMode"),
    ],
)
def test_formula_that_cannot_be_read_raises(tex, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        formulas.render(tex, display=False)


@pytest.mark.parametrize(
    ("tex", "aligned"),
    [
        ("x = 1", "x = 1"),
        ("x &= 1 \\\\\ny &= 2", "\\begin{aligned}x &= 1 \\\\\ny &= 2\\end{aligned}"),
        ("x = 1\n\ny = 2\n", "\\begin{aligned}x = 1\\\\y = 2\\end{aligned}"),
    ],
)
def test_lines_are_aligned_as_sphinx_does(tex, aligned):
    assert formulas.lines_aligned(tex) == aligned
    assert formulas.render(aligned, display=True)


def test_a_long_formula_in_a_line_is_marked(tmp_path):
    """Its parts are what stands between its signs: lines can be broken there."""
    text = "# 題\n\n$a + b + c + d$、$a + b + c + d = e$。\n"
    built = build(tmp_path, {"index.md": text}, "myst_nb", "book.formulas", settings=SETTINGS)
    assert ["math-long" in span["class"] for span in built.page().select("span.math")] == [0, 1]


def test_page_with_formulas(tmp_path):
    text = (
        "# 題\n\n記号$x$です。\n\n$$\nx = 1 \\\\\ny = 2\n$$ (eq)\n\n{eq}`eq`を見る。\n\n"
        "\\begin{align*}\na &= 1 \\\\\nb &= 2\n\\end{align*}\n\n```{toctree}\nplain\n```\n"
    )
    pages = {"index.md": text, "plain.md": "# 式のない頁\n"}
    built = build(tmp_path, pages, "myst_nb", "book.formulas", settings=SETTINGS)
    assert built.code == 0, built.messages
    page = built.page()
    assert len(page.select("span.math > .katex")) == 1
    assert len(page.select("div.math > .math-scroll[tabindex='0'] > .katex-display")) == 2
    texts = [node.text for node in page.select("annotation")]
    assert texts[1].startswith(r"\begin{aligned}")
    assert texts[2].startswith(r"\begin{align*}")  # which says so itself
    number = page.select_one("div.math#equation-eq > .eqno")
    assert number.text.startswith("(1)")
    assert page.select_one("a[href='#equation-eq'] .eqno, a[href='#equation-eq']")
    assert page.select("link[href*='katex/katex.min.css']")
    assert not [script for script in page.select("script[src]") if "mathjax" in script["src"]]
    assert not list(built.folder.rglob("katex*.js"))


FORK = """
import os, signal, sys
from book import formulas
formulas.render("x", display=False)
child = os.fork()
if not child:
    signal.alarm(60)
    formulas.render("y", display=False)
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_sets_formulas_too():
    """As those do in which Sphinx writes pages side by side."""
    environment = os.environ | {"PYTHONPATH": str(EXTENSIONS.parent)}
    subprocess.run([sys.executable, "-c", FORK], env=environment, check=True)


def test_wrong_formulas_fail_the_build_where_they_stand(tmp_path):
    text = "# 題\n\nよい$x$と悪い$\\nosuch$です。\n\n段落。\n\n$$\n\\frac{1\n$$\n"
    built = build(tmp_path, {"index.md": text}, "myst_nb", "book.formulas", settings=SETTINGS)
    assert built.code == 1
    assert re.search(r"index\.md:3: WARNING: .*Undefined control sequence", built.messages)
    assert re.search(r"index\.md:7: WARNING: .*Unexpected end of input", built.messages)
    assert "katex-error" not in built.html()
    assert "cc0000" not in built.html()


def test_stylesheet_fonts_and_script_are_of_one_release():
    style = (SITE / "katex.min.css").read_text(encoding="utf-8")
    (version,) = re.findall(r"^/\* KaTeX ([\d.]+),", style)
    assert f'version:"{version}"' in formulas.SCRIPT
    assert set(re.findall(r"url\((.+?)\)", style)) == {
        f"fonts/{path.name}" for path in (SITE / "fonts").iterdir()
    }
    assert (SITE / "LICENSE").read_text(encoding="utf-8").startswith("The MIT License (MIT)")
