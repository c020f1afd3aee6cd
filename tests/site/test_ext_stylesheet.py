"""The one stylesheet: what is used stays, what is not goes, and nothing else changes."""

from __future__ import annotations

import re
from pathlib import Path

import pydata_sphinx_theme
import pytest
import tinycss2
from book import PARTS
from book.web import stylesheet
from fontTools.ttLib import TTFont
from sphinx_project import EXTENSIONS, build, opening

KATEX = EXTENSIONS / "formulas" / "static" / "katex"
THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"


def used(css: str, *names: str) -> str:
    return "".join(stylesheet.used_rules(tinycss2.parse_stylesheet(css), set(names)))


@pytest.mark.parametrize(
    ("css", "names", "kept"),
    [
        ("p{a:b}", ["p"], "p{a:b}"),
        ("p{a:b}", ["q"], ""),
        ("P{a:b}", ["p"], "P{a:b}"),
        (".x{a:b}", ["x"], ".x{a:b}"),
        (".x{a:b}", ["y"], ""),
        ("#x .y{a:b}", ["x", "y"], "#x .y{a:b}"),
        ("#x .y{a:b}", ["y"], ""),
        (".x, .y , p{a:b}", ["x", "p"], ".x,p{a:b}"),
        ("p:hover::before{a:b}", ["p"], "p:hover::before{a:b}"),
        ("p:not(.x){a:b}", ["p"], "p:not(.x){a:b}"),
        ("p:is(.x, .y){a:b}", ["p"], "p:is(.x, .y){a:b}"),
        ("*{a:b}", [], "*{a:b}"),
        ("[data-x=y]{a:b}", [], "[data-x=y]{a:b}"),
        (r".a\:b{a:b}", ["a:b"], r".a\:b{a:b}"),
        ("@media print{.x{a:b}.y{a:b}}", ["x"], "@media print{.x{a:b}}"),
        ("@media print{.y{a:b}}", ["x"], ""),
        ("@supports (a:b){.x{a:b}.y{a:b}}", ["x"], "@supports (a:b){.x{a:b}}"),
        ("@supports (a:b){@media print{.x{a:b}}}", ["x"], "@supports (a:b){@media print{.x{a:b}}}"),
        ("@font-face{font-family:x}", [], "@font-face{font-family:x}"),
        ("@keyframes x{from{a:b}}", [], "@keyframes x{from{a:b}}"),
        ('@charset "utf-8";p{a:b}', ["p"], "p{a:b}"),
        ("/*! licence */ /* why */ p { a : b }", ["p"], "/*! licence */p{a : b}"),
        ('p{content:"a  /* b */"}', ["p"], 'p{content:"a  /* b */"}'),
    ],
)
def test_rules_that_can_match_are_kept(css, names, kept):
    assert used(css, *names) == kept


def test_a_page_has_its_elements_classes_and_ids():
    html = '<DIV class="a b-c" id=\'x\'\n data-class="d"><svg id="e"><linearGradient/></svg>'
    assert stylesheet.names_of_page(html) == {"div", "a", "b-c", "svg", "e", "lineargradient"}


def test_characters_count_however_they_are_written():
    assert stylesheet.characters("a&#8212;&ge;") >= {"a", "—", "≥"}
    assert "\uf0c9" in stylesheet.characters(r'.x{--fa:"\f0c9"}')


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ("url(../fonts/x.woff2)", "url(fonts/x.woff2)"),
        ("url('x.png')", "url(styles/x.png)"),
        ('url("x.svg#a")', "url(styles/x.svg#a)"),
        ("url(data:image/png;base64,x)", "url(data:image/png;base64,x)"),
        ("url(#a)", "url(#a)"),
    ],
)
def test_addresses_hold_in_the_new_place(written, moved):
    assert stylesheet.moved(written, Path("/s/styles"), Path("/s")) == moved


def test_a_font_has_the_wanted_characters_alone(tmp_path, root):
    source = KATEX / "fonts" / "KaTeX_Main-Regular.woff2"
    for name in ("a", "b"):
        stylesheet.cut_font(source, "A1", tmp_path / name)
    assert set(TTFont(tmp_path / "a").getBestCmap()) == {ord("A"), ord("1")}
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").stat().st_size < source.stat().st_size / 5


@pytest.mark.parametrize("name", ["KaTeX_Main-Regular", "fa-solid-900"])
def test_a_cut_font_has_another_name_and_keeps_its_notices(tmp_path, root, name):
    """As the Open Font License asks of whoever changes a font that reserves its name."""
    places = (KATEX, THEME / "static")
    (source,) = (file for place in places for file in place.rglob(f"{name}.woff2"))
    stylesheet.cut_font(source, "A1", tmp_path / "cut")
    before, after = (
        {record.nameID: str(record) for record in TTFont(file)["name"].names}
        for file in (source, tmp_path / "cut")
    )
    notices, names = {0, 13, 14}, stylesheet.NAMES_OF_A_FONT
    assert {i: after[i] for i in before.keys() & notices} == {
        i: before[i] for i in before.keys() & notices
    }
    assert names & before.keys() == names & after.keys()
    reserved = re.compile("KaTeX|Font ?Awesome", re.IGNORECASE)
    assert all(reserved.search(before[i]) for i in names & before.keys())
    assert not [after[i] for i in names & after.keys() if reserved.search(after[i])]


def test_the_site_carries_the_licence_of_its_fonts(built_site):
    text = (built_site / "_static" / "fonts-OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE\nVersion 1.1" in text
    owners = {
        "KaTeX": "Khan Academy",
        "fa-": "Fonticons",
        "m-plus-": "The M+ FONTS Project Authors",
    }
    for file in (built_site / "_static").rglob("*.woff2"):
        owner = next(owner for start, owner in owners.items() if file.stem.startswith(start))
        assert owner in text, file
    page = (built_site / "index.html").read_text(encoding="utf-8")
    assert 'href="_static/fonts-OFL.txt" rel="license"' in page


def test_fonts_are_cut_anew_only_when_they_or_the_characters_change(tmp_path, root, monkeypatch):
    fonts = KATEX / "fonts"
    font, cache = tmp_path / "font.woff2", tmp_path / "cache"

    def cut(name: str, characters: str) -> bytes:
        font.write_bytes((fonts / f"KaTeX_{name}-Regular.woff2").read_bytes())
        stylesheet.cut_fonts([font], characters, cache)
        assert set(TTFont(font).getBestCmap()) == set(map(ord, characters))
        return font.read_bytes()

    first, more, other = cut("Main", "A"), cut("Main", "AB"), cut("SansSerif", "A")
    assert len({first, more, other}) == 3
    monkeypatch.setattr(stylesheet, "cut_font", None)
    assert [cut("Main", "A"), cut("Main", "AB"), cut("SansSerif", "A")] == [first, more, other]


# ---- In a site ----


@pytest.fixture(scope="module")
def style(built_site) -> str:
    return (built_site / "_static" / stylesheet.FILE).read_text(encoding="utf-8")


def test_each_page_loads_one_stylesheet(built_site):
    links = set()
    for file in built_site.rglob("*.html"):
        (link,) = opening(file, "link").select("link[rel=stylesheet]")
        links.add(link["href"].replace("../", ""))
    (link,) = links
    assert link == f"_static/{stylesheet.FILE}"
    assert [file.name for file in built_site.rglob("*.css")] == ["style.css"]


def test_the_stylesheet_is_whole_and_light(style):
    assert len(style) < 150_000
    for rule in (".sig-line", ".katex ", ".cell_output", ".copybtn", ".highlight ", ".toctree-l1"):
        assert rule in style, rule
    assert ".carousel" not in style
    places = [style.index(mark) for mark in (".bd-main", ".katex-display", ".book-popover")]
    assert places == sorted(places)  # The book's own rules win.


@pytest.mark.parametrize("name", ["pst-sidebar-hidden", "search-summary"])
def test_rules_for_what_only_a_script_adds_are_kept(built_site, style, name):
    assert f".{name}" in style
    written = "".join(page.read_text(encoding="utf-8") for page in built_site.rglob("*.html"))
    assert name not in set(re.findall(r"[\w-]+", " ".join(re.findall(r'class="([^"]*)"', written))))


def test_what_the_stylesheet_names_is_there(built_site, style):
    urls = {match[2] for match in stylesheet.URL.finditer(style)}
    assert urls
    assert not [url for url in urls if not (built_site / "_static" / url).is_file()]


def test_icons_are_in_the_font(built_site, style):
    (solid,) = built_site.rglob("fa-solid-900.woff2")
    glyphs = {chr(code) for code in TTFont(solid).getBestCmap()}
    icons = set()
    for file in built_site.rglob("*.html"):
        icons |= set(re.findall(r"\bfa-solid fa-([a-z-]+)", file.read_text(encoding="utf-8")))
    assert {"bars", "list", "magnifying-glass", "sun", "moon"} <= icons
    for icon in icons:
        code = re.search(rf'\.fa-{icon}\b[^{{]*\{{--fa:"([^"]+)"', style)[1]
        character = chr(int(code[1:], 16)) if code.startswith("\\") else code
        assert character in glyphs, icon


def test_what_the_theme_brings_in_vain_is_not_published(built_site):
    names = {file.name for file in built_site.rglob("*") if file.is_file()}
    assert not names & {"bootstrap.js", "fontawesome.js", "doctools.js"}
    assert not names & {"basic.css", "book.css", "search.css"}
    assert not [name for name in names if name.endswith((".map", ".part"))]


SETTINGS = """
html_theme = "sphinx_book_theme"
html_copy_source = False
suppress_warnings = ["head"]
templates_path = {!r}
""".format([str(EXTENSIONS / name / "templates") for name in ("web", "place")])


def test_a_second_build_makes_the_same_stylesheet(tmp_path, root):
    files = []
    for text in ("# x\n\na\n", "# x\n\nb\n"):
        built = build(
            tmp_path,
            {"index.md": text},
            "myst_nb",
            *[f"book.{part}" for part in PARTS if part.startswith("web.")],
            settings=SETTINGS,
        )
        assert built.code == 0, built.messages
        files.append((built.folder / "_static" / stylesheet.FILE).read_bytes())
    assert files[0] == files[1]
    # Pages that a build does not write again, such as source, link to what the next one makes.
    assert f'href="_static/{stylesheet.FILE}"' in built.html()
    assert ".katex" not in files[0].decode()
