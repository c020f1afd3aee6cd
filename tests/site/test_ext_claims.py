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
    box = found.page("chapter").select_one(".admonition.claim.dropdown")
    told = [paragraph.text for paragraph in box.select("p")][1:]
    assert told[0] == "漏れが小さいほど、長く覚えます。"
    assert told[1] == "反証になりえた実験: 時刻をかき混ぜると半分"
    assert told[4] == "成り立たないところ: 長さ40では成り立たない（「本」）"
    (row,) = found.page().select("table.claims tbody tr")
    assert row.a["href"] == "chapter.html"
    assert [cell.text.strip() for cell in row.select("td")] == [
        told[0], "そのページの「くり返し」に", "章"
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
