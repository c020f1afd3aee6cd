"""A page as plain Markdown: what is read from it is what stood in the page."""

from __future__ import annotations

import pytest
from book.downloads.readable import Unwritable, Writer, fenced, literal, parts
from docutils import nodes
from docutils.core import publish_doctree
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sphinx import addnodes

BACKSLASH = chr(92)


def number(kind: str, node: nodes.Element) -> str:
    numbers = {"figure": "図4", "table": "表1", "code-block": "リスト2", "displaymath": "3"}
    return numbers[kind] if node["ids"] else ""


def address(node: nodes.reference) -> str:
    return node.get("refuri", "")


WRITER = Writer(number, address)


def written(rst: str) -> str:
    """Write RST, which docutils reads, as Markdown."""
    settings = {"report_level": 5, "character_level_inline_markup": True}
    return WRITER.blocks(parts(publish_doctree(rst, settings_overrides=settings)))


def shown(markdown: str) -> str:
    return MarkdownIt("commonmark").enable("table").render(markdown)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1))
@example("__0__")
@example("~~~")
@example(" >")
@example("1.")
@example("1. a")
@example("[1]:1")
@example("&lt;&#35;")
def test_text_is_shown_as_it_stood(text):
    paragraph = nodes.paragraph("", "", nodes.Text(text))
    stripped = " ".join(text.strip().split("\n"))
    html = shown(WRITER.write(paragraph)).removeprefix("<p>").removesuffix("</p>\n")
    for sign, entity in (("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        html = html.replace(sign, entity)
    assert html.split() == stripped.split()


def test_japanese_prose_gets_no_noise():
    text = "値v_previousは[0, 1]の中（a|b、a-b、#1）にあり、1.5倍や20%です。"
    assert WRITER.write(nodes.paragraph("", "", nodes.Text(text))) == text


@pytest.mark.parametrize(
    ("rst", "markdown"),
    [
        ("膜電位は ``v`` です。", "膜電位は `v` です。"),
        ("**太く** 、 *斜めに*", "**太く** 、 *斜めに*"),
        ("`別の所 <https://example.org/>`__", "[別の所](https://example.org/)"),
        ("式は :math:`v_t > 0` です。", "式は $v_t > 0$ です。"),
        ("- 一\n- 二\n\n  - 中", "- 一\n\n- 二\n\n  - 中"),
        ("- 一\n- 二", "- 一\n- 二"),
        ("1. 三\n2. 四", "1. 三\n2. 四"),
        ("語\n  意味\n\n  続き", "- **語**\n\n  意味\n\n  続き"),
        (".. admonition:: 題\n\n   本文\n\n   続き", "> **題**\n>\n> 本文\n>\n> 続き"),
        ("段落\n\n  引用", "段落\n\n> 引用"),
        ("::\n\n  x = 1", "```\nx = 1\n```"),
        (".. math::\n\n   a = b", "$$\na = b\n$$"),
        (".. comment", ""),
    ],
)
def test_blocks(rst, markdown):
    assert written(rst) == markdown


def test_a_drawing_in_a_line_is_told_by_its_words():
    drawing = nodes.raw("", "<svg/>", format="html", alt="開いた*本*。")
    assert (
        WRITER.write(nodes.paragraph("", "", drawing)) == rf"（開いた{BACKSLASH}*本{BACKSLASH}*。）"
    )
    with pytest.raises(Unwritable):
        WRITER.write(nodes.paragraph("", "", nodes.raw("", "<b/>", format="html")))


def test_list_begins_where_it_begins():
    items = [nodes.list_item("", nodes.paragraph("", text)) for text in ("三", "四")]
    assert WRITER.write(nodes.enumerated_list("", *items, start=3)) == "3. 三\n4. 四"


def test_headings_are_as_deep_as_their_sections():
    tree = publish_doctree(
        "題\n==\n\n節\n--\n\n項\n~~\n", settings_overrides={"doctitle_xform": False}
    )
    assert WRITER.blocks(parts(tree)) == "# 題\n\n## 節\n\n### 項"


def test_formula_on_its_own_is_aligned_and_numbered_as_on_the_site():
    block = nodes.math_block("", "a &= b " + BACKSLASH * 2 + " c &= d", ids=["equation-a"])
    aligned = r"\begin{aligned}a &= b \\ c &= d\end{aligned}"
    assert WRITER.write(block) == f"$$\n{aligned} \\tag{{3}}\n$$"
    whole = nodes.math_block("", aligned, ids=[])
    assert WRITER.write(whole) == f"$$\n{aligned}\n$$"


def test_table_keeps_bars_numbers_and_columns():
    rst = (
        ".. list-table:: 題\n   :header-rows: 1\n   :name: t\n\n"
        "   * - 記号\n     - コード\n   * - :math:`|x|`\n     - ``a | b``\n"
    )
    text = written(rst)
    rows = ["| 記号 | コード |", "|---|---|", r"| $\vert x\vert $ | `a \| b` |"]
    assert text == "\n".join(["**表1** 題", "", *rows])
    assert shown(text).count("<td>") == 2


def test_columns_of_numbers_stand_right():
    rst = ".. list-table::\n   :header-rows: 1\n\n   * - 名\n     - 数\n   * - 膜\n     - 12\n"
    tree = publish_doctree(rst)
    for entry in list(tree.findall(nodes.entry))[1::2]:
        entry["classes"].append("text-right")
    assert WRITER.blocks(parts(tree)) == "| 名 | 数 |\n|---|---:|\n| 膜 | 12 |"


def test_listing_has_its_number_and_caption():
    code = nodes.literal_block("", "x = 1", language="ipython3")
    caption = nodes.caption("", "", nodes.literal("", "a.py"))
    box = nodes.container("", caption, code, literal_block=True, ids=["a"])
    assert WRITER.write(box) == "**リスト2** `a.py`\n\n```python\nx = 1\n```"


def test_title_of_a_page_stands_in_brackets_once_where_there_is_no_link():
    text = nodes.inline("", "IFモデル", classes=["doc"])
    title = nodes.reference("", "", text, refid="a")
    assert WRITER.write(title) == "「IFモデル」"
    linked = nodes.reference("", "", text.deepcopy(), refuri="https://example.org/")
    assert WRITER.write(linked) == "[IFモデル](https://example.org/)"
    within = nodes.paragraph("", "", nodes.Text("次の「"), title, nodes.Text("」へ"))
    assert WRITER.line(within) == "次の「IFモデル」へ"


@pytest.mark.parametrize("text", ["x", "`", "a`b", "``", "a``b`"])
def test_code_with_backquotes_is_shown_as_it_is(text):
    assert shown(literal(text)) == f"<p><code>{text}</code></p>\n"
    assert shown(fenced(f"```\n{text}\n```")) == f"<pre><code>```\n{text}\n```\n</code></pre>\n"


class Drawn(nodes.General, nodes.Element):
    def astext(self):
        return "三角が5つある。"


@pytest.mark.parametrize(
    "drawn", [Drawn(), nodes.raw("", "<svg/>", format="html", alt="三角が5つある。")]
)
def test_a_figure_is_put_into_words_of_what_draws_it_or_of_its_description(drawn):
    figure = nodes.figure("", drawn, nodes.caption("", "発火。"), ids=["spikes"])
    assert WRITER.write(figure) == "三角が5つある。\n\n**図4** 発火。"


@pytest.mark.parametrize(
    "node",
    [
        nodes.line_block(),
        addnodes.desc("", addnodes.desc_content()),
        nodes.note("", nodes.paragraph("", "本文")),
        nodes.figure("", nodes.image(), nodes.caption("", "発火。")),
        nodes.figure("", nodes.raw("", "<svg/>", format="html"), nodes.caption("", "発火。")),
        nodes.paragraph("", "", nodes.raw("", "<b>", format="html")),
        nodes.table("", nodes.tgroup("", nodes.tbody("", nodes.row("", nodes.entry())))),
        nodes.table("", nodes.tgroup("", nodes.thead("", nodes.row("", nodes.entry(morecols=1))))),
    ],
)
def test_what_has_no_form_is_not_left_out_silently(node):
    with pytest.raises(Unwritable, match="has no form in a downloaded page"):
        WRITER.write(node)
