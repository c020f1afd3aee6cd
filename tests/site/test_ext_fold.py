"""What is to be folded is, on the page and in what is taken away."""

from __future__ import annotations

import nbformat
from sphinx_project import CELLS, build

FOLD = """# 題

問い。

```{fold} 解答
答えは2。
```

```{code-cell} ipython3
1 + 1
```
"""


def test_what_is_folded_is_so_on_the_page_and_in_a_notebook_and_open_in_a_script(tmp_path):
    used = ("bookproof", "book.page.fold", "book.downloads.takeaway")
    built = build(tmp_path, {"index.md": CELLS + FOLD}, *used)
    assert built.code == 0, built.messages
    (answer,) = built.page().select("details.fold")
    assert [each.text for each in answer.summary.select("span")] == ["解答を表示", "解答を隠す"]
    assert (answer.p.text, answer.find_previous_sibling("p").text) == ("答えは2。", "問い。")
    cells = nbformat.read(built.folder / "download" / "index.ipynb", as_version=4).cells
    folded = "<details><summary>解答</summary>\n\n答えは2。\n\n</details>"
    assert cells[0].source.endswith(f"問い。\n\n{folded}")
    text = (built.folder / "download" / "index.py").read_text(encoding="utf-8")
    assert "# **解答**\n#\n# 答えは2。" in text
    assert "details" not in text
