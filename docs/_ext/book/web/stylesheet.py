"""One stylesheet for the whole site, with the rules and the glyphs that its pages use.

The theme, its fonts and the extensions bring 120 KB of rules (compressed) in ten files, one of
which imports another, and 400 KB of fonts; a page uses a tenth of it, and can't be shown before it
has all of the rules. So the rules whose classes, ids and elements no page has are left out, the
others are joined in the order in which they stood, and the fonts are cut down to the characters of
the book. What a script may add to a page counts as used: every name in a script does.
"""

from __future__ import annotations

import hashlib
import html
import logging
import os
import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinycss2
from fontTools import subset, version

from book.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fontTools.ttLib import TTFont
    from sphinx.application import Sphinx
    from tinycss2.ast import Node

FILE = "style.css"
# What pydata-sphinx-theme links to by itself. Its theme.css only imports basic.css.
THEME = ("_static/basic.css", "_static/styles/pydata-sphinx-theme.css")

TAG = re.compile(r"<([a-zA-Z][\w-]*)")
ATTRIBUTE = re.compile(r'\s(?:class|id)="([^"]*)"')
NAME = re.compile(r"[A-Za-z_][\w-]*")
ENTITY = re.compile(r"&#?\w+;")
URL = re.compile(r"""url\(\s*(['"]?)(?!data:|#)([^'")]+)\1\s*\)""")
ESCAPED = re.compile(r"\\([0-9a-f]{4})\b")
# What the themes bring of which no page has a use, unless it is loaded.
LOADABLE = {".css", ".html", ".js", ".map", ".mo", ".po", ".woff2"}
LOADED = re.compile(r"""\s(?:src|href)=["'](?:[^"'?#]*/)?([^"'?#/]+)""")

# Names that the licences of the fonts keep for the fonts as they were made (fonts-OFL.txt).
RESERVED = re.compile(r"KaTeX|Font ?Awesome")
NAMES_OF_A_FONT = {1, 3, 4, 6, 16}  # family, unique, full, PostScript's, typographic family

logging.getLogger("fontTools").setLevel(logging.WARNING)  # It tells of each table of a font.


def names_of_page(text: str) -> set[str]:
    """Find the elements, classes and ids of a page."""
    values = chain.from_iterable(map(str.split, ATTRIBUTE.findall(text)))
    return {*map(str.lower, TAG.findall(text)), *values}


def characters(text: str) -> set[str]:
    """Find the characters of a page, a script or a stylesheet, those written as codes too."""
    entities = map(html.unescape, set(ENTITY.findall(text)))
    escaped = (chr(int(code, 16)) for code in set(ESCAPED.findall(text)))
    return {*text, *"".join(entities), *escaped}


# ---- Rules ----


def required(selector: list[Node]) -> Iterator[str]:
    """Yield the elements, classes and ids without which a selector cannot match.

    What stands in brackets says nothing: it may be one of several, or what must not be.
    """
    before = ""
    for token in selector:
        if token.type == "hash":
            yield token.value
        elif token.type == "ident" and before != ":":
            yield token.value if before == "." else token.lower_value
        before = token.value if token.type == "literal" else ""


def selectors(prelude: list[Node]) -> Iterator[list[Node]]:
    """Split what stands before a rule's braces at its commas."""
    selector: list[Node] = []
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            yield selector
            selector = []
        else:
            selector.append(token)
    yield selector


def written(tokens: Iterable[Node]) -> str:
    """Write tokens without what only people read."""
    kept = (token for token in tokens if token.type != "comment")
    parts = (" " if token.type == "whitespace" else token.serialize() for token in kept)
    return "".join(parts).strip()


def used_rules(rules: Iterable[Node], names: set[str]) -> Iterator[str]:
    """Yield the rules that can match an element of a page."""
    for rule in rules:
        if rule.type == "qualified-rule":
            kept = [part for part in selectors(rule.prelude) if names.issuperset(required(part))]
            if kept:
                yield f"{','.join(map(written, kept))}{{{written(rule.content)}}}"
        elif rule.type == "comment" and rule.value.startswith("!"):
            yield f"/*{rule.value}*/"  # A licence.
        elif rule.type == "at-rule" and rule.lower_at_keyword in {"media", "supports"}:
            inner = "\n".join(used_rules(tinycss2.parse_rule_list(rule.content), names))
            if inner:
                yield f"@{rule.at_keyword} {written(rule.prelude)}{{{inner}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword != "charset":
            yield written([rule])


def moved(text: str, folder: Path, to: Path) -> str:
    """Let the addresses in a stylesheet of one folder hold in another."""

    def move(match: re.Match[str]) -> str:
        path, *rest = re.split(r"(?=[?#])", match[2], maxsplit=1)
        return f"url({Path(os.path.relpath(folder / path, to)).as_posix()}{''.join(rest)})"

    return URL.sub(move, text)


def used_stylesheet(file: Path, names: set[str], to: Path) -> str:
    """Read a stylesheet, and write what of it is used, for a place in another folder."""
    rules = tinycss2.parse_stylesheet(file.read_text(encoding="utf-8"))
    return moved("\n".join(used_rules(rules, names)), file.parent, to)


# ---- Fonts ----


def rename_font(font: TTFont) -> None:
    """Give a cut font another name: its licence keeps the old one for the whole font."""
    for record in font["name"].names:
        if record.nameID in NAMES_OF_A_FONT:
            record.string = RESERVED.sub("Book", record.toUnicode())


def cut_font(source: Path, characters: str, target: Path) -> None:
    """Write a font with the glyphs for some characters alone, and with its notices."""
    options = subset.Options(
        flavor="woff2", layout_features=["*"], notdef_outline=True, name_IDs=["*"]
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters)
    beside = target.with_suffix(".part")
    with subset.load_font(source, options) as font:
        subsetter.subset(font)
        rename_font(font)
        subset.save_font(font, beside, options)
    beside.replace(target)


def cut_fonts(files: Iterable[Path], characters: str, cache: Path) -> None:
    """Cut fonts down where they lie, or take what an earlier build made of the same.

    All of them take seconds, and a book's characters hardly ever change.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for file in files:
        made_from = file.read_bytes() + characters.encode() + version.encode()
        known = cache / hashlib.sha256(made_from).hexdigest()
        if not known.is_file():
            cut_font(file, characters, known)
        write_atomically(file, known.read_bytes())


# ---- The site ----


def joined(app: Sphinx) -> list[str]:
    """List what is joined: the theme's, and what each page would link to, in that order."""
    # No public name tells what all pages have; the theme's and extensions' calls end up here.
    files = sorted(app.builder._orig_css_files, key=lambda css: css.priority)  # type: ignore[attr-defined]  # noqa: SLF001
    return [*THEME, *(str(css.filename) for css in files if "://" not in str(css.filename))]


def link(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Have a page link to it (``layout.html`` does), instead of what it is joined from."""
    if app.builder.name == "html":
        files = joined(app)
        left = [css for css in context["css_files"] if str(css.filename) not in files]
        context |= {"css_files": left, "stylesheet": FILE}


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write it, now that all pages are there, and remove what no page loads."""
    if exception is None and app.builder.name == "html":
        static = Path(app.outdir, "_static")
        pages = [file.read_text(encoding="utf-8") for file in Path(app.outdir).rglob("*.html")]
        loaded = {name for page in pages for name in LOADED.findall(page)}
        files = [file for file in static.rglob("*.js") if file.name in loaded]
        scripts = [file.read_text(encoding="utf-8") for file in files]
        names = set().union(*map(names_of_page, pages), *map(NAME.findall, scripts))
        joining = (Path(app.outdir, file) for file in joined(app))
        style = "\n".join(used_stylesheet(file, names, static) for file in joining)
        write_atomically(static / FILE, style)

        named = {static / match[2] for match in URL.finditer(style)}
        shown = set().union(*map(characters, [*pages, *scripts, style]))
        fonts = sorted(file for file in named if file.suffix == ".woff2")
        cut_fonts(fonts, "".join(sorted(shown)), Path(app.doctreedir, "fonts"))
        for file in static.rglob("*"):
            if file.suffix in LOADABLE and file.name not in loaded and file not in named:
                file.unlink()


def setup(app: Sphinx) -> None:
    """Take the place of the other stylesheets."""
    app.connect("html-page-context", link, priority=900)
    app.connect("build-finished", write, priority=900)
