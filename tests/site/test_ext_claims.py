"""A page's claim stands with what could have refuted it, and one page lists them all."""

from __future__ import annotations

from sphinx_project import CELLS, build

PAGE = """# 章

```{code-cell}
:tags: [remove-input]
print('0.970')
```

```{testoutput}
0.970
```

```{claim}
:control: 時刻をかき混ぜると0.5
:opponent: 同じ探索の`GRU`は.970
:seeds: 5つの種
:limit: 長さ40では成り立たない（「{doc}`index`」）

漏れが小さいほど、長く覚えます。
```
"""
INDEX = "# 本\n\n```{toctree}\nchapter\n```\n\n```{claims}\n```\n"


def built(folder, page=PAGE, record='{"rows": [0.5]}'):
    (folder / "docs" / "_data").mkdir(parents=True)
    pages = {"index.md": INDEX, "chapter.md": CELLS + page, "_data/speed.json": record}
    return build(folder, pages, "bookproof", "book.page.claims")


def test_a_claim_is_on_its_page_and_in_the_list(tmp_path):
    found = built(tmp_path, PAGE.replace("かき混ぜると0.5", "かき混ぜると半分"))
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
    assert row.a["href"] == "chapter.html"
    assert [cell.text.strip() for cell in row.select("td")] == [
        claim, "そのページの「くり返し」に", "章"
    ]  # fmt: skip


def test_the_list_is_in_the_order_of_what_claims_rest_on(tmp_path):
    sorts = ["measured", "seeds 5", "seeds 5, tuned 1", "exact", "seeds 20", "seeds 5, tuned 3"]
    claim = PAGE.partition("```{claim}")[2].replace("かき混ぜると0.5", "かき混ぜると半分")
    more = [f"```{{claim}}\n:rests: {sort}{claim}" for sort in sorts]
    found = built(tmp_path, PAGE.replace("0.5", "半分") + "\n".join(more))
    assert found.code == 0, found.messages
    rests = [row.select("td")[1].text for row in found.page().select("table.claims tbody tr")]
    assert rests == [
        "式、またはすべての場合",
        "20個の種",
        "5個の種",
        "5個の種（設定は別の3個の種で選んだ）",
        "5個の種（設定は別の1個の種で選んだ）",
        "同じ計算機での測定",
        "そのページの「くり返し」に",
    ]


def test_what_a_claim_rests_on_is_one_of_a_few(tmp_path):
    page = PAGE.replace(":control:", ":rests: faith\n:control:")
    assert "`:rests:` is exact, measured, seeds 5" in built(tmp_path, page).messages


def test_an_experiment_says_its_claim_first_and_how_it_would_fail(tmp_path):
    opened = (
        "## 主張\n\n**漏れが要ります。**\n\n**外れるとしたら**\n\n- 速くなる。\n\n## 反証の表\n\n"
    )
    found = built(
        tmp_path,
        PAGE.replace("かき混ぜると0.5", "かき混ぜると半分").replace(
            "```{claim}", f"{opened}```{{claim}}"
        ),
    )
    assert found.code == 0, found.messages
    page = found.page("chapter")
    assert [claim.text for claim in page.select(".ledger-claim")] == ["漏れが要ります。"]
    first = page.select("dl.ledger")[0]
    assert (first.dt.text, first.dd.li.text.strip()) == ("外れるとしたら", "速くなる。")
    assert first.find_parent("section")["class"] == ["book-claim"]


def test_a_number_that_no_cell_prints_is_told_of(tmp_path):
    found = built(tmp_path)
    assert found.code == 1
    assert "chapter.md:16: WARNING: no cell or record of the page has 0.5" in found.messages
    assert ".970" not in found.messages


def test_a_number_may_be_of_a_record_that_the_page_reads(tmp_path):
    found = built(tmp_path, PAGE.replace("print('0.970')", "print('0.970')  # _data/speed.json"))
    assert found.code == 0, found.messages


def test_a_claim_says_all_that_could_have_refuted_it(tmp_path):
    found = built(tmp_path, PAGE.replace(":seeds: 5つの種\n", "").replace("0.5", "半分"))
    assert found.code == 1
    assert "a claim needs `:seeds:`" in found.messages
