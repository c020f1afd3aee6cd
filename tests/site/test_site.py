"""The site as built: whole, in Japanese, and on its own."""

from __future__ import annotations

import inspect
import posixpath
import re
from collections import Counter
from functools import cache
from pathlib import Path
from pydoc import locate
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import article as source
import pytest
from book import search
from bs4 import BeautifulSoup, NavigableString, Tag
from jinja2 import Template
from pages import DOCS, MOVED
from pages import PAGES as CHAPTERS

from snn_docs import surrogate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULES = (
    "adaptive", "checkpoints", "chip", "conversion", "costs", "currents", "data", "delays",
    "diagnosis", "encoding", "evaluation", "fitting", "functional", "integrator", "network",
    "neurons", "nir", "plot", "recurrent", "sequential", "states", "surrogate",
)  # fmt: skip
SOURCES = ["_modules/index", *(f"_modules/snn_docs/{name}" for name in MODULES)]
PAGES = [*CHAPTERS, "404", "search", *MOVED, *SOURCES]
ARTICLE_HEADINGS = [
    "IFモデルをPyTorchで動かす",
    "IFモデルのPyTorch実装",
    "デモ1. ある時刻だけで動かしてみる。",
    "デモ2. 時々刻々と変化させてみる。",
]
# Text in which English is right: code, formulas, signatures and their types, works cited.
CODE = {"script", "style", "noscript", "pre", "code", "kbd"}
CLASSES = {"katex", "sig", "citation", "bibtex-citation"}
FIELDS = {"strong", "em"}  # in a list of fields, names of parameters
# Names that are the same in every language.
NAMES = {
    *("API", "CC", "BY", "MIT", "Ctrl", "PyTorch", "chizuchizu", "Heaviside", "ReLU"),
    *("IF", "LIF", "NIR"),
    *("GPU", "STDP", "AVX", "ALIF", "Speck", "Xylo", "Rockpool", "Lava", "Lynxi"),
    *("Norse", "sinabs", "snnTorch", "SpikingJelly", "Triton", "EXODUS", "Tianjic", "SENECA"),
    # Data, ways of learning, networks and chips of the field.
    *("MNIST", "DVS", "Gesture", "SHD", "SSC", "SpikeProp", "SLAYER", "prop", "EventProp", "SEW"),
    *("ResNet", "Spikformer", "TrueNorth", "SpiNNaker", "Loihi", "BrainScaleS", "Akida", "Meta"),
    *("NeuroBench", "SpikeFormer", "SpikeGPT", "SpikingBrain", "PSN", "QCFS", "OTTT", "DYNAP"),
    *("CNN", "SNN", "GRU", "BPTT", "TCL", "pJ", "CubaLIF", "PLIF", "TSSL", "BP", "LSNN"),
    *("circle", "nod", "shake", "tap"),
}
# Modules, where they are listed.
MODULE = re.compile(r"snn_docs(\.\w+)?")
# Code that drawings show: classes of this package, a way to run them, the article's two lines,
# parts of a function of autograd, what a step calls, and nodes of a graph with their kinds.
SHAPES = "|".join(name for name in vars(surrogate) if name[0].isupper())
PARTS = (
    r"forward|setup_context|\.backward\(\)|torch\.func|grad|grad・vmap|"
    r"(?:[\d×]+ )?(?:run|torch\.compile)|"
    r"rsub|mul|add|sub|gt|_to_copy|neg|le|addcmul|lerp"
)
IN_FORWARD = inspect.getsource(source.IF.forward).splitlines()
LINES = "|".join(re.escape(line.strip()) for line in IN_FORWARD if " = " in line)
DRAWN = re.compile(rf"{PARTS}|{LINES}|(?:{SHAPES})(?:\([\d.]*\))?|\w+ \([A-Z]\w+\)")
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")


def soup(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def article(built_site) -> BeautifulSoup:
    return soup(built_site, "if_pytorch")


def english(text: str) -> list[str]:
    """List the words of a text that has no Japanese in it, names left out."""
    if JAPANESE.search(text):
        return []
    words = re.findall(r"[A-Za-z]{2,}", text)
    return [word for word in words if word not in NAMES]


@pytest.mark.parametrize("old", MOVED)
def test_an_old_address_leads_to_the_page_that_has_moved(built_site, old):
    page = soup(built_site, old)
    (refresh,) = page.select("meta[http-equiv=refresh]")
    to = posixpath.join(posixpath.dirname(old), refresh["content"].removeprefix("0; url="))
    assert posixpath.normpath(to) == f"{MOVED[old]}.html"
    assert (built_site / to).is_file()
    assert page.article.a["href"] == refresh["content"].removeprefix("0; url=")


def test_the_site_is_built_without_a_complaint(site_build):
    """Wrong outputs aside: each cell has a test of its own, which names the page."""
    assert site_build.complaints == []


def test_every_page_is_built(built_site):
    found = {path.relative_to(built_site) for path in built_site.rglob("*.html")}
    pages = {path.with_suffix("").as_posix() for path in found if path.parts[0] != "_static"}
    assert pages == set(PAGES)


def is_code(node: Tag) -> bool:
    classes = set(node.get("class", ()))
    field = node.name in FIELDS or "xref" in classes
    drawn = node.name == "text" and DRAWN.fullmatch(node.get_text(strip=True))
    repository = node.get("href", "").startswith("https://github.com/")
    code = node.name in CODE or CLASSES & classes or drawn or repository
    return bool(code or (field and node.find_parent(class_="field-list")))


EDGE = "\0"


def strings(
    node: Tag, left_out: Callable[[Tag], bool], has_edges: Callable[[Tag], bool]
) -> Iterator[str]:
    """Yield what an element says, but for what is left out, and where parts of it have an edge."""
    for child in node.children:
        if type(child) is NavigableString:
            yield child
        elif isinstance(child, Tag):
            edge = EDGE * has_edges(child)
            yield edge
            if not left_out(child):
                yield from strings(child, left_out, has_edges)
            yield edge


HEARD = {"aria-label", "title", "placeholder", "alt", "data-tooltip"}


def foreign(page: BeautifulSoup) -> Iterator[str]:
    """Yield what a page says, aloud or not, that is not in Japanese."""
    # A line may end within a name.
    said = "".join(strings(page.body, is_code, lambda node: node.name not in {"br", "wbr"}))
    texts = [text for each in said.split(EDGE) if (text := each.strip())]
    yield from (text for text in texts if english(text) and not MODULE.fullmatch(text))
    for node in page.find_all(lambda node: HEARD & node.attrs.keys()):
        # A link has the title of the page or of the work that it leads to.
        names = HEARD - {"title" if "reference" in node.get("class", ()) else ""}
        yield from (node[name] for name in names & node.attrs.keys() if english(node[name]))


@cache
def ids(site: Path, name: str) -> set[str]:
    """Read the ids alone, in a hundredth of the time that a whole page takes."""
    return set(re.findall(r'<[^<>]*\sid="([^"]+)"', (site / f"{name}.html").read_text("utf-8")))


def lead_nowhere(site: Path, here: str, page: BeautifulSoup) -> Iterator[str]:
    """Yield the links that lead to no page of the site, or to no place in it."""
    for href in {link["href"] for link in page.find_all("a", href=True)}:
        url = urlsplit(href)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), unquote(url.path)))
        name = path.removesuffix(".html") if url.path else here
        if url.scheme or url.netloc:
            there = url.scheme == "https"
        elif path.startswith(("download/", "_static/")):
            there = (site / path).is_file()
        else:
            there = (site / f"{name}.html").is_file()
            there = there and (not url.fragment or unquote(url.fragment) in ids(site, name))
        if not there:
            yield href


def faults(site: Path, name: str) -> Iterator[tuple[str, object]]:
    """Yield what is wrong with a page, by all that is asked of each."""
    page = soup(site, name)
    if page.html["lang"] != "ja" or not JAPANESE.search(page.title.text):
        yield "language", page.title
    yield from (("not Japanese", text) for text in foreign(page))
    found = [node["id"] for node in page.find_all(id=True)]
    yield from (("id", each) for each, count in Counter(found).items() if count > 1)
    sources = [node["src"] for node in page.find_all(src=True)]
    loaded = {*sources, *(node["href"] for node in page.find_all("link", href=True))} - {"#"}
    yield from (("from elsewhere", url) for url in sources if urlsplit(url).netloc)
    there = (site / name).parent
    files = {url: there / unquote(urlsplit(url).path) for url in loaded if "://" not in url}
    yield from (("not there", url) for url, file in files.items() if not file.is_file())
    yield from (("link", href) for href in lead_nowhere(site, name, page))
    scripts = {Path(urlsplit(source).path).name for source in sources}
    copying = {script for script in scripts if re.search("clipboard|copybutton", script)}
    if len(copying) != (3 if page.find("pre") else 0):
        yield "scripts that copy", copying
    searching = {script for script in scripts if script.startswith("search")}
    if searching != {"search.js", *([search.FILE] if page.find(id="search-results") else [])}:
        yield "scripts that search", searching
    yield from (("table", each) for each in page.find_all("p") if each.text.startswith("| "))
    footer = page.select_one("footer.bd-footer-content")
    if not all(word in str(footer) for word in ("chizuchizu", "2022年9月3日", "CC BY 4.0", "MIT")):
        yield "footer", footer


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_in_japanese_and_on_its_own(built_site, name):
    assert not [*faults(built_site, name)]


WRONG = """<html lang="ja"><title>題</title><link href="gone.css"><body>
<i id="a">膜電位 (membrane potential)、CC BY 4.0</i><i id="a" title="Back to top"></i>
<p>Search</p><p>| 表 |</p><code>x</code><pre>x</pre><a href="#b">行</a><a href="gone.html">先</a>
<a href="http://example.org">外</a><script src="https://example.org/searchindex.js"></script>
"""


def test_what_is_wrong_with_a_page_is_seen(tmp_path):
    (tmp_path / "page.html").write_text(WRONG, encoding="utf-8")
    found = sorted((kind, str(what)) for kind, what in faults(tmp_path, "page"))
    assert found == [
        ("footer", "None"),
        ("from elsewhere", "https://example.org/searchindex.js"),
        ("id", "a"),
        *(("link", href) for href in ("#b", "gone.html", "http://example.org")),
        ("not Japanese", "Back to top"),
        ("not Japanese", "Search"),
        ("not there", "gone.css"),
        ("scripts that copy", "set()"),
        ("scripts that search", "{'searchindex.js'}"),
        ("table", "<p>| 表 |</p>"),
    ]
    (tmp_path / "page.html").write_text(WRONG.replace("ja", "en"), encoding="utf-8")
    assert "language" in dict(faults(tmp_path, "page"))


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("api_")])
def test_the_api_shows_the_code_of_each_object(built_site, name):
    page = soup(built_site, name)
    # of overloaded signatures, the first has the name and the link; fields are lines of their class
    objects = page.select("dl:not(.data, .attribute) > dt.sig-object[id]")
    assert objects
    bare = [node["id"] for node in objects if not node.select("a .viewcode-link")]
    # what a class inherits is shown with it, and written elsewhere
    owners = {name: locate(name.rpartition(".")[0]) for name in bare}
    assert not [n for n in bare if n.rpartition(".")[2] in vars(owners[n])]


def test_only_what_a_reader_needs_is_published(built_site):
    assert not list(built_site.rglob("katex*.js"))
    taken_away = {
        path.relative_to(built_site).parts[0]
        for kind in ("ipynb", "md")
        for path in built_site.rglob(f"*.{kind}")
    }
    assert taken_away == {"download"}


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
    assert crumbs.select_one(".breadcrumb-part").text == "第1部 1つのニューロン"
    assert crumbs.select_one("[aria-current=page]").text == f"1.2 {ARTICLE_HEADINGS[0]}"
    contents = article.select_one("#pst-page-toc-nav")
    assert [link.text.strip() for link in contents.select(".toc-h2 > a")][:3] == ARTICLE_HEADINGS[
        1:
    ]
    assert article.select_one(".onthispage").text.strip() == "目次"
    byline = [span.text for span in article.select("h1 + .byline > span")]
    assert byline[0] == "原記事: chizuchizu、2022年9月3日"
    assert re.fullmatch(r"第1部 2/\d+・\d+分", byline[1])
    for direction, label in ((".left-prev", "前へ"), (".right-next", "次へ")):
        link = article.select_one(f".prev-next-area a{direction}")
        assert link.select_one(".prev-next-subtitle").text == label


def test_article_has_formulas_that_need_no_script(article):
    assert article.select("span.math .katex-mathml math")
    assert article.select("div.math .katex-display")


def test_article_is_stamped_with_the_number_of_outputs_checked(article):
    stamp = article.select_one(".book-checked").text
    right = int(re.search(r"出力(\d+)件は、", stamp)[1])
    wrong = len(article.select(".book-differs"))
    blocks = (DOCS / "if_pytorch.md").read_text(encoding="utf-8").count("```{testoutput}")
    assert right + wrong == blocks > 0


STAMPS = [
    ({}, []),
    ({"checked": 2}, ["2件"]),
    ({"checked": 2, "recorded": 1}, ["2件", "1件", "norse、sinabs"]),
    ({"recorded": 3}, ["3件", "norse、sinabs"]),
    ({"wrong": 2, "differs": ["a", "b"], "checked": 3}, ["2か所", "3件"]),
    ({"wrong": 2, "differs": ["a", "b"]}, ["2か所"]),
    ({"wrong": 1, "checked": 3}, ["1か所", "3件"]),
    ({"wrong": 3, "differs": ["a", "b"]}, ["2か所", "1か所"]),
]


@pytest.mark.parametrize(("told", "counts"), STAMPS, ids=str)
def test_the_stamp_counts_what_was_checked_what_is_a_record_and_what_differs(told, counts):
    """Where something differs, it is told calmly, and leads there."""
    file = DOCS / "_ext" / "book" / "page" / "templates" / "checked.html"
    usual = {"checked": 0, "recorded": 0, "missing": ["norse", "sinabs"], "wrong": 0, "differs": []}
    names = {f"book_{name}": value for name, value in {**usual, **told}.items()}
    html = Template(file.read_text(encoding="utf-8")).render(names)
    shown = BeautifulSoup(html, "html.parser")
    assert re.findall(r"\d+件|\d+か所|norse、sinabs", shown.text) == counts
    places = [f"#{name}" for name in told.get("differs", [])]
    assert [link["href"] for link in shown.select("a")] == places
    assert len(shown.select(".book-checked")) == bool(told)
    assert len(shown.select(".book-unchecked")) == (told.keys() == {"recorded"})


def test_pages_without_cells_are_not_stamped(built_site):
    assert not soup(built_site, "glossary").select(".book-checked")
