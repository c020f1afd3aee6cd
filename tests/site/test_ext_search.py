"""What is in a page is found, by whatever name; and it is found at the passage that has it."""

from __future__ import annotations

import json

import pytest
from book import search
from book.search import words
from py_mini_racer import MiniRacer
from sphinx_project import CELLS, EXTENSIONS, build, sphinx_build

SCRIPT = EXTENSIONS / "search" / "static" / "search.js"
SETTINGS = (
    "html_math_renderer = 'katex'\n"
    "myst_enable_extensions = ['dollarmath', 'colon_fence']\n"
    "suppress_warnings = ['myst-nb.lexer']\n"
)
INDEX = "# 本\n\n```{toctree}\nlif\napi\n```\n"
PAGES = {"index.md": INDEX, "lif.md": "# 漏れ\n\n漏れる。\n", "api.md": "# API\n\n関数。\n"}


def project(folder, pages):
    built = build(
        folder, pages, "myst_nb", "bookproof", "book.formulas", "book.search", settings=SETTINGS
    )
    assert built.code == 0, built.messages
    return built


def book(folder):
    """Read what the search page loads."""
    text = (folder / "html" / search.FILE).read_text(encoding="utf-8")
    return json.loads(text.removeprefix("const BOOK = ").removesuffix(";\n"))


def passages(folder, page="index"):
    return [tuple(passage) for passage in dict(book(folder)["pages"])[page]]


def test_other_builders_get_nothing_of_it(tmp_path):
    project(tmp_path, PAGES)
    for builder in ("epub", "text"):
        out = tmp_path / builder
        sphinx_build(
            "-b", builder, "-d", str(tmp_path / "doctrees"), str(tmp_path / "docs"), str(out)
        )
        assert list(out.glob("lif.*"))
        assert not list(out.glob("search*"))


# ---- What a page is searched for ----


def test_a_page_is_cut_where_a_link_can_lead(tmp_path):
    text = (
        "# 題\n\n始め。\n\n(leak)=\n## 漏れ\n\n漏れる。\n\n### 式\n\nここに式。\n\n"
        ":::{glossary}\n閾値\n  しきい値とも書く。\n:::\n\n"
        "```{eval-rst}\n.. py:function:: snn.run(x)\n\n   進める。\n```\n"
    )
    built = project(tmp_path, {"index.md": text})
    found = passages(tmp_path)
    assert [passage[1:] for passage in found] == [
        ("題", "始め。"),
        ("漏れ", "漏れる。"),
        ("式", "ここに式。"),
        ("閾値", "しきい値とも書く。"),
        ("snn.run", "snn.run(x) 進める。"),
    ]
    anchors = [anchor for anchor, *_ in found]
    assert anchors[0] == ""
    assert all(built.page().find(id=anchor) for anchor in anchors[1:])


def test_text_is_what_the_reader_sees(tmp_path):
    text = CELLS + (
        "# 題\n\n% 注釈\n\n電位$v_t$が$\\theta$以上の`IF.run`を、{doc}`lif`で\n見る。\n\n"
        "$$\nE = mc^2\n$$\n\n![絵](x.png)\n\n```{raw} html\n<b>生</b>\n```\n\n"
        "```{admonition} 注の題\n注意。\n```\n\n"
        "| 列 |\n|---|\n| 欄 |\n\n- 項\n\n> 引用\n\n```{figure} x.png\n絵\n```\n\n"
        "```{code-cell} ipython3\nprint('出')\n```\n\n```{toctree}\n:hidden:\nlif\n```\n"
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "x.png").write_bytes(b"")
    project(tmp_path, {"index.md": text, "lif.md": PAGES["lif.md"]})
    assert passages(tmp_path) == [
        (
            "",
            "題",
            "電位vtがθ以上のIF.runを、漏れで 見る。 注の題 注意。 列 欄 項 引用 絵 print('出') 出",
        )
    ]


def test_code_that_is_folded_away_beside_its_output_is_not_searched(tmp_path):
    hidden = '```{code-cell} ipython3\n:tags: [hide-input]\nprint("出力" * 2)\n```\n'
    project(tmp_path, {"index.md": CELLS + "# 題\n\n" + hidden})
    assert passages(tmp_path) == [("", "題", "出力出力")]


def test_a_formula_that_cannot_be_read_is_shown_as_written():
    assert search.as_seen("x > 0") == "x>0"
    assert search.as_seen(r"\nosuch") == r"\nosuch"


def test_pages_are_in_the_order_in_which_they_are_read(tmp_path):
    project(tmp_path, {**PAGES, "extra.md": "---\norphan: true\n---\n# 余り\n"})
    assert [name for name, _ in book(tmp_path)["pages"]] == ["index", "lif", "api", "extra"]


# ---- What a build leaves ----


def test_sphinx_makes_no_index_of_its_own_but_there_is_a_search_page(tmp_path):
    built = project(tmp_path, PAGES)
    assert not (built.folder / "searchindex.js").exists()
    assert built.page("search").select("script[src*='_static/search.js'][defer]")


def test_a_build_of_one_page_keeps_the_others(tmp_path):
    project(tmp_path, PAGES)
    project(tmp_path, {"lif.md": "# 漏れ\n\n変えた。\n"})
    assert passages(tmp_path, "lif") == [("", "漏れ", "変えた。")]
    assert passages(tmp_path, "api") == [("", "API", "関数。")]


def test_a_page_that_is_gone_is_not_found(tmp_path):
    project(tmp_path, PAGES)
    (tmp_path / "docs" / "api.md").unlink()
    project(tmp_path, {"index.md": INDEX.replace("api\n", "")})
    assert [name for name, _ in book(tmp_path)["pages"]] == ["index", "lif"]


@pytest.mark.parametrize("left", [None, "", "const BOOK = {", "<html>"])
def test_a_lost_or_broken_file_is_made_anew(tmp_path, left):
    built = project(tmp_path, PAGES)
    file = built.folder / search.FILE
    whole = file.read_bytes()
    file.unlink()
    if left is not None:
        file.write_text(left, encoding="utf-8")
    project(tmp_path, {})
    assert file.read_bytes() == whole


def test_a_build_that_breaks_off_leaves_the_file_as_it_was(tmp_path):
    built = project(tmp_path, PAGES)
    before = (built.folder / search.FILE).read_bytes()
    breaking = "def setup(app):\n    app.connect('html-collect-pages', lambda app: 1 / 0)\n"
    pages = {"lif.md": "# 漏れ\n\n変えた。\n"}
    broken = build(
        tmp_path, pages, "myst_nb", "book.formulas", "book.search", settings=SETTINGS + breaking
    )
    assert broken.code == 2
    assert (built.folder / search.FILE).read_bytes() == before


# ---- Other names, from the glossary ----


@pytest.mark.parametrize(
    ("definition", "names"),
    [
        ("いきち。しきい値とも書く。超えると発火する。", ["しきい値"]),
        ("しきい値とも書き、スレッショルドともいう。", ["しきい値", "スレッショルド"]),
        ("階段関数ともいい、段の関数ともいう。", ["階段関数", "段の関数"]),
        ("代用勾配、擬似勾配、疑似勾配ともいう。", ["代用勾配", "擬似勾配", "疑似勾配"]),
        ("この本では$v$と書く。精度と呼ばれることも多い。", []),
    ],
)
def test_a_definition_names_what_a_term_is_also_called(definition, names):
    assert list(words.other_names(definition)) == names


def test_names_are_folded_and_a_part_of_one_that_is_a_term_itself_keeps_its_meaning():
    glossary = {"Heaviside関数": "ＡＢ関数、ステップ関数ともいう。", "ステップ": "step。"}
    assert words.variants(glossary) == {
        "ステップ関数": "Heaviside関数",
        "ab関数": "Heaviside関数",
        "step": "ステップ",
    }


def test_names_come_from_glossaries_alone(tmp_path):
    text = (
        "# 題\n\n本文ともいう。\n\n:::{glossary}\n膜電位\n  膜ポテンシャルともいう。"
        "{term}`閾値`と比べる。\n\n閾値\n  しきい値とも書く。\n:::\n"
    )
    project(tmp_path, {"index.md": text})
    assert book(tmp_path)["variants"] == {"膜ポテンシャル": "膜電位", "しきい値": "閾値"}


@pytest.mark.parametrize(
    ("definition", "names"),
    [
        ("まくでんい、membrane potential。差。", ["membrane potential"]),
        ("raster plot。図。", ["raster plot"]),
        (
            "つうじてき、backpropagation through time (BPTT)。",
            ["backpropagation through time", "BPTT"],
        ),
        ("いきち。この本ではthresholdとは書かない。", []),
    ],
)
def test_a_definition_begins_with_the_english(definition, names):
    assert words.english(definition) == names


def test_a_term_leads_to_the_pages_that_its_definition_names():
    glossary = {
        "閾値": "しきい値とも書く。「漏れ」の章と「題」で確かめる。「無」。",
        "無": "ない。",
    }
    assert list(words.homes(glossary, {"漏れ": "lif", "題": "index"})) == [
        ("lif", "閾値"),
        ("lif", "しきい値"),
        ("index", "閾値"),
        ("index", "しきい値"),
    ]


# ---- Words of readers, from the file of the book ----

WORDS = "# 注\n\nポアソン = Poisson, ＰＰ\nlif: 忘却, leak\nlif › 時定数: tau\n"


def project_with(folder, text):
    (folder / "docs").mkdir()
    (folder / "docs" / "words.txt").write_text(text, encoding="utf-8")
    pages = PAGES | {"lif.md": "# 漏れ: 忘れる\n\n漏れる。\n\n## 時定数を選ぶ\n\n37%。\n"}
    settings = SETTINGS + "search_words = 'words.txt'\n"
    return build(folder, pages, "myst_nb", "book.formulas", "book.search", settings=settings)


def test_the_file_says_what_else_is_typed_and_where_it_leads(tmp_path):
    assert project_with(tmp_path, WORDS).code == 0
    found = book(tmp_path)
    assert found["variants"] == {"poisson": "ポアソン", "pp": "ポアソン"}
    (anchor,) = (anchor for anchor, heading, _ in passages(tmp_path, "lif") if "時定数" in heading)
    assert found["leads"] == {"lif": {"": ["忘却", "leak"], anchor: ["tau"]}}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lif 忘却", "say “word = names” or “page › heading: words”"),
        ("lif › 閾値: 忘却", "0 sections of 'lif' begin with '閾値': name one"),
        ("leak: 忘却", "there is no page 'leak'"),
    ],
)
def test_a_line_that_leads_nowhere_is_named(tmp_path, line, told):
    built = project_with(tmp_path, f"{WORDS}{line}\n")
    assert built.code == 1
    assert f"words.txt:6: WARNING: {told}" in built.messages


# ---- What a query finds ----

SHELF = {
    "lif": [["", "LIFモデル", "膜電位が漏れる。ＩＦではない。"], ["t", "時定数", "different"]],
    "if": [["", "IFモデル", "代理勾配。IF().run()は`detach_reset`"], ["r", "発火", "電位は閾値"]],
    "api": [["", "API", "閾値 閾値 閾値"], ["e", "snn_docs.encoding", "SigmoidX 閾値"]],
    "glossary": [["", "用語集", ""], ["t", "閾値", "いきち"], ["h", "関数", "Heaviside ﾊﾟﾙｽ"]],
}
NAMES = {
    "しきい値": "閾値",
    "ポテンシャル": "電位",
    "ヘビサイド": "Heaviside",
    "membrane potential": "膜電位",
}
LEADS = {"lif": {"": ["忘却", "out of time"], "t": ["tau"]}, "api": {"": ["関数一覧"]}}


@pytest.fixture(scope="module")
def script():
    """The script that pages load, in a V8 without a page."""
    racer = MiniRacer()
    racer.eval("const document = { addEventListener() {} };")
    pages = list(SHELF.items())
    data = {"variants": NAMES, "leads": LEADS, "pages": pages}
    racer.eval(f"const BOOK = {json.dumps(data)};")
    racer.eval(SCRIPT.read_text(encoding="utf-8"))
    yield lambda code: json.loads(racer.eval(f"JSON.stringify({code})"))
    racer.close()


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("膜電位が漏れる", {"lif"}),  # No word boundary matters,
        ("理勾", {"if"}),
        ("漏", {"lif"}),
        ("電位漏れ", set()),  # but order and neighbourhood do.
        ("detach", {"if"}),
        ("_reset", {"if"}),
        ("sigmoid", {"api"}),
        ("snn_docs.encoding", {"api"}),
        ("docs.enc", {"api"}),
        ("IF", {"lif", "if"}),  # Two letters stand alone: neither "different" nor LIF.
        ("if", {"lif", "if"}),
        ("ＩＦ", {"lif", "if"}),
        ("lif", {"lif"}),
        ("パルス", {"glossary"}),  # Half-width kana in the page,
        ("ﾊﾟﾙｽ", {"glossary"}),  # in the query,
        ("ｲｷﾁ", set()),  # but katakana are not hiragana.
        ("しきい値", {"if", "api", "glossary"}),
        ("はしきい値", {"if"}),
        ("ポテンシャルはしきい値", {"if"}),
        ("ヘビサイド", {"glossary"}),
        ("閾値 電位", {"if"}),  # All of the words, in whichever passage of the page.
        ("閾値　電位", {"if"}),
        ("  閾値  ", {"if", "api", "glossary"}),
        ("run()は`", {"if"}),
        ("メモリー", set()),
        ("忘却", {"lif"}),  # Not in the text: these words lead there.
        ("out of time", {"lif"}),
        ("Membrane Potential", {"lif"}),  # A name of two words is one word.
        ("閾値 種類", {"if", "api", "glossary"}),  # What fills a question need not be there.
        ("種類", set()),
        ("(.*)", set()),
        ("", set()),
        (" 　", set()),
    ],
)
def test_a_query_finds_the_pages_that_have_all_its_words(script, query, pages):
    assert {found["page"] for found in script(f"through(literal({json.dumps(query)}))")} == pages


def test_what_is_named_so_comes_first_then_what_has_it_in_a_heading_then_in_its_text(script):
    found = script("find('閾値')")
    assert [(one["page"], one["anchor"]) for one in found] == [
        ("glossary", "t"),
        ("api", ""),
        ("if", "r"),
    ]
    assert [one["page"] for one in script("through(literal('LIFモデル'))")] == ["lif"]
    assert script("find('IFモデル')")[0]["page"] == "if"


def test_of_a_page_the_passage_is_shown_that_has_most_of_the_words(script):
    (found,) = script("through(literal('sigmoid 閾値'))")
    assert (found["title"], found["anchor"]) == ("API", "e")


def test_words_lead_to_a_section_or_to_the_best_of_a_page(script):
    assert [(one["page"], one["anchor"]) for one in script("find('tau')")] == [("lif", "t")]
    assert [(one["page"], one["anchor"]) for one in script("find('忘却 different')")] == [
        ("lif", "t")
    ]
    assert [one["anchor"] for one in script("find('忘却')")] == [""]


@pytest.mark.parametrize(
    ("query", "pieces"),
    [
        ("学習が進まない", [["学習"], ["進"]]),
        ("話者認識", [["話者"], ["者認"], ["認識"]]),
        ("メモリーを減らす", [["メモリー", "メモリ"], ["減"]]),
        ("しきい値", [["値"]]),
        ("IFの種類", [["if"]]),
    ],
)
def test_a_sentence_has_pieces(script, query, pieces):
    assert script(f"piecesOf({json.dumps(query)})") == pieces


def test_where_few_pages_have_all_those_that_have_half_of_the_pieces_follow(script):
    found = script("find('膜電位の漏れ')")
    assert [(one["page"], one.get("near", False)) for one in found] == [("lif", True)]
    found = script("find('漏れ 電位')")
    assert [(one["page"], one.get("near", False)) for one in found] == [
        ("lif", False),
        ("if", True),
    ]


@pytest.mark.parametrize(
    ("text", "word", "shown"),
    [
        ("膜電位と電位", "電位", ["電位", "電位"]),
        ("ＩＦとif、DIFF", "if", ["ＩＦ", "if"]),
        ("5 ㎜のｶﾞﾗｽ", "ガラス", ["ｶﾞﾗｽ"]),
        ("…の後の値", "値", ["値"]),  # In one writing … is three characters.
        ("a\n  b", "a b", ["a\n  b"]),
        ("𝜃は閾値", "θは閾値", ["𝜃は閾値"]),  # 𝜃 is two code units.
        ("f(x)", "(x)", ["(x)"]),
    ],
)
def test_a_hit_is_known_in_the_text_as_shown(script, text, word, shown):
    places = script(f"stretches({json.dumps(text)}, [{json.dumps(word)}])")
    units = text.encode("utf-16-le")
    assert [units[2 * a : 2 * b].decode("utf-16-le") for a, b in places] == shown


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("閾値", "3件見つかりました。"),
        ("しきい値", "3件見つかりました。「しきい値」は「閾値」でも探しました。"),
        ("無", "見つかりませんでした。短い言葉に変えて試してください。"),
        ("電位漏", "すべてを含むページはありません。近いページを2件示します。"),
        ("漏れ 電位", "1件見つかりました。近いページを1件加えました。"),
        ("", "空白で区切ると、すべてを含むページを探します。↑と↓で結果を選べます。"),
    ],
)
def test_the_reader_is_told_what_was_done(script, query, said):
    text = json.dumps(query)
    assert script(f"summary({text}, find({text}))") == said


def test_a_query_of_nothing_but_other_names_is_looked_for_in_few_spellings():
    """All of them would be twice as many with each name: a link could keep the browser busy."""
    racer = MiniRacer()
    racer.eval("const document = { addEventListener() {} };")
    names = {f"別名{sign}": f"名{sign}" for sign in "あいうえおかきくけこ"}
    pages = [["page", [["", "頁", "名あ名い名う名え名お名か名き名く名け名こ 別名あ"]]]]
    data = {"variants": names, "leads": {}, "pages": pages}
    racer.eval(f"const BOOK = {json.dumps(data)};")
    racer.eval(SCRIPT.read_text(encoding="utf-8"))
    query = "".join(names)
    spellings = racer.eval(f"JSON.stringify(wordsOf({json.dumps(query)}).flat())")
    racer.close()
    assert query in json.loads(spellings)
    assert len(json.loads(spellings)) <= 32


def test_a_query_that_nobody_types_is_cut(script):
    assert script("wordsOf(Array(100000).keys().toArray().join(' ')).join(' ').length") <= 200


WORK = """((query) => {
  let work = 0;
  const { includes } = String.prototype;
  String.prototype.includes = function (word) {
    work += word === '閾値' && this.length > 0;
    return includes.call(this, word);
  };
  find(query);
  String.prototype.includes = includes;
  return work;
})"""


def test_a_word_is_looked_for_once_however_often_it_is_typed(script):
    once = script(f"{WORK}('閾値')")
    assert once > 0
    assert script(f"{WORK}({json.dumps('閾値 ' * 40)})") == once


def test_a_search_rests_after_each_page(script):
    pages = script("BOOK.pages.length")
    assert script("[...literal('閾値')].length") == pages
