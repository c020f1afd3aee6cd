"""The site as built: whole, in Japanese, and on its own."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import article as source
import pytest
from bs4 import BeautifulSoup

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [*sorted(path.stem for path in DOCS.glob("*.md")), "search"]
ARTICLE_HEADINGS = [
    "IFモデルをPyTorchで動かす",
    "IFモデルのPyTorch実装",
    "デモ1. ある時刻だけで動かしてみる。",
    "デモ2. 時々刻々と変化させてみる。",
]
# Text in which English is right: code, formulas, signatures and their types, works cited.
CODE = (
    "script, style, noscript, pre, code, kbd, .katex, .sig, .citation, .bibtex-citation, "
    ".field-list strong, .field-list em, .field-list .xref"
)
# Names that are the same in every language.
NAMES = {
    *("API", "CC", "BY", "MIT", "Ctrl", "PyTorch", "chizuchizu", "Heaviside", "ReLU", "IF", "NIR"),
}
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")


def soup(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(params=PAGES)
def page(request, built_site) -> BeautifulSoup:
    return soup(built_site, request.param)


@pytest.fixture
def article(built_site) -> BeautifulSoup:
    return soup(built_site, "if_pytorch")


def english(text: str) -> list[str]:
    """List the words of a text that has no Japanese in it, names left out."""
    if JAPANESE.search(text):
        return []
    words = re.findall(r"[A-Za-z]{2,}", text)
    return [word for word in words if word not in NAMES]


def test_english_is_noticed():
    assert english("Back to top") == ["Back", "to", "top"]
    assert not english("膜電位 (membrane potential)")
    assert not english("CC BY 4.0")


def test_every_page_is_built(built_site):
    assert {path.stem for path in built_site.glob("*.html")} == set(PAGES)


def test_language_is_declared(page):
    assert page.html["lang"] == "ja"
    assert JAPANESE.search(page.title.text)


def test_visible_text_is_japanese(page):
    for node in page.select(CODE):
        node.decompose()
    assert not [text for text in page.body.stripped_strings if english(text)]


def test_words_that_are_heard_or_pop_up_are_japanese(page):
    for node in page.select("a.reference"):
        del node["title"]  # The title of the page or the work that is linked to.
    found = {
        (name, node[name])
        for name in ("aria-label", "title", "placeholder", "alt", "data-tooltip")
        for node in page.find_all(attrs={name: True})
    }
    assert found
    assert not [pair for pair in found if english(pair[1])]


def test_ids_are_unique(page):
    ids = [node["id"] for node in page.find_all(id=True)]
    assert sorted(ids) == sorted(set(ids))


def test_pictures_are_described(page):
    for node in page.select("img, svg[role=img]"):
        text = node.get("alt", node.get("aria-label", ""))
        assert text.strip(), node
        assert not re.search(r"\.(svg|png)$", text)


def test_nothing_is_loaded_from_elsewhere(page):
    loaded = [node["src"] for node in page.find_all(src=True)]
    loaded += [
        node["href"]
        for node in page.find_all("link", href=True)
        if not {"next", "prev", "search", "index"} & set(node["rel"])
    ]
    assert loaded
    assert not [url for url in loaded if urlsplit(url).netloc]


def test_stylesheets_load_nothing_from_elsewhere(built_site):
    for path in built_site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", text), path


def test_whatever_is_loaded_exists(built_site, page):
    urls = [node["src"] for node in page.find_all(src=True)]
    urls += [node["href"] for node in page.find_all("link", href=True)]
    for url in set(urls) - {"#"}:  # The search page's link to itself.
        assert (built_site / unquote(urlsplit(url).path)).is_file(), url


def test_links_lead_somewhere(built_site, page):
    targets = {name: {n["id"] for n in soup(built_site, name).find_all(id=True)} for name in PAGES}
    (here,) = [name for name in PAGES if page == soup(built_site, name)]
    for link in page.find_all("a", href=True):
        url = urlsplit(link["href"])
        if url.scheme or url.netloc:
            assert url.scheme == "https", link
            continue
        name = Path(unquote(url.path)).stem or here
        assert name in targets, link
        assert not url.fragment or unquote(url.fragment) in targets[name], link


def test_only_what_a_reader_needs_is_published(built_site):
    assert not list(built_site.rglob("katex*.js"))
    assert not list(built_site.rglob("*.ipynb"))
    assert not list(built_site.rglob("*.md"))


def test_no_page_loads_the_icon_script(page):
    assert not [node for node in page.find_all("script", src=True) if "fontawesome" in node["src"]]
    assert not [node for node in page.find_all("script", src=True) if "mathjax" in node["src"]]


def test_headings_of_the_article_are_verbatim_and_in_order(article):
    for node in article.select(".headerlink"):
        node.decompose()
    headings = [node.text for node in article.select("article h1, article h2")]
    assert headings[0] == ARTICLE_HEADINGS[0]
    assert [text for text in headings if text in ARTICLE_HEADINGS] == ARTICLE_HEADINGS


def test_demo_1_prints_what_the_article_recorded(article):
    printed = [pre.text for pre in article.select(".cell_output .output.stream pre")]
    assert source.RECORDED in printed


def test_article_has_what_a_blog_has(article):
    crumbs = article.select_one("nav[aria-label=現在地] .bd-breadcrumbs")
    assert crumbs.select_one("a[href='index.html'][aria-label=ホーム]")
    assert crumbs.select_one("[aria-current=page]").text == ARTICLE_HEADINGS[0]
    contents = article.select_one("#pst-page-toc-nav")
    assert [link.text.strip() for link in contents.select(".toc-h2 > a")][:3] == ARTICLE_HEADINGS[
        1:
    ]
    assert article.select_one(".onthispage").text.strip() == "目次"
    byline = list(article.select_one("h1 + .byline").stripped_strings)
    assert byline[0] == "原記事: chizuchizu、2022年9月3日"
    assert re.fullmatch(r"読了時間 約\d+分", byline[1])
    for direction, label in ((".left-prev", "前へ"), (".right-next", "次へ")):
        link = article.select_one(f".prev-next-area a{direction}")
        assert link.select_one(".prev-next-subtitle").text == label


def test_article_has_formulas_that_need_no_script(article):
    assert article.select("span.math .katex-mathml math")
    assert article.select("div.math .katex-display")


def test_article_is_stamped_with_the_number_of_outputs_checked(article):
    stamp = article.select_one(".book-checked").text
    said = r"このページの出力(\d+)件は、コードを走らせて得たもので、すべて記載と一致しています。"
    found = re.fullmatch(said, stamp)
    blocks = (DOCS / "if_pytorch.md").read_text(encoding="utf-8").count("```{testoutput}")
    assert int(found[1]) == blocks > 0


def test_pages_without_cells_are_not_stamped(built_site):
    assert not soup(built_site, "glossary").select(".book-checked")


def test_every_page_names_the_author_and_the_licences(page):
    footer = page.select_one("footer.bd-footer-content").text
    for words in ("chizuchizu", "2022年9月3日", "CC BY 4.0", "MIT"):
        assert words in footer
