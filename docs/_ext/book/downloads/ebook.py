"""The book as one file to keep: an EPUB, and a PDF for paper.

Both come from the same pages of XHTML with one stylesheet, in ``theme`` beside this file: no
script, nothing of the site, colours that are fixed. ``-b epub`` packs them; its formulas are
MathML. ``-b epub-paper`` puts them one after the other and has a browser print them; there KaTeX's
own type is used.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import tempfile
import time
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from sphinx.builders.epub3 import Epub3Builder
from sphinx.errors import ExtensionError
from sphinx.util import logging

from book.formulas import render
from book.page.figures import InlineFigures
from book.place import outline

if TYPE_CHECKING:
    from sphinx.application import Sphinx

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
EARLIEST = 315532800  # 1980-01-01
HTML, SVG, MATHML = (
    f"http://www.w3.org/{name}" for name in ("1999/xhtml", "2000/svg", "1998/Math/MathML")
)
# What a manifest says of a page that holds what some readers can't show.
PROPERTIES = {"mathml": "<math", "svg": "<svg"}
KEPT = {"pygments.css", "ebook.css", "cover.png"}

logger = logging.getLogger(__name__)


# ---- Formulas ----


def mathml(tex: str, *, display: bool) -> str:
    """Write a formula that needs no stylesheet, with its TeX for readers without MathML."""
    written = render(tex.strip(), display=display, output="mathml")
    (formula,) = re.findall(r"<semantics>(.*)<annotation ", written, re.DOTALL)
    kind = ' display="block"' if display else ""
    return f'<math xmlns="{MATHML}" alttext="{escape(tex.strip())}"{kind}>{formula}</math>'


# ---- Figures ----


class FixedFigures(InlineFigures):
    """Put the pictures of cells into the pages, in their own colours."""

    default_priority = InlineFigures.default_priority - 1
    builders = ("epub", "epub-paper")
    themed = False


# ---- The EPUB ----


def moment() -> time.struct_time:
    """Return the date that a book carries."""
    return time.gmtime(max(EARLIEST, int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST))))


class Ebook(Epub3Builder):
    """Makes the EPUB: Sphinx's, without what belongs to the site, and valid."""

    math_renderer_name = "katex"
    render_formula = staticmethod(mathml)
    on_site = False  # There is no theme, and nothing that could be unfolded.

    def init(self) -> None:
        """Begin with an empty folder: whatever lies in it would be packed."""
        shutil.rmtree(self.outdir, ignore_errors=True)
        self.outdir.mkdir(parents=True)
        super().init()

    def toc_metadata(self, level: int, navpoints: list[Any]) -> dict[str, Any]:
        """Identify the older table of contents by what identifies the book."""
        uid = escape(self.config.epub_identifier)
        return super().toc_metadata(level, navpoints) | {"uid": uid}

    def build_content(self) -> None:
        """Leave out what is the site's, and say which pages hold formulas and drawings."""
        for file in list(self._static_dir.rglob("*")):
            if file.is_file() and file.name not in KEPT:
                file.unlink()
        super().build_content()
        package = Path(self.outdir, "content.opf")
        text = re.sub(
            r'<item id="[^"]*" href="([^"]*)"[^>]*?(?= />)',
            self.declared,
            package.read_text(encoding="utf-8"),
        )
        package.write_text(text, encoding="utf-8", newline="\n")

    def declared(self, item: re.Match[str]) -> str:
        """Add to an item of the manifest what it needs of a reader."""
        name = unquote(unescape(item[1]))
        if name == self.config.epub_cover[0]:
            return f'{item[0]} properties="cover-image"'
        if not name.endswith(self.out_suffix):
            return item[0]
        page = Path(self.outdir, name).read_text(encoding="utf-8")
        found = [name for name, mark in PROPERTIES.items() if mark in page]
        return f'{item[0]} properties="{" ".join(found)}"' if found else item[0]

    def content_metadata(self) -> dict[str, Any]:
        """Say when the book was made, if it is to be said."""
        date = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment())
        return super().content_metadata() | {"date": date}

    def build_epub(self) -> None:
        """Pack the files, in their order and with one date."""
        date = moment()[:6]
        names = ["mimetype", "META-INF/container.xml", "content.opf", "toc.ncx", *self.files]
        with ZipFile(self.outdir / f"{self.config.epub_basename}.epub", "w") as book:
            for name in names:
                how = ZIP_STORED if name == "mimetype" else ZIP_DEFLATED
                book.writestr(ZipInfo(name, date), (self.outdir / name).read_bytes(), how, 9)


# ---- The PDF ----


class Paper(Ebook):
    """Makes the PDF, if there is a browser to print with."""

    name = "epub-paper"  # It begins with epub: then viewcode makes no pages of source.
    epilog = ""
    render_formula = staticmethod(render)

    def init(self) -> None:
        """Be an EPUB to whoever asks: by the name, MyST-NB chooses the form of an output."""
        self.name = Ebook.name  # type: ignore[misc]
        super().init()

    def handle_finish(self) -> None:
        """Put the pages into one, and print it."""
        self.get_toc()
        book = self.outdir / f"{self.config.epub_basename}.xhtml"
        book.write_text(self.bound(), encoding="utf-8")
        browser = find_browser()
        if browser is None:
            tell_skipped(f"the PDF, which needs a browser: set CHROMIUM, or install {BROWSERS[0]}")
            return
        pdf = book.with_suffix(".pdf")
        print_pages(browser, book, pdf)
        pdf.write_bytes(dated(pdf.read_bytes()))

    def bound(self) -> str:
        """Return the whole book as one page: cover, contents, pages."""
        ends = len(self.out_suffix)
        names = [node["refuri"][:-ends] for node in self.refnodes if "#" not in node["refuri"]]
        parts = {part.chapters[0].name: part.title for part in outline(self.env)}
        chapters = [
            {
                "name": named(name),
                "title": self.env.longtitles[name].astext(),
                "part": parts.get(name, ""),
                "text": self.chapter(name),
            }
            for name in names
        ]
        context = {"cover": self.config.epub_cover[0], "chapters": chapters}
        return str(self.templates.render("paper.html", {**self.globalcontext, **context}))

    def chapter(self, name: str) -> str:
        """Return a page as a chapter: with ids of its own, links into the book, lower headings."""
        depth = int(name != self.config.root_doc)
        page = ET.parse(self.outdir / f"{name}{self.out_suffix}").getroot()  # noqa: S314  # Ours.
        body = page[1]
        for node in body.iter():
            heading = re.fullmatch(rf"\{{{HTML}\}}h([1-5])", str(node.tag))
            if heading:
                node.tag = f"{{{HTML}}}h{int(heading[1]) + depth}"
            for key, value in node.items():
                node.set(key, placed(name, key, value))
        return "".join(ET.tostring(part, encoding="unicode") for part in body)


def named(page: str) -> str:
    """Write the name of a page as a part of an id."""
    return page.replace("/", "-")


def placed(name: str, key: str, value: str) -> str:
    """Write an attribute so that it is right in the whole book."""
    here = named(name)
    if key == "id":
        return f"{here}--{value}"
    if key.rpartition("}")[2] == "href" and "://" not in value:
        page, _, fragment = value.partition("#")
        if page:
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), page))
            here = named(posixpath.splitext(other)[0])
        return f"#{here}--{unquote(fragment)}" if fragment else f"#{here}"
    return value.replace("url(#", f"url(#{here}--")


def find_browser() -> str | None:
    """Find a browser that prints."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def tell_skipped(what: str) -> None:
    """Say what is not made here. In CI nothing may be missing."""
    if os.environ.get("CI"):
        raise ExtensionError(f"with CI set nothing is skipped, but this would be: {what}")
    logger.info("skipped: %s", what)


def print_pages(browser: str, page: Path, pdf: Path) -> None:
    """Print a page, with its headings as bookmarks."""
    # A browser refuses its sandbox to root; it sees nothing but our own pages.
    root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    options = ["--headless", "--disable-gpu", "--no-pdf-header-footer", *root]
    options += ["--generate-pdf-document-outline", f"--print-to-pdf={pdf}"]
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *options, f"--user-data-dir={profile}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603
    if done.returncode or not pdf.exists():
        raise ExtensionError(f"{browser} could not print {page}:\n{done.stderr[-2000:]}")


def dated(pdf: bytes) -> bytes:
    """Put one date in place of the moment of printing."""
    date = time.strftime(r"\1D:%Y%m%d%H%M%S", moment()).encode()
    return re.sub(rb"(/(?:CreationDate|ModDate) \()D:\d{14}", date, pdf)


def setup(app: Sphinx) -> None:
    """Register both."""
    for prefix, namespace in (("", HTML), ("svg", SVG), ("m", MATHML)):
        ET.register_namespace(prefix, namespace)
    app.add_post_transform(FixedFigures)
    app.add_builder(Ebook, override=True)
    app.add_builder(Paper)
