"""Rules of style for the pages' sources, one function a rule, without running or building.

A program for writers, which `make check` runs; for one page: page_rules.py -k first_network
"""

from __future__ import annotations

import ast
import re
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from markdown_it.renderer import RendererHTML
from markdown_it.tree import SyntaxTreeNode
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from pybtex.database import parse_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(
    path.relative_to(DOCS).with_suffix("").as_posix()
    for folder in (DOCS, DOCS / "experiments")
    for path in folder.glob("*.md")
)
EXPERIMENTS = [name for name in PAGES if name.startswith("experiments/")]
EXTENSIONS = {"amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"}
PROSE = {"admonition", "hint", "important", "list-table", "note", "tip", "warning"}
"""Directives that hold prose."""
PROMPTS = {"code_prompt_show": "解答を表示", "code_prompt_hide": "解答を隠す"}
LONGEST_CELL = 15
WIDEST_OUTPUT = 92
"""Columns that a page shows at a desk; a wider line has to be scrolled or broken."""


def parse(text: str) -> SyntaxTreeNode:
    """Return the tree of a MyST text; its roles and directives are nodes with their names."""
    config = MdParserConfig(enable_extensions=EXTENSIONS)
    return SyntaxTreeNode(create_md_parser(config, RendererHTML).parse(text))


@dataclass(frozen=True)
class Directive:
    """A fence whose info names a directive: code-cell, testoutput, toctree, admonition."""

    name: str
    line: int
    first: int
    """The line of the first line of the body."""
    options: dict
    body: str


@dataclass(frozen=True)
class Piece:
    """A part of a page's prose: plain text, or a role such as ``{term}`閾値```."""

    line: int
    text: str
    role: str = ""
    listed: bool = False
    """Whether it is in the list at the beginning, of what the chapter shows, or its one idea."""


@dataclass
class Section:
    title: str
    line: int
    nodes: list = field(default_factory=list)


def directive_of(node: SyntaxTreeNode, line: int) -> Directive | None:
    """Return the directive of a fence, with its options as one dictionary."""
    found = re.match(r"\{([a-z-]+)\}", node.info) if node.type.endswith("fence") else None
    if found is None:
        return None
    content = node.content
    block = re.match(r"---\n(.*?)^---\n", content, re.DOTALL | re.MULTILINE)
    short = re.match(r"(?::[\w-]+:.*\n?)+", content)
    options = {}
    if block:
        options = yaml.safe_load(block[1])
        content = content[block.end() :]
    elif short:
        options = dict(re.findall(r"^:([\w-]+): *(.*)$", short[0], re.MULTILINE))
        content = content[short.end() :]
    first = line + 1 + node.content[: len(node.content) - len(content)].count("\n")
    return Directive(found[1], line, first, options, content.rstrip("\n"))


def pieces_of(
    node: SyntaxTreeNode, *, shift: int = 1, line: int = 0, listed: bool = False
) -> Iterator[Piece]:
    """Yield the prose of a block; code, formulas, headings and the texts of links are none."""
    line = node.map[0] + shift if node.map else line
    directive = directive_of(node, line)
    if directive and directive.name in PROSE:
        for inner in parse(directive.body).children:
            yield from pieces_of(inner, shift=directive.first)
    if directive or node.type in {"heading", "code_inline", "link", "fence"}:
        return
    if node.type == "text":
        yield Piece(line, node.content, listed=listed)
    elif node.type == "myst_role":
        yield Piece(line, node.content, node.meta["name"], listed)
    for child in node.children:
        yield from pieces_of(child, shift=shift, line=line, listed=listed)


class Source:
    """A page as its source says it."""

    def __init__(self, name: str, text: str | None = None) -> None:
        self.name = name
        self.text = (DOCS / f"{name}.md").read_text(encoding="utf-8") if text is None else text
        nodes = parse(self.text).children
        matter = [node.content for node in nodes if node.type == "front_matter"]
        self.matter = yaml.safe_load(matter[0]) if matter else {}
        self.opening: list[SyntaxTreeNode] = []
        self.sections: list[Section] = []
        self.directives: list[Directive] = []
        self.nodes = [node for node in nodes if node.type != "front_matter"]
        for node in self.nodes:
            if node.type == "heading" and node.tag == "h2":
                self.sections.append(Section(plain(node), node.map[0] + 1))
            elif self.sections:
                self.sections[-1].nodes.append(node)
            else:
                self.opening.append(node)
            if directive := directive_of(node, node.map[0] + 1 if node.map else 0):
                self.directives.append(directive)

    def cells(self) -> list[Directive]:
        return [directive for directive in self.directives if directive.name == "code-cell"]

    def section(self, title: str) -> Section:
        return {section.title: section for section in self.sections}[title]

    def prose(self, nodes: Iterable[SyntaxTreeNode] | None = None) -> Iterator[Piece]:
        early = [node for node in self.opening if node.type == "bullet_list"]
        early += [node for node in self.opening[1:2] if bold(node) == [plain(node)]]
        for node in self.nodes if nodes is None else nodes:
            yield from pieces_of(node, listed=node in early)

    def cited(self, nodes: Iterable[SyntaxTreeNode] | None = None) -> set[str]:
        roles = (piece for piece in self.prose(nodes) if piece.role.startswith("cite"))
        return {key.strip() for piece in roles for key in piece.text.split(",")}


def plain(node: SyntaxTreeNode) -> str:
    """Return the text of a block without its markup."""
    return "".join(part.content for part in node.walk() if not part.children)


def bold(node: SyntaxTreeNode) -> list[str]:
    return [plain(part) for part in node.walk() if part.type == "strong"]


def items(nodes: Iterable[SyntaxTreeNode]) -> list[SyntaxTreeNode]:
    return [item for node in nodes if node.type == "bullet_list" for item in node.children]


@cache
def source(name: str) -> Source:
    return Source(name)


def contents(page: str = "index") -> list[Directive]:
    """Return the lists of pages, but for that of the experiments, which is made by a pattern."""
    found = [item for item in source(page).directives if item.name == "toctree"]
    return [item for item in found if "glob" not in item.options]


def toctrees(page: str = "index") -> list[list[str]]:
    return [directive.body.split() for directive in contents(page)]


CHAPTERS = [name for names in toctrees()[:-1] for name in names]
"""What is read in order; the last toctree holds what is looked up."""
DEEPER = [
    name
    for item in contents()
    if item.options.get("caption") == "もっと深く"
    for name in item.body.split()
]
FIGURES = {"figure", "interactive"}
API = {"api", *toctrees("api")[0]}
LOOKED_UP = API | {"glossary", "references"}
"""Pages that are lists, where a term may come first without being explained."""


@pytest.fixture(params=PAGES)
def page(request) -> Source:
    return source(request.param)


@pytest.fixture(params=CHAPTERS)
def chapter(request) -> Source:
    return source(request.param)


# Rules of every page


def description(page: Source) -> str:
    return page.matter.get("myst", {}).get("html_meta", {}).get("description lang=ja", "")


def test_a_page_has_a_description(page):
    assert 40 <= len(description(page)) <= 160


def test_descriptions_differ():
    assert len({description(source(name)) for name in PAGES}) == len(PAGES)


def test_every_page_is_in_one_toctree():
    trees = [*toctrees(), *toctrees("api"), EXPERIMENTS]
    assert sorted(name for names in trees for name in names) == sorted({*PAGES} - {"index"})
    (made,) = [item for item in source("index").directives if "glob" in item.options]
    assert (made.options["caption"], made.body.strip()) == ("実験", "experiments/*")


def test_cells_are_short(page):
    lines = {cell.line: len(cell.body.split("\n")) for cell in page.cells()}
    assert not {line: count for line, count in lines.items() if count > LONGEST_CELL}


MAKERS = {"arange", "empty", "full", "ones", "rand", "randn", "tensor", "zeros"}


def bound_to_the_cpu(code: str) -> list[str]:
    """List what a network's `forward` makes without saying on which device."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef) and node.name == "forward":
            calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
            found += [
                ast.unparse(call)
                for call in calls
                if isinstance(call.func, ast.Attribute)
                and ast.unparse(call.func.value) == "torch"
                and call.func.attr in MAKERS
                and "device" not in [each.arg for each in call.keywords]
            ]
    return found


def test_what_a_network_makes_where_its_inputs_may_not_be_is_noticed():
    code = "class A:\n def forward(self, x):\n  return x + torch.{} + x.new_zeros(1)"
    assert bound_to_the_cpu(code.format("zeros(1)")) == ["torch.zeros(1)"]
    assert not bound_to_the_cpu(code.format("zeros(1, device=x.device)"))


def test_a_network_of_a_page_runs_where_its_inputs_are(page):
    bodies = [re.sub(r"^%.*$", "", cell.body, flags=re.MULTILINE) for cell in page.cells()]
    assert not [made for body in bodies if "def forward" in body for made in bound_to_the_cpu(body)]


def columns(line: str) -> int:
    """Return how wide a line is set in a monospaced font: a Japanese letter takes two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "FWA" else 1 for letter in line)


def cut(page: Source) -> list[int]:
    """List the lines of outputs that would be cut, and that no tag breaks instead."""
    found = []
    for cell, output in pairwise(page.directives):
        wrapped = "wrap-output" in str(cell.options.get("tags"))
        if output.name == "testoutput" and not wrapped and not output.body.startswith("|"):
            lines = enumerate(output.body.split("\n"), output.first)
            found += [number for number, line in lines if columns(line) > WIDEST_OUTPUT]
    return found


def test_an_output_that_is_cut_is_noticed():
    page = "```{code-cell} ipython3\nx\n```\n\n```{testoutput}\n1\n" + "あ" * 47 + "\n```\n"
    assert cut(Source("page", page)) == [7]
    assert cut(Source("page", page.replace("あ" * 47, "あ" * 46))) == []
    assert cut(Source("page", page.replace("\nx", "\n:tags: [wrap-output]\nx"))) == []


def test_an_output_can_be_read_without_scrolling_at_a_desk(page):
    assert not cut(page)


def figure_of(cell: Directive) -> dict:
    """Return what a cell says of its figure: alt, name, caption."""
    said = cell.options.get("mystnb") or {}
    figure = {**(said.get("image") or {}), **(said.get("figure") or {})}
    return {key: str(value).strip() for key, value in figure.items()}


def test_figures_have_a_name_a_caption_and_words_for_who_cannot_see_them(page):
    for cell in page.cells():
        figure = figure_of(cell)
        if re.search(r"\b(subplots|plt\.figure)\(", cell.body) or figure:
            assert all(figure.get(key) for key in ("alt", "name", "caption")), cell.line
            assert figure["name"].startswith("fig-"), cell.line


def test_names_of_figures_are_unique():
    figures = [figure_of(cell) for name in PAGES for cell in source(name).cells()]
    names = Counter(figure["name"] for figure in figures if "name" in figure)
    assert not [name for name, count in names.items() if count > 1]


def test_a_paragraph_is_one_line(page):
    """A line break between Japanese letters would be seen as a gap."""
    breaks = [part for node in page.nodes for part in node.walk() if part.type == "softbreak"]
    assert not [plain(part.parent)[:40] for part in breaks]


NOUNS = API | {"glossary", "notation", "references"}
"""Pages whose titles are words that a sentence takes as they are."""


def unmarked(page: Source) -> list[str]:
    """List the titles of pages that a sentence links to without brackets around them.

    Most titles are phrases, which would be read into the sentence: 次の代理勾配を選ぶでは.
    """
    found = []
    pieces = [Piece(0, ""), *page.prose(), Piece(0, "")]
    for before, link, after in zip(pieces, pieces[1:], pieces[2:], strict=False):
        title = link.role == "doc" and "<" not in link.text and link.text not in NOUNS
        inside = before.line == link.line and before.text.endswith("「")
        if title and after.line == link.line and not (inside and after.text.startswith("」")):
            found.append(f"{page.name}.md:{link.line}: {link.text}")
    return found


def test_a_title_without_brackets_is_noticed():
    page = Source(
        "page",
        "次の{doc}`lif`では、\n\n次の「{doc}`lif`」、{doc}`漏れ<lif>`、{doc}`glossary`では、",
    )
    assert unmarked(page) == ["page.md:1: lif"]
    table = (
        "```{list-table}\n\n* - {doc}`lif`\n  - 漏れ\n* - 漏れ。{doc}`lif`\n  - {doc}`lif`の式\n```"
    )
    assert unmarked(Source("page", table)) == ["page.md:6: lif"]


def test_titles_that_are_linked_to_stand_in_brackets(page):
    assert not unmarked(page)


# Rules of the first page


def test_the_map_lists_every_page_in_the_order_of_the_contents():
    lists = [
        node for node in source("index").section("章の地図").nodes if node.type == "bullet_list"
    ]
    mapped = [[role.content for role in node.walk() if role.type == "myst_role"] for node in lists]
    assert mapped == toctrees()


def test_the_parts_of_the_map_are_called_as_in_the_contents():
    parts = [node for node in source("index").section("章の地図").nodes if node.type == "heading"]
    assert [plain(node) for node in parts] == [tree.options["caption"] for tree in contents()]


def test_the_api_lists_what_its_pages_describe():
    text = "\n".join(source(name).text for name in toctrees("api")[0])
    described = re.findall(
        r"^\.\. auto(?:class|function|exception|data):: ([\w.]+)", text, re.MULTILINE
    )
    ((module, members),) = re.findall(
        r"^\.\. automodule:: (\S+)\n   :members: (.+)", text, re.MULTILINE
    )
    described += [f"{module}.{member}" for member in members.split(", ")]
    listed = re.findall(r"\{py:\w+\}`([\w.]+) <snn_docs\.\1>`", source("api").text)
    assert sorted(f"snn_docs.{name}" for name in listed) == sorted(described)


def test_the_commands_that_the_book_tells_are_those_of_the_readme():
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    fences = [node for node in source("about").nodes if node.type == "fence" and node.info == "sh"]
    lines = [line for node in fences for line in node.content.splitlines()]
    assert lines
    assert not [line for line in lines if line not in readme]


# Rules of chapters


def is_figure(node: SyntaxTreeNode) -> bool:
    directive = directive_of(node, 0)
    if directive is None:
        return False
    return directive.name in FIGURES or (
        directive.name == "code-cell" and bool(figure_of(directive))
    )


def complaints(page: Source) -> list[str]:
    """Say what a page's opening lacks: one sentence in bold, a picture, three lines at most."""
    nodes = [node for node in page.opening if node.type not in {"heading", "myst_target"}]
    first = nodes[0]
    found = []
    if bold(first) != [plain(first)] or plain(first).count("。") != 1:
        found.append("the first paragraph is not one sentence in bold")
    if not any(is_figure(node) for node in nodes):
        found.append("there is no picture")
    rest = [plain(node) for node in nodes[1:] if not directive_of(node, 0)]
    if len("".join(rest)) > 3 * 40:
        found.append(f"{len(''.join(rest))} letters beside the sentence and the picture")
    return found


def test_what_an_opening_lacks_is_noticed():
    told = (
        "# 題\n\n**要点は1つです。**\n\n```{interactive} if-neuron\n:name: a\n題。\n```\n\n見る。\n"
    )
    assert not complaints(Source("page", told))
    assert len(complaints(Source("page", told.replace("**", "")))) == 1
    assert len(complaints(Source("page", told.replace("点は", "点。は")))) == 1
    assert len(complaints(Source("page", told.replace("{interactive} if-neuron", "text")))) == 1
    assert len(complaints(Source("page", told.replace("見る", 120 * "見")))) == 1


def test_a_chapter_opens_with_its_one_idea_and_a_picture(chapter):
    assert not complaints(chapter)


def test_a_chapter_has_an_exercise_or_two_and_one_sentence_to_remember(chapter):
    assert 1 <= len(exercises(chapter)) <= 3
    (sentence,) = [text for node in chapter.section("まとめ").nodes for text in bold(node)]
    assert sentence.count("。") == 1
    assert not items(chapter.section("まとめ").nodes)


def test_a_chapter_ends_with_what_leads_deeper(chapter):
    titles = [section.title for section in chapter.sections]
    last = [title for title in titles if title in {"練習", "まとめ", "もっと深く", "参考文献"}]
    assert titles[-len(last) :] == last
    assert last[:2] == ["練習", "まとめ"]
    assert "もっと深く" in last or chapter.name in DEEPER
    assert ("参考文献" in last) == bool(chapter.cited())


def test_numbers_are_shown_as_numbers(chapter):
    """Where truth itself is the point, once."""
    outputs = [part for part in chapter.directives if part.name == "testoutput"]
    assert sum(bool(re.search(r"\b(True|False)\b", part.body)) for part in outputs) <= 1


def test_what_a_program_shows_is_no_print(chapter):
    assert "印字" not in chapter.text


def exercises(chapter: Source) -> dict[str, list[SyntaxTreeNode]]:
    """Return the exercises by title, with what follows each title."""
    found: dict[str, list[SyntaxTreeNode]] = {}
    for node in chapter.section("練習").nodes:
        if node.type == "heading":
            found[plain(node)] = []
        elif found:
            found[list(found)[-1]].append(node)
    return found


def test_exercises_are_numbered(chapter):
    for number, title in enumerate(exercises(chapter), start=1):
        assert re.fullmatch(rf"練習{number}: .+", title)


def test_an_exercise_is_asked_and_solved_in_folded_cells_that_are_checked(chapter):
    for title, nodes in exercises(chapter).items():
        assert nodes[0].type == "paragraph", title
        parts = [part for node in nodes if (part := directive_of(node, 0))]
        cells = [part for part in parts if part.name == "code-cell"]
        assert cells, title
        assert "testoutput" in [part.name for part in parts], title
        for cell in cells:
            assert "hide-cell" in (cell.options.get("tags") or []), title
            assert (cell.options.get("mystnb") or {}).items() >= PROMPTS.items(), title


def test_a_chapter_says_at_its_end_what_each_work_is_cited_for(chapter):
    if cited := chapter.cited():
        assert cited == chapter.cited(chapter.section("参考文献").nodes)


def test_no_output_of_a_chapter_goes_unchecked(chapter):
    outputs = [part for part in chapter.directives if part.name == "testoutput"]
    assert outputs
    assert not [part.line for part in outputs if "SKIP" in part.options.get("options", "")]


# Terms


@dataclass(frozen=True)
class Entry:
    term: str
    reading: str
    text: str


@cache
def glossary() -> list[Entry]:
    (block,) = [part for part in source("glossary").directives if part.name == "glossary"]
    entries = []
    for paragraph in block.body.split("\n\n"):
        term, text = paragraph.split("\n", 1)
        reading = re.match(r" +([ぁ-ゖァ-ヺー]+)、", text)
        entries.append(Entry(term, reading[1] if reading else term, text.strip()))
    return entries


def alphabetical(reading: str) -> tuple[str, str]:
    """Return what sorts kana as a dictionary does: marks and sizes count only at the last."""
    hiragana = "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in reading)
    letters = unicodedata.normalize("NFD", hiragana.replace("ー", ""))
    base = "".join(c for c in letters if not unicodedata.combining(c))
    return base.translate(str.maketrans("ぁぃぅぇぉっゃゅょ", "あいうえおつやゆよ")), hiragana


def test_the_glossary_is_in_the_order_of_its_readings():
    readings = [entry.reading for entry in glossary()]
    assert all(re.fullmatch(r"[ぁ-ゖァ-ヺー]+", reading) for reading in readings)
    assert readings == sorted(readings, key=alphabetical)


def test_an_entry_has_a_reading_english_and_a_definition():
    for entry in glossary():
        reading = "" if entry.term == entry.reading else f"{entry.reading}、"
        assert re.match(rf"{reading}[A-Za-z][A-Za-z() -]+。.+。$", entry.text), entry.term


LETTERS = "A-Za-zァ-ヺー一-龠々"
LONGEST_FIRST = sorted((re.escape(entry.term) for entry in glossary()), key=len, reverse=True)
TERM = re.compile(rf"(?<![{LETTERS}])(?:{'|'.join(LONGEST_FIRST)})(?![{LETTERS}0-9])")
"""A term as a word: 発火 in 発火する and in 発火、 but not in 発火時刻, which is another."""


CONF = (DOCS.parent / "conf.py").read_text(encoding="utf-8")
EVERYDAY = ast.literal_eval(re.search(r"^terms_everyday = (\[.*?\])$", CONF, re.MULTILINE)[1])


def target(link: Piece) -> str:
    """Return the term that a link leads to, whatever it shows."""
    return re.sub(r".*<(.+)>", r"\1", link.text)


def test_a_page_links_the_terms_that_the_glossary_explains_by_it(page):
    wanted = {entry.term for entry in glossary() if f"{{doc}}`{page.name}`" in entry.text}
    assert wanted <= {target(piece) for piece in page.prose() if piece.role == "term"}


def unlinked(page: Source) -> list[str]:
    """List the terms whose first appearance in the page's prose is not a link to the glossary.

    An appearance is one that `TERM` finds in plain text: not in headings, code, formulas, links,
    captions. A chapter's one idea, or the list at its beginning, may use a term before it is
    explained; a link in the list counts. What every reader knows is not linked at all.
    """
    known = {*EVERYDAY}
    late: list[str] = []
    for piece in page.prose():
        if piece.role == "term":
            known.add(target(piece))
        elif not piece.role and not piece.listed:
            new = {*TERM.findall(piece.text)} - known
            late += [f"{page.name}.md:{piece.line}: {term}" for term in sorted(new)]
            known |= new
    return late


def test_an_unlinked_term_is_noticed():
    page = Source(
        "page", "# 発火\n\n発火時刻、`発火`、$発火$、20ステップ数。\n\n- 発火する。{term}`発火`。"
    )
    assert unlinked(page) == []
    page = Source(
        "page", "{term}`発火`\n\n## 節\n\n- 発火率は、20ステップの値。\n- 発火する{term}`発火率`。"
    )
    assert unlinked(page) == ["page.md:5: ステップ", "page.md:5: 発火率"]
    page = Source(
        "page", ":::{note}\n:class: tip\n\n{term}`出る<発火>`とき、\n\n発火とスパイク。\n:::"
    )
    assert unlinked(page) == ["page.md:6: スパイク"]


def test_the_one_idea_is_read_without_links(page):
    lead = [node for node in page.opening[1:2] if bold(node) == [plain(node)]]
    assert not [piece.text for node in lead for piece in pieces_of(node) if piece.role == "term"]


@pytest.mark.parametrize("name", [name for name in PAGES if name not in LOOKED_UP])
def test_a_term_is_linked_where_it_first_appears(name):
    assert not unlinked(source(name))


# Works cited


WORKS = set(parse_file(DOCS / "references.bib").entries)


def test_every_work_of_the_bibliography_is_cited_and_the_other_way_round():
    pages = [source(name) for name in PAGES if name != "references"]
    assert set().union(*(page.cited() for page in pages)) == WORKS


def test_the_map_of_later_works_tells_of_each_question_a_chapter_that_its_section_names():
    sections = re.split(r"^## ", source("beyond").text, flags=re.MULTILINE)
    chapters = {
        heading: set(re.findall(r"\{doc\}`(\w+)`", "\n".join(lines)))
        for heading, *lines in (section.split("\n") for section in sections[1:])
        if any(line.startswith("- ") for line in lines)
    }
    rows = re.findall(r"^\| ([^|]+) \|.*\{doc\}`(\w+)`.*\|$", sections[0], re.MULTILINE)
    assert [question for question, _ in rows] == list(chapters)
    assert all(chapter in chapters[question] for question, chapter in rows)


def test_docstrings_cite_as_the_pages_do():
    package = DOCS.parent / "snn_docs"
    lines = [line for path in package.glob("*.py") for line in path.read_text().splitlines()]
    sources = [line.strip() for line in lines if "出典" in line]
    assert sources
    article, task = "chizuchizu「IFモデルをPyTorchで動かす」（2022年9月3日）", "遅延見本合わせ課題"
    form = re.compile(rf"出典: ({article}|{task}|:cite:t:`({'|'.join(WORKS)})`)")
    assert not [line for line in sources if not form.match(line)]


def test_the_references_name_each_page_that_cites_a_work():
    """The API cites sources in docstrings, and need not be named."""
    item = re.compile(r"^\{cite:t\}`(\w+)`\n: (.+)$", re.MULTILINE)
    cited = {name: source(name).cited() for name in PAGES}
    for work, told in item.findall(source("references").text):
        named = set(re.findall(r"\{doc\}`(\w+)`", told)) - API
        citing = {name for name, works in cited.items() if work in works}
        assert named == citing - {"references"} - API, work


def test_the_references_say_what_each_work_is_cited_for():
    page = source("references")
    roles = [piece.text for piece in page.prose() if piece.role == "cite:t"]
    assert sorted(roles) == sorted(WORKS)
    (listed,) = [part for part in page.directives if part.name == "bibliography"]
    assert not listed.options


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "--no-header", __file__, *sys.argv[1:]]))
