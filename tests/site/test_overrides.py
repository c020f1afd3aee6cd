"""What Sphinx, docutils and KaTeX write wrong is mended; once it is right, the mend can go."""

from __future__ import annotations

import pytest
from book import formulas
from book.web import mends
from bs4 import BeautifulSoup
from sphinx_project import build


@pytest.mark.parametrize(
    ("tex", "fault"),
    [
        (r"\begin{aligned}a \\ b\end{aligned}", ' columnspacing=""'),
        (r"d_{\max}", "<mo>\N{FUNCTION APPLICATION}</mo></msub>"),
        (r"d^{\max}", "<mo>\N{FUNCTION APPLICATION}</mo></msup>"),
        (r"d_a^{\max}", "<mo>\N{FUNCTION APPLICATION}</mo></msubsup>"),
    ],
)
def test_a_formula_has_nothing_that_mathml_forbids(tex, fault, monkeypatch):
    assert fault not in formulas.render.__wrapped__(tex, display=True)
    monkeypatch.setattr(formulas, "valid", str)
    assert fault in formulas.render.__wrapped__(tex, display=True)


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


def test_a_signature_is_lines_not_a_list_without_terms(stock):
    assert BeautifulSoup(stock, "html.parser").select("dt > dl > dd:first-child")
    mended = BeautifulSoup(mends.mend(stock), "html.parser")
    assert not mended.select("dt dl")
    lines = [node.text for node in mended.select("dt > .sig-lines > .sig-line")]
    assert lines == ["one_parameter=1,", "another_parameter=2,", "and_a_third_one=3,"]
    assert mended.text.split() == BeautifulSoup(stock, "html.parser").text.split()


def test_entries_have_no_role_that_is_given_up(stock):
    roles = "[role=list] > [role=doc-biblioentry]"
    assert BeautifulSoup(stock, "html.parser").select(roles)
    mended = BeautifulSoup(mends.mend(stock), "html.parser")
    assert mended.select("[role=list] > [role=listitem]")
    assert not mended.select("[role=doc-biblioentry]")


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
    text = (built_site / "_modules" / "snn_docs" / "neurons.html").read_text(encoding="utf-8")
    assert 'span class="viewcode-block"' in text
