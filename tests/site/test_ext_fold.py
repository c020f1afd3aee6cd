"""What stands between two marks is folded, cells and all, on the page and in what is taken away."""

from __future__ import annotations

import json

import pytest
from sphinx_project import CELLS, build

FOLD = """# 題

問い。

```{fold} 解答
```

答えは2。

```{code-cell} ipython3
print(1 + 1)
```

```{testoutput}
2
```

```{unfold}
```

続き。

```{fold} 余談
```

話。

```{unfold}
```
"""
EXTENSIONS = ("bookproof", "book.page.fold", "book.downloads.takeaway")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    made = build(tmp_path_factory.mktemp("book"), {"index.md": CELLS + FOLD}, *EXTENSIONS)
    assert made.code == 0, made.messages
    return made


def test_what_is_between_the_marks_is_folded(built):
    answer, aside = built.page().select("details.fold")
    assert [each.text for each in answer.summary.select("span")] == ["解答を表示", "解答を隠す"]
    assert answer.p.text == "答えは2。"
    assert answer.select_one(".cell_output").text.strip() == "2"
    assert (aside.p.text, aside.find_previous_sibling("p").text) == ("話。", "続き。")


def test_in_a_notebook_the_cells_are_folded_and_text_alone_is_too(built):
    text = (built.folder / "download" / "index.ipynb").read_text(encoding="utf-8")
    before, cell, after = json.loads(text)["cells"]
    assert "".join(before["source"]).endswith("問い。\n\n**解答**\n\n答えは2。")
    assert cell["metadata"]["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
    folded = "<details><summary>余談</summary>\n\n話。\n\n</details>"
    assert "".join(after["source"]) == f"続き。\n\n{folded}"


def test_a_script_has_it_all(built):
    text = (built.folder / "download" / "index.py").read_text(encoding="utf-8")
    assert "# **余談**\n#\n# 話。" in text
    assert "details" not in text


@pytest.mark.parametrize(
    ("old", "line", "missing"),
    [
        ("```{unfold}\n```\n\n続き", 5, "{fold} without {unfold}"),
        ("```{fold} 余談\n```\n", 27, "{unfold} without {fold}"),
    ],
)
def test_a_mark_without_the_other_is_told_of(tmp_path, old, line, missing):
    page = FOLD.replace(old, old[-2:])
    made = build(tmp_path, {"index.md": page}, "myst_nb", "book.page.fold")
    assert made.code == 1
    assert f"index.md:{line}: WARNING: {missing} in the same section" in made.messages
