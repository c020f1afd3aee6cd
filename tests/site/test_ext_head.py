"""What pages tell machines, with and without an address at which the book will stand."""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
from book.web import head
from sphinx_project import EXTENSIONS, Built, build

ROOT = Path(__file__).parents[2]
ADDRESS = "https://example.org/books/snn"
SETTINGS = f"""
html_theme = "sphinx_book_theme"
templates_path = {[str(EXTENSIONS / name / "templates") for name in ("web", "search", "place")]!r}
html_css_files = ["book.css"]
html_static_path = {[str(EXTENSIONS / name / "static") for name in ("web", "search")]!r}
html_static_path += [{str(ROOT / "docs" / "_static")!r}]
project = "本"
html_title = project
html_use_index = False
html_theme_options = {{"use_download_button": False, "use_fullscreen_button": False}}
html_context = {{"default_mode": "auto"}}
head_picture = "_static/card.png"
"""
PAGES = {
    "index.md": "---\nmyst:\n  html_meta:\n    'description lang=ja': '\"本\"の<説明>。'\n---\n"
    "# 題\n\n```{toctree}\nchapter\n```\n",
    "chapter.md": "---\nmyst:\n  html_meta:\n    description: 章の説明。\n---\n"
    "# `</script>`の章\n\n本文。\n",
    "another.md": "---\norphan: true\nmyst: {html_meta: {description: 別。}}\n---\n# 別\n",
}


def built(folder: Path, address: str = "", more: str = "") -> Built:
    settings = SETTINGS + f"html_baseurl = {address!r}\nhead_moved = {{'old': 'chapter'}}\n{more}"
    made = build(folder, PAGES, "myst_nb", "book.web.head", "book.search", settings=settings)
    assert made.code == 0, made.messages
    return made


@pytest.fixture(scope="module")
def placed(tmp_path_factory) -> Built:
    return built(tmp_path_factory.mktemp("placed"), ADDRESS)


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory) -> Built:
    return built(tmp_path_factory.mktemp("anywhere"))


def meta(site: Built, page: str) -> dict[str, str]:
    """What the named and the Open Graph elements of a page say, each of them once."""
    nodes = site.page(page).select("meta[name], meta[property]")
    told = [(node.get("name", node.get("property")), node["content"]) for node in nodes]
    told = [pair for pair in told if pair[0] != "viewport"]
    assert len(dict(told)) == len(told)
    return dict(told)


def links(site: Built, page: str) -> list[str]:
    return [node["href"] for node in site.page(page).select("link[rel=canonical]")]


# ---- With an address ----


def test_a_page_says_where_it_stands_and_what_it_is(placed):
    told = meta(placed, "chapter")
    assert told == {
        "description": "章の説明。",
        "referrer": "strict-origin-when-cross-origin",
        "og:type": "article",
        "og:locale": "ja_JP",
        "og:site_name": "本",
        "og:title": "</script>の章",
        "og:description": "章の説明。",
        "og:url": f"{ADDRESS}/chapter.html",
        "og:image": f"{ADDRESS}/_static/card.png",
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": told["og:image:alt"],
        "twitter:card": "summary_large_image",
    }
    assert links(placed, "chapter") == [f"{ADDRESS}/chapter.html"]


def test_the_first_page_stands_for_the_folder(placed):
    told = meta(placed, "index")
    assert (told["og:type"], told["og:url"]) == ("website", f"{ADDRESS}/")
    assert told["description"] == told["og:description"] == '"本"の<説明>。'
    assert links(placed, "index") == [f"{ADDRESS}/"]


def test_404_works_at_every_depth(placed):
    page = placed.page("404")
    urls = [node[name] for name in ("href", "src", "action") for node in page.select(f"[{name}]")]
    own = [url for url in urls if not url.startswith(("#", "https:"))]
    assert own
    for url in own:
        assert url.startswith("/books/snn/"), url
        path = url.partition("?")[0].removeprefix("/books/snn/") or "index.html"
        assert (placed.folder / path).is_file(), url
    assert page.html["data-content_root"] == "/books/snn/"


# ---- Without one ----


def test_what_needs_an_address_is_left_out(anywhere):
    told = meta(anywhere, "chapter")
    assert set(told) == {
        *("description", "referrer", "og:type", "og:locale"),
        *("og:site_name", "og:title", "og:description"),
    }
    for page in ("index", "chapter", "search", "404"):
        assert not links(anywhere, page)


def test_a_404_page_that_has_no_address_works_where_it_lies(anywhere):
    page = anywhere.page("404")
    assert page.select_one("article a[href='chapter.html']")
    assert page.select_one("article form[action='search.html'] input[name=q]")


def test_a_build_that_failed_and_other_builders_write_nothing(tmp_path):
    config = SimpleNamespace(html_baseurl=ADDRESS)
    html, epub = (
        SimpleNamespace(builder=SimpleNamespace(name=name), config=config, outdir=tmp_path)
        for name in ("html", "epub")
    )
    context: dict[str, object] = {}
    head.root_not_found(html, ValueError("it failed"))
    head.root_not_found(epub, None)
    head.tell(epub, "page", "page.html", context, None)
    assert not [*tmp_path.iterdir(), *context]


# ---- Either way ----


@pytest.fixture(params=["placed", "anywhere"])
def site(request) -> Built:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("page", ["search", "404"])
def test_pages_that_say_nothing_by_themselves_are_not_listed(site, page):
    told = meta(site, page)
    assert told["robots"] == "noindex"
    assert told["description"] == head.DESCRIPTIONS[page]
    assert not site.page(page).select("link[rel=canonical]")


def test_404_leads_on(site):
    article = site.page("404").select_one("article")
    assert article.h1.text == "ページが見つかりません"
    assert article.select_one("form input[name=q]")["aria-label"]
    assert "</script>の章" in [link.text for link in article.select("nav a")]


def test_an_old_address_leads_to_the_new_one(site):
    old = site.page("old")
    assert old.select_one("meta[http-equiv=refresh]")["content"] == "0; url=chapter.html"
    assert old.select_one("article a")["href"] == "chapter.html"
    assert meta(site, "old")["robots"] == "noindex"
    assert "のページに移った。" in meta(site, "old")["description"]


def test_the_policy_comes_first_and_allows_the_one_script_within(site):
    for page in ("index", "chapter", "search", "404"):
        read = site.page(page)
        policy = read.select_one("meta[http-equiv=Content-Security-Policy]")
        assert not policy.find_all_previous(["script", "style", "link"])
        (inline,) = read.select("script:not([src])")
        digest = base64.b64encode(hashlib.sha256(inline.string.encode()).digest()).decode()
        rules = dict(rule.split(" ", 1) for rule in policy["content"].split("; "))
        assert rules["script-src"] == f"'self' 'sha256-{digest}'"
        assert rules["default-src"] == "'self'"
        assert rules["frame-src"] == rules["object-src"] == "'none'"
        assert not read.select("style")
        assert not [name for node in read.find_all() for name in node.attrs if name[:2] == "on"]


def test_a_build_that_shows_saves_goes_without_a_policy(tmp_path):
    site = built(tmp_path, more="head_policy = False\n")
    assert not site.page("chapter").select("meta[http-equiv=Content-Security-Policy]")
    assert site.page("chapter").select("script:not([src])")


def test_nothing_is_allowed_that_could_run_text_or_ask_others():
    said = head.content_policy()
    assert "unsafe-eval" not in said
    assert not [word for word in said.split() if "//" in word or word == "*"]
    unsafe = {name for name, sources in head.POLICY.items() if "unsafe-inline" in sources}
    assert unsafe == {"style-src", "style-src-attr"}
    # What no rule names, others allow: stylesheets style-src, forms and bases any place.
    for name in ("style-src-elem", "form-action", "base-uri"):
        assert head.POLICY[name] == "'self'"
    assert head.POLICY["img-src"] == "'self' data:"


def test_a_page_without_a_description_is_a_warning(tmp_path):
    made = build(
        tmp_path,
        {"index.md": "# 題\n"},
        "myst_nb",
        "book.web.head",
        "book.search",
        settings=SETTINGS,
    )
    assert made.code == 1
    assert "index.md: WARNING: this page has no description" in made.messages


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<a href="x.html#y">', '<a href="/b/x.html#y">'),
        ('<html data-content_root="./">', '<html data-content_root="/b/">'),
        ('<script src="_static/x.js?v=1">', '<script src="/b/_static/x.js?v=1">'),
        ('<form action="search.html">', '<form action="/b/search.html">'),
        ('<a href="#y">', '<a href="#y">'),
        ('<a href="https://example.org">', '<a href="https://example.org">'),
        ('<a href="/b/x.html">', '<a href="/b/x.html">'),
    ],
)
def test_urls_are_rooted_once(html, said):
    assert head.rooted(html, "https://example.org/b") == said
    assert head.rooted(said, "https://example.org/b/") == said
    assert head.rooted('<a href="x.html">', "https://example.org") == '<a href="/x.html">'


def test_the_picture_is_as_large_as_pages_say():
    data = (ROOT / "docs" / "_static" / "card.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1200, 630)
    assert len(data) < 100_000
