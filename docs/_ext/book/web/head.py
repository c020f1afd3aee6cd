"""What pages tell machines: the browser that shows them, search engines, sites that link to them.

- A content security policy, kept by the browser whoever serves the page, or nobody does (file://).
  `make watch` goes without it (``head_policy = False``): the script that shows saves is inline.
- A description, a title and a picture for whoever quotes the page, and its place in the book.
- The page for addresses that lead nowhere, 404.html.

Much of it needs the address at which the book will stand: ``html_baseurl``. Without one it is left
out, and the rest is the same. Templates write what is found here: ``layout.html``, ``head.html``.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.util import logging

from book.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.config import Config

# Whatever a page needs comes from where it came from itself, files and connections included; the
# default is for fonts and connections too.
OWN = "'self'"
POLICY = {
    "default-src": OWN,  # Firefox fetches the next page ahead, by this rule.
    "frame-src": "'none'",
    "object-src": "'none'",
    "script-src": OWN,
    # Formulas and plots carry their measures and colours in style attributes. Stylesheets, which
    # could read a page and ask for something, must be files. Safari before 15.4 and Firefox before
    # 108 know only the first of the three.
    "style-src": f"{OWN} 'unsafe-inline'",
    "style-src-elem": OWN,
    "style-src-attr": "'unsafe-inline'",
    "img-src": f"{OWN} data:",  # The theme's stylesheet has its icons in data: URLs.
    "form-action": OWN,
    "base-uri": "'self'",
}
NOT_FOUND = "404"
# Led to by no search engine: they say nothing by themselves.
UNLISTED = {"search", NOT_FOUND}
DESCRIPTIONS = {  # Of pages that have no source.
    "search": "この本の全文検索。日本語の語のどこからでも、識別子でも引ける。",
    NOT_FOUND: "このアドレスにページはない。検索と章の一覧から、読みたいページへ進める。",
    "_modules/index": "この本のコードが使うパッケージsnn_docsの、モジュールの一覧。",
    "_modules/*": "パッケージsnn_docsの{name}のソースコード。APIの各項目と結ばれている。",
}

logger = logging.getLogger(__name__)


def content_policy(*inline: str) -> str:
    """Write the policy of a page that has these scripts within it, and no others."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in inline)
    hashes = "".join(f" 'sha256-{digest.decode()}'" for digest in digests)
    rules = POLICY | {"script-src": POLICY["script-src"] + hashes}
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def address(config: Config, page: str) -> str:
    """Return where a page, or another file, will stand; nothing where that is not known."""
    return posixpath.join(config.html_baseurl, page) if config.html_baseurl else ""


def described(doctree: nodes.document | None, pagename: str) -> str:
    """Find a page's description: in its front matter, or among those of pages without a source."""
    for node in doctree.findall(nodes.meta) if doctree else ():
        if node.get("name") == "description":
            return str(node["content"])
    found = (text for pattern, text in DESCRIPTIONS.items() if fnmatchcase(pagename, pattern))
    return str(next(found, "")).format(name=pagename.rpartition("/")[2])


def tell(
    app: Sphinx,
    pagename: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Give the templates what they write into the head of a page."""
    if app.builder.name != "html":
        return
    context["content_policy"] = content_policy if app.config.head_policy else None
    # What the theme says so on every page is read by nobody, and would have to be allowed.
    context["script_files"] = [file for file in context["script_files"] if file.filename]
    description = described(doctree, pagename)
    if pagename in app.config.head_moved:
        description = f"この内容は、「{context['title']}」のページに移った。"
    if not description:
        logger.warning(
            "this page has no description: say in a sentence what it is about, in its front "
            "matter's `myst: {html_meta: {description: …}}`",
            location=pagename,
            type="head",
        )
    context["head"] = head = {"description": description, "is_document": doctree is not None}
    head["is_unlisted"] = pagename in {*UNLISTED, *app.config.head_moved}
    if head["is_unlisted"]:
        context["pageurl"] = None  # An address that stands for this one: there is none.
    if doctree is None:
        return
    is_start = pagename == app.config.root_doc
    context["pageurl"] = address(app.config, "" if is_start else f"{pagename}.html")
    head |= {
        "title": app.env.longtitles[pagename].astext(),
        "is_start": is_start,
        "picture": address(app.config, app.config.head_picture),
    }


def rooted(html: str, base: str) -> str:
    """Have all URLs of a page start at the book's folder, whatever address it is shown at."""
    folder = urlsplit(base).path.rstrip("/") + "/"
    url = re.compile(r'(\b(?:action|data-content_root|href|src)=")(?:\./)?(?![a-z]+:|[/#])')
    return url.sub(lambda match: match[1] + folder, html)


def root_not_found(app: Sphinx, exception: Exception | None) -> None:
    """Have the page that is shown at any address lead on, if it is known where it will stand."""
    if exception is None and app.builder.name == "html" and app.config.html_baseurl:
        file = Path(app.outdir, f"{NOT_FOUND}.html")
        html = rooted(file.read_text(encoding="utf-8"), app.config.html_baseurl)
        write_atomically(file, html)


def pages_without_source(app: Sphinx) -> Iterator[tuple[str, dict[str, object], str]]:
    """Add the page that a server shows where there is none, and what stands at old addresses."""
    if app.builder.name == "html":
        yield NOT_FOUND, {"title": "ページが見つかりません"}, "404.html"
        for old, new in app.config.head_moved.items():
            if new not in app.env.titles:  # A part of the book alone is built, too.
                continue
            yield old, {"title": app.env.titles[new].astext(), "moved": new}, "moved.html"


def setup(app: Sphinx) -> None:
    """Add the settings, and connect everything."""
    app.add_config_value("head_moved", {}, "html", dict)
    app.add_config_value("head_picture", "", "html", str)
    app.add_config_value("head_policy", True, "html", bool)  # noqa: FBT003
    app.connect("html-page-context", tell, priority=900)  # After the theme has added its scripts.
    app.connect("html-collect-pages", pages_without_source)
    app.connect("build-finished", root_not_found)
