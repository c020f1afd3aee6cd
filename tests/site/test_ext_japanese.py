"""Japanese needs no spaces around markup, no English labels, and dashes that are dashes."""

from __future__ import annotations

from sphinx_project import CELLS, build


def test_rst_markup_may_touch_japanese(tmp_path):
    page = "# 題\n\n```{eval-rst}\n値は``x``と:math:`y`です。\n```\n"
    built = build(tmp_path, {"index.md": page}, "book.page.japanese")
    assert built.code == 0, built.messages
    assert built.page().select_one("p > code").text == "x"
    assert built.page().select_one("p > span.math")


def test_a_parameter_is_set_off_by_a_dash(tmp_path):
    page = "# 題\n\n```{eval-rst}\n.. py:function:: f(x)\n\n   :param int x: 値は--xで渡す\n```\n"
    built = build(tmp_path, {"index.md": page}, "book.page.japanese")
    assert built.code == 0, built.messages
    assert built.page().select_one(".field-list dd p").text == "x (int) – 値は--xで渡す"


def test_short_code_is_marked_so_that_it_is_not_broken(tmp_path):
    short, long = "`spikes[t - 1]`", f"`{'a' * 30}`"
    built = build(tmp_path, {"index.md": f"# 題\n\n{short}と{long}\n"}, "book.page.japanese")
    assert built.code == 0, built.messages
    marked = ["short-code" in code["class"] for code in built.page().select("p > code")]
    assert marked == [True, False]


def test_folded_cell_is_named_by_its_text_alone(tmp_path):
    page = CELLS + "# 題\n\n```{code-cell} ipython3\n:tags: [hide-input]\nx = 1\n```\n"
    settings = (
        'suppress_warnings = ["myst-nb.lexer"]\nnb_execution_mode = "off"\n'
        'nb_code_prompt_show = "コードを表示"\n'
        'nb_code_prompt_hide = "コードを隠す"\n'
    )
    built = build(tmp_path, {"index.md": page}, "book.page.japanese", settings=settings)
    assert built.code == 0, built.messages
    summary = built.page().select_one("details.hide > summary")
    assert summary.attrs == {"data-title": "コード"}  # on paper, where nothing is folded
    assert list(summary.stripped_strings) == ["コードを表示", "コードを隠す"]
    assert built.page().select_one("details.hide pre").text == "x = 1\n"
