"""What stands alone may be broken between phrases alone; running text anywhere but in a count."""

from __future__ import annotations

import pytest
from sphinx_project import build

PARTS = ("myst_nb", "book.page.titles", "book.page.phrases")
CLAIM = "重なった入力だけに応える"
PAGE = f"""\
# 漏れのあるモデル: {CLAIM}

**短い節は折り返さず、文で1ステップずつ動かすと手がかりの中で折り返さない。**

文は、どこで折り返してもよい。**3つの太字も**同じ。

## 発火の条件を`x < 1`で調べる

| 条件を並べた表 | 数 |
|---|---|
| 入力が<閾値のとき | 1 |

```{{figure}} dot.png
窓をずらす層の絵、次の節。
```
"""
INDEX = "# 本の題はここにある\n\n文。\n\n```{toctree}\npage\n```\n"
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "dot.png").write_bytes(DOT)
    built = build(folder, {"index.md": INDEX, "page.md": PAGE}, *PARTS)
    assert built.code == 0, built.messages
    return built


def phrases(element):
    """Return the parts of an element's text between which it may be broken."""
    for mark in element.select("wbr"):
        mark.replace_with("|")
    return element.get_text().rstrip("¶").strip()


@pytest.mark.parametrize(
    ("place", "parts"),
    [
        ("h1", "漏れの|ある|モデル"),
        (".subtitle", "重なった|入力だけに|応える"),
        ("h2", "発火の|条件をx < 1で|調べる"),
        ("th", "条件を|並べた|表"),
        ("td", "入力が|<閾値の|とき"),
        ("figcaption p", "窓をずらす層の絵、|次の節。"),
        ("section > p:not([class])", "文は、どこで折り返してもよい。3つの太字も同じ。"),
        (
            ".page-lead",
            "短い節は折り返さず、|文で|1ステップずつ動かすと|手がかりの|中で|折り返さない。",
        ),
        (".sphinxsidebar li > a", "漏れの|ある|モデル"),
    ],
)
def test_each_phrase_stays_whole(built, place, parts):
    assert phrases(built.page("page").select_one(place)) == parts


def test_a_number_stays_with_what_it_counts(built):
    counted = built.page("page").select("section > p:not([class]) .counted")
    assert [each.text for each in counted] == ["3つ"]


def test_who_reads_the_text_finds_it_whole(built):
    page = built.page("page")
    assert page.title.text.startswith("漏れのあるモデル")
    assert page.select_one(".subtitle").text == CLAIM
    assert not page.select("code wbr")


def test_between_pages_too(built):
    link = built.page("page").select_one(".topless a")
    assert link["title"] == "前の章へ"
    assert phrases(link) == "本の|題は|ここに|ある"
