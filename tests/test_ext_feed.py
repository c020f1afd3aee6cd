"""The feed of changes says what the changelog says, and when."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import feed
import pytest
from sphinx_project import build

ADDRESS = "https://example.org/book"
UNRELEASED = "# 変更履歴\n\n## [0.3.0] - 未公開\n\n### 追加\n\n- まだない\n\n"
RELEASED = """## [0.2.0] - 2026-12-01

### 追加

- `IF`を<速く>した

## [0.1.0] - 2026-11-27

最初の版

[0.1.0]: https://example.org/0.1.0
"""
ATOM = "{http://www.w3.org/2005/Atom}"


def made(folder, changelog: str, address: str = ADDRESS):
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "CHANGELOG").write_text(changelog, encoding="utf-8")
    settings = (
        f"project = '本'\nhtml_baseurl = {address!r}\nfeed_source = 'CHANGELOG'\n"
        f"templates_path = ['.']\n"
    )
    layout = (
        '{% extends "!layout.html" %}{% block extrahead %}<link rel="alternate" href="{{ feed }}">'
        "{% endblock %}"
    )
    (folder / "docs" / "layout.html").write_text(layout, encoding="utf-8")
    built = build(folder, {"index.md": "# 題\n"}, "myst_nb", "feed", settings=settings)
    assert built.code == 0, built.messages
    return built


def texts(parent: ET.Element, name: str) -> list[str | None]:
    return [node.text for node in parent.findall(f"{ATOM}{name}")]


def test_versions_with_a_date_are_entries_and_others_are_not(tmp_path):
    built = made(tmp_path, UNRELEASED + RELEASED)
    root = ET.parse(built.folder / "atom.xml").getroot()
    assert texts(root, "title") == ["本 変更履歴"]
    assert texts(root, "updated") == ["2026-12-01T00:00:00Z"]
    assert texts(root, "id") == [f"{ADDRESS}/atom.xml"]
    entries = root.findall(f"{ATOM}entry")
    assert [texts(entry, "title") for entry in entries] == [["0.2.0"], ["0.1.0"]]
    assert [texts(entry, "updated") for entry in entries] == [
        ["2026-12-01T00:00:00Z"],
        ["2026-11-27T00:00:00Z"],
    ]
    assert len({texts(entry, "id")[0] for entry in entries}) == 2
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {"self": f"{ADDRESS}/atom.xml", None: f"{ADDRESS}/"}
    for entry in entries:
        assert entry.find(f"{ATOM}link").get("href") == f"{ADDRESS}/"
        assert entry.find(f"{ATOM}content").get("type") == "html"  # or readers show the tags
    assert root.find(f"{ATOM}author/{ATOM}name").text == "本"
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "ja"
    (content,) = texts(entries[0], "content")
    assert "<code>IF</code>を&lt;速く&gt;した" in content
    assert texts(entries[1], "content") == ["<p>最初の版</p>\n"]
    assert built.page().select_one("link[rel=alternate]")["href"] == "atom.xml"


@pytest.mark.parametrize(
    ("changelog", "address"), [(UNRELEASED, ADDRESS), (UNRELEASED + RELEASED, "")]
)
def test_without_news_or_an_address_there_is_no_feed(tmp_path, changelog, address):
    made(tmp_path, RELEASED)
    built = made(tmp_path, changelog, address)
    assert not (built.folder / "atom.xml").exists()
    assert not built.page().select_one("link[rel=alternate]")["href"]


def test_two_feeds_of_one_changelog_are_the_same():
    news = feed.versions(RELEASED)
    told = {feed.atom(news, title="本", base=ADDRESS, language="ja") for _ in range(2)}
    assert len(told) == 1


def test_the_changelog_of_the_book_is_understood(root):
    """Each version has come out on a day, or has not come out."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    dated = feed.versions(text)
    assert headings
    assert len(headings) == len(dated) + sum(line.endswith(" - 未公開") for line in headings)
