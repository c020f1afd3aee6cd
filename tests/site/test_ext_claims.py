"""A page's claim stands with what could have refuted it, and one page lists them all."""

from __future__ import annotations

import pytest
from sphinx_project import build

PAGE = """# 章

```{claim}
:rests: seeds 5
:control: 時刻をかき混ぜると半分
:opponent: 同じ探索の`GRU`は.970
:seeds: 5つの種
:limit: 長さ40では成り立たない（「{doc}`index`」）

漏れが小さいほど、長く覚えます。
```
"""
INDEX = "# 本\n\n```{toctree}\nchapter\n```\n\n```{claims}\n```\n"


def built(folder, page=PAGE):
    return build(folder, {"index.md": INDEX, "chapter.md": page}, "myst_nb", "book.page.claims")


def test_a_claim_is_on_its_page_and_in_the_list(tmp_path):
    found = built(tmp_path)
    assert found.code == 0, found.messages
    page = found.page("chapter")
    claim = page.select_one("p.ledger-claim").text
    rows = page.select("dl.ledger")
    asked = [row.dt.text for row in rows]
    told = [row.dd.p.text for row in rows]
    assert claim == "漏れが小さいほど、長く覚えます。"
    assert asked == ["反証になりえた実験", "いちばん強い相手", "くり返し", "成り立たないところ"]
    assert told[0] == "時刻をかき混ぜると半分"
    assert told[3] == "長さ40では成り立たない（「本」）"
    (row,) = found.page().select("table.claims tbody tr")
    assert not row.select("strong")  # a whole list in bold would stress nothing
    assert row.a["href"] == "chapter.html"
    assert [cell.text.strip() for cell in row.select("td")] == [claim, "5個の種", "章"]


def test_the_list_is_in_the_order_of_what_claims_rest_on(tmp_path):
    sorts = ["measured", "seeds 5", "seeds 5, tuned 1", "exact", "seeds 20", "seeds 5, tuned 3"]
    claim = PAGE.removeprefix("# 章\n")
    page = "# 章\n" + "".join(claim.replace("seeds 5", sort, 1) for sort in sorts)
    found = built(tmp_path, page)
    assert found.code == 0, found.messages
    rests = [row.select("td")[1].text for row in found.page().select("table.claims tbody tr")]
    assert rests == [
        "式、またはすべての場合",
        "20個の種",
        "5個の種",
        "5個の種（設定は別の3個の種で選んだ）",
        "5個の種（設定は別の1個の種で選んだ）",
        "同じ計算機での測定",
    ]


def test_an_experiment_says_its_claim_first_and_how_it_would_fail(tmp_path):
    opened = (
        "## 主張\n\n**漏れが要ります。**\n\n**外れるとしたら**\n\n- 速くなる。\n\n## 反証の表\n\n"
    )
    found = built(tmp_path, PAGE.replace("```{claim}", f"{opened}```{{claim}}"))
    assert found.code == 0, found.messages
    page = found.page("chapter")
    assert [claim.text for claim in page.select(".ledger-claim")] == ["漏れが要ります。"]
    first = page.select("dl.ledger")[0]
    assert (first.dt.text, first.dd.li.text.strip()) == ("外れるとしたら", "速くなる。")
    assert first.find_parent("section")["class"] == ["book-claim"]
    assert len(page.select("section li")) == 1


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (":seeds: 5つの種\n", "", "a claim needs `:seeds:`"),
        (":rests: seeds 5\n", "", "a claim needs `:rests:`"),
        ("seeds 5", "faith", "say exact, measured, seeds 5 or seeds 5, tuned 3"),
    ],
)
def test_a_claim_says_all_that_could_have_refuted_it(tmp_path, old, new, told):
    found = built(tmp_path, PAGE.replace(old, new, 1))
    assert found.code == 1
    assert told in found.messages
