"""The feed of changes, atom.xml: the dated versions in the changelog, and no other dates.

A version without a date ("未公開") has not come out, so it is no news yet. Without any news, and
without an address for readers to subscribe to (``html_baseurl``), there is no feed.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

from head import write_or_remove
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

FILE = "atom.xml"
VERSION = re.compile(
    r"^## \[([^\]]+)\] - (\d{4}-\d{2}-\d{2})$(.*?)(?=^## |\Z)",
    re.MULTILINE | re.DOTALL,
)


class Version(NamedTuple):
    """A version that has come out."""

    name: str
    date: str
    changes: str


def versions(changelog: str) -> list[Version]:
    """Find the versions that have a date, in the order in which they stand: the newest first."""
    return [Version(name, date, text.strip()) for name, date, text in VERSION.findall(changelog)]


def atom(news: list[Version], *, title: str, base: str, language: str) -> str:
    """Write the feed, in which each version is an entry."""
    start, own = posixpath.join(base, ""), posixpath.join(base, FILE)
    feed = ET.Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": language})

    def add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
        element = ET.SubElement(parent, name, attributes)
        element.text = text or None
        return element

    add(feed, "title", f"{title} 変更履歴")
    add(feed, "id", own)
    add(feed, "updated", f"{max(version.date for version in news)}T00:00:00Z")
    add(add(feed, "author"), "name", title)
    add(feed, "link", rel="self", type="application/atom+xml", href=own)
    add(feed, "link", href=start)
    for version in news:
        entry = add(feed, "entry")
        add(entry, "title", version.name)
        add(entry, "id", f"{own}#{version.name}")
        add(entry, "updated", f"{version.date}T00:00:00Z")
        add(entry, "link", href=start)
        add(entry, "content", MarkdownIt("commonmark").render(version.changes), type="html")
    ET.indent(feed)
    text: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text.decode() + "\n"


def find_news(app: Sphinx) -> list[Version]:
    """Read the changelog, if there is anyone to tell of it."""
    config = app.config
    if app.builder.name != "html" or not (config.html_baseurl and config.feed_source):
        return []
    return versions(Path(app.confdir, config.feed_source).read_text(encoding="utf-8"))


def announce(
    app: Sphinx, _page: str, _template: str, context: dict[str, object], _doctree: object
) -> None:
    """Tell the templates the name of the feed, if there is one."""
    context["feed"] = FILE if find_news(app) else ""


def write_feed(app: Sphinx, exception: Exception | None) -> None:
    """Write the feed; without news there is to be none."""
    if exception is not None or app.builder.name != "html":
        return
    title, base, language = app.config.project, app.config.html_baseurl, app.config.language
    news = find_news(app)
    text = atom(news, title=title, base=base, language=language) if news else ""
    write_or_remove(Path(app.outdir, FILE), text)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the setting, and connect both."""
    app.add_config_value("feed_source", "", "html", str)
    app.connect("html-page-context", announce)
    app.connect("build-finished", write_feed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
