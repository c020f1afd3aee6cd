"""Each override of what others wrote is still needed: a test that fails tells that one can go."""

from __future__ import annotations

import inspect
from pathlib import Path

import myst_nb.sphinx_
import pydata_sphinx_theme
import pytest
import sphinx.ext.viewcode
import sphinx_book_theme
from book import formulas
from book.web import mends
from bs4 import BeautifulSoup
from py_mini_racer import MiniRacer
from sphinx_project import EXTENSIONS, build

PYDATA = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"
BOOK = Path(sphinx_book_theme.__file__).parent / "theme" / "sphinx_book_theme"
# A template or a script of the themes, and the fault in it for which it is replaced.
FAULTS = {
    "layout.html: loads the script of all icons": (
        PYDATA / "static" / "webpack-macros.html",
        "scripts/fontawesome.js",
    ),
    "layout.html: loads Sphinx's search": (PYDATA / "layout.html", "_static/searchtools.js"),
    "layout.html: a banner that may be empty": (PYDATA / "layout.html", '<header id="pst-header"'),
    "layout.html: the label of the printed contents": (BOOK / "layout.html", 'aria-label="Page"'),
    "layout.html: a dialog without a name": (
        PYDATA / "layout.html",
        '<dialog id="pst-search-dialog">',
    ),
    "page.js: drawers without a name": (
        PYDATA / "layout.html",
        '<dialog id="pst-primary-sidebar-modal"></dialog>',
    ),
    "navbar-logo.html: the title of the book is in no landmark": (
        PYDATA / "layout.html",
        '<div id="pst-primary-sidebar" class="bd-sidebar-primary',
    ),
    "sbt-sidebar-nav.html: the label of the chapters": (
        BOOK / "components" / "sbt-sidebar-nav.html",
        'aria-label="Main"',
    ),
    "search-button-field.html: a label that is not what is written": (
        PYDATA / "components" / "search-button-field.html",
        "aria-label=\"{{ _('Search') }}\"",
    ),
    "search.html: writes to the console": (PYDATA / "search.html", "console.log("),
    "theme-switcher.html: needs Bootstrap's script": (
        PYDATA / "components" / "theme-switcher.html",
        'data-bs-toggle="dropdown"',
    ),
    "toggle-primary-sidebar.html: the button's title": (
        BOOK / "components" / "toggle-primary-sidebar.html",
        'title="Toggle primary sidebar"',
    ),
    "toggle-secondary-sidebar.html: the button's title": (
        BOOK / "components" / "toggle-secondary-sidebar.html",
        'title="Toggle secondary sidebar"',
    ),
    "page.js: the theme writes to the console": (
        PYDATA / "static" / "scripts" / "pydata-sphinx-theme.js",
        "console.log(`[PST]: Changed to",
    ),
    "page.js: the theme lays out the whole page": (
        PYDATA / "static" / "scripts" / "pydata-sphinx-theme.js",
        ".scrollWidth>",
    ),
    "page.js: the theme takes the focus from a button": (
        BOOK / "static" / "scripts" / "sphinx-book-theme.js",
        ".blur()",
    ),
}


@pytest.mark.parametrize("override", FAULTS)
def test_the_theme_still_has_the_fault(override):
    file, fault = FAULTS[override]
    assert fault in file.read_text(encoding="utf-8")


def test_each_template_is_accounted_for():
    ours = {file.name for file in EXTENSIONS.glob("*/templates/*")}
    new = {name for name in ours if not any(file.name == name for file in themes())}
    assert ours - new == {override.partition(":")[0] for override in FAULTS} - {"page.js"}


def themes():
    return [*PYDATA.rglob("*.html"), *BOOK.rglob("*.html")]


def test_myst_nb_still_folds_with_paragraphs_in_a_summary():
    assert '<p class="collapsed' in inspect.getsource(myst_nb.sphinx_.visit_HideCellInput)


@pytest.mark.parametrize(
    ("tex", "fault"),
    [
        (r"\begin{aligned}a \\ b\end{aligned}", ' columnspacing=""'),
        (r"d_{\max}", "<mo>\N{FUNCTION APPLICATION}</mo></msub>"),
        (r"d^{\max}", "<mo>\N{FUNCTION APPLICATION}</mo></msup>"),
        (r"d_a^{\max}", "<mo>\N{FUNCTION APPLICATION}</mo></msubsup>"),
    ],
)
def test_katex_still_writes_what_mathml_forbids(tex, fault):
    racer = MiniRacer()
    racer.eval(formulas.SCRIPT)
    stock = racer.call("katex.renderToString", tex, {"displayMode": True})
    racer.close()
    assert fault in stock
    assert formulas.valid(stock) != stock
    assert fault not in formulas.render(tex, display=True)


LONG = """
.. py:function:: f(one_parameter=1, another_parameter=2, and_a_third_one=3)

See [Known]_.

.. [Known] A book.
"""


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    settings = "python_maximum_signature_line_length = 20"
    folder = tmp_path_factory.mktemp("stock")
    built = build(folder, {"index.rst": f"x\n=\n{LONG}"}, settings=settings)
    assert built.code == 0, built.messages
    return built.html()


def test_sphinx_still_puts_a_list_without_terms_into_a_term(stock):
    assert BeautifulSoup(stock, "html.parser").select("dt > dl > dd:first-child")
    mended = BeautifulSoup(mends.mend(stock), "html.parser")
    assert not mended.select("dt dl")
    lines = [node.text for node in mended.select("dt > .sig-lines > .sig-line")]
    assert lines == ["one_parameter=1,", "another_parameter=2,", "and_a_third_one=3,"]
    assert mended.text.split() == BeautifulSoup(stock, "html.parser").text.split()


def test_docutils_still_gives_entries_a_role_that_is_given_up(stock):
    roles = "[role=list] > [role=doc-biblioentry]"
    assert BeautifulSoup(stock, "html.parser").select(roles)
    mended = BeautifulSoup(mends.mend(stock), "html.parser")
    assert mended.select("[role=list] > [role=listitem]")
    assert not mended.select("[role=doc-biblioentry]")


def test_sphinx_still_puts_blocks_into_listings_of_code(built_site):
    page = (built_site / "_modules" / "snn_docs" / "neurons.html").read_text(encoding="utf-8")
    assert "viewcode-block" in page
    assert 'div class="viewcode-block"' not in page
    assert 'div class="viewcode-block"' in inspect.getsource(sphinx.ext.viewcode)


def test_only_listings_are_mended():
    listing = '<pre>a\n<div class="viewcode-block" id="x">\n<a>b</a>\n</div>\n</pre>'
    around = "<div><pre>c</pre></div>"
    mended = listing.replace("div", "span")
    assert mends.mend(2 * (around + listing) + around) == 2 * (around + mended) + around


def test_the_mends_are_at_work(built_site):
    text = (built_site / "api_neurons.html").read_text(encoding="utf-8")
    assert "sig-lines" in text
    text = (built_site / "references.html").read_text(encoding="utf-8")
    assert 'role="listitem"' in text
