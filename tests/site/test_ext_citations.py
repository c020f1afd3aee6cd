"""The list of works has the labels that the text cites by."""

from __future__ import annotations

import re

from sphinx_project import build

SETTINGS = (
    "bibtex_bibfiles = ['works.bib']\n"
    "bibtex_default_style = bibtex_reference_style = 'author_year'\n"
)
PAGE = "# 題\n\n{cite:t}`one`、{cite:t}`two`、{cite:t}`three`。\n\n```{bibliography}\n```\n"


def work(key: str, authors: str, year: int = 1999) -> str:
    return f"@misc{{{key}, author = {{{authors}}}, title = {{{key}}}, year = {year}}}\n"


def built(folder, *works, **more):
    pages = {"index.md": PAGE, "works.bib": "".join(works), **more}
    return build(
        folder, pages, "myst_nb", "sphinxcontrib.bibtex", "book.page.citations", settings=SETTINGS
    )


def test_a_label_is_what_the_text_says(tmp_path):
    found = built(
        tmp_path,
        work("one", "Lapicque, Louis", 1907),
        work("two", "van Rossum, Mark and Brunel, Nicolas"),
        work("three", "Wu, A. and Li, B. and Shi, C."),
    )
    assert found.code == 0, found.messages
    page = found.page()
    cited = [node.text for node in page.select(".bibtex-citation")]
    assert cited == ["Lapicque [1907]", "van Rossum and Brunel [1999]", "Wu et al. [1999]"]
    labels = {node.text for node in page.select(".citation > .label")}
    assert labels == {re.sub(r" \[(\d+)\]", r", \1", f"[{text}]") for text in cited}


def test_works_with_the_same_names_are_in_the_order_of_their_years(tmp_path):
    found = built(
        tmp_path,
        work("one", "Fang, W. and Chen, Y. and Li, B.", 2023),
        work("two", "Fang, W. and Yu, Z. and Shi, C.", 2021),
        work("three", "Gallego, G.", 2022),
    )
    assert found.code == 0, found.messages
    labels = [node.text for node in found.page().select(".citation > .label")]
    assert labels == ["[Fang et al., 2021]", "[Fang et al., 2023]", "[Gallego, 2022]"]


def test_two_works_with_one_label_are_an_error(tmp_path):
    authors = "Wu, A. and Li, B."
    found = built(tmp_path, work("one", authors), work("two", authors), work("three", "Shi, C."))
    assert found.code == 1
    assert 'duplicate label "Wu and Li, 1999"' in found.messages


def test_a_page_of_docstrings_has_no_anchor_twice(tmp_path):
    docstring = "```{eval-rst}\n出典: :cite:t:`one`\n```\n\n"
    works = [work(key, f"{key}, A.") for key in ("one", "two", "three")]
    toc = "\n```{toctree}\napi\n```\n"
    more = {"index.md": PAGE + toc, "api.md": f"# API\n\n{2 * docstring}"}
    found = built(tmp_path, *works, **more)
    assert found.code == 0, found.messages
    ids = [node["id"] for node in found.page("api").find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert len(found.page("api").select(".bibtex-citation")) == 2
    cited = found.page().select_one(".bibtex-citation")
    assert found.page().select_one(f".citation a[href='#{cited['id']}']")
