"""Rules of style for the pages' sources, one function a rule, without running or building.

A program for writers, which `make check` runs; for one page: page_rules.py -k first_network
All the rules that a page breaks are told at once. They are of three kinds: of every page, of a
chapter, which is a lesson, and of an experiment, its evidence.
"""

from __future__ import annotations

import ast
import re
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
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

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from pages import DOCS, FILES, PAGES  # it is run without pytest's settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

EXPERIMENTS = [name for name in PAGES if name.startswith("experiments/")]
EXTENSIONS = {"amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"}
PROSE = {"admonition", "hint", "important", "list-table", "note", "tip", "warning"}
"""Directives that hold prose."""
PROMPTS = {"code_prompt_show": "解答を表示", "code_prompt_hide": "解答を隠す"}
LONGEST_CELL, LONGEST_FOLDED = 15, 30
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
        self.folder = (DOCS / name).parent
        self.text = FILES[name].read_text(encoding="utf-8") if text is None else text
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
        """Return the section of a title; where there is none, that is for another rule to say."""
        return {section.title: section for section in self.sections}.get(title, Section(title, 0))

    def in_sight(self) -> Iterator[tuple[Directive, str, str]]:
        """Yield the cells, with what of their code and of their outputs is in sight."""
        for cell, after in pairwise([*self.directives, Directive("", 0, 0, {}, "")]):
            if cell.name == "code-cell":
                tags = {"hide-cell", "remove-cell"} & tags_of(cell)
                code = not tags and not {"hide-input", "remove-input"} & tags_of(cell)
                output = not tags and not {"hide-output", "remove-output"} & tags_of(cell)
                shown = after.body if output and after.name == "testoutput" else ""
                yield cell, cell.body if code else "", shown

    def prose(self, nodes: Iterable[SyntaxTreeNode] | None = None) -> Iterator[Piece]:
        early = [node for node in self.opening if node.type == "bullet_list"]
        early += [node for node in self.opening[1:2] if bold(node) == [plain(node)]]
        for node in self.nodes if nodes is None else nodes:
            yield from pieces_of(node, listed=node in early)

    def cited(self, nodes: Iterable[SyntaxTreeNode] | None = None) -> set[str]:
        roles = (piece for piece in self.prose(nodes) if piece.role.startswith("cite"))
        return {key.strip() for piece in roles for key in piece.text.split(",")}


def tags_of(cell: Directive) -> set[str]:
    tags = cell.options.get("tags") or []
    return set(re.findall(r"[\w-]+", tags) if isinstance(tags, str) else tags)


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


ARTICLE = "if_pytorch"
"""It keeps the code and the printed tensors of the article that the book grew from."""
KINDS = {"page": PAGES, "chapter": CHAPTERS, "experiment": EXPERIMENTS}
RULES: list[tuple[str, Callable[[Source], Iterable[str]]]] = []


def rule(kind: str) -> Callable[[Callable], Callable]:
    """Make a function a rule of all pages of a kind; it yields what a page does against it."""

    def keep(check: Callable[[Source], Iterable[str]]) -> Callable[[Source], Iterable[str]]:
        RULES.append((kind, check))
        return check

    return keep


def broken(page: Source, *kinds: str) -> list[str]:
    """Say all that a page does against the rules of its kinds."""
    return [said for kind, check in RULES if kind in kinds for said in check(page)]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_keeps_the_rules(name):
    found = broken(source(name), *(kind for kind, names in KINDS.items() if name in names))
    assert not found, "\n".join([f"docs/{name}.md breaks {len(found)} rules:", *found])


def apart(ones: Iterable[str], others: Iterable[str], here: str, there: str) -> str:
    """Say which names do not stand as often in one place as in another."""
    one, other = Counter(ones), Counter(others)
    return "\n".join(
        f"{name}: {one[name]} times {here}, {other[name]} times {there}"
        for name in sorted(one | other)
        if one[name] != other[name]
    )


def test_each_rule_is_kept_by_some_page():
    assert {kind for kind, _ in RULES} == KINDS.keys()
    assert len(CHAPTERS) > 30 < len(PAGES) - len(EXPERIMENTS)
    assert EXPERIMENTS  # else none of them would be looked at


# Rules of every page


def description(page: Source) -> str:
    return page.matter.get("myst", {}).get("html_meta", {}).get("description lang=ja", "")


@rule("page")
def has_a_description(page: Source) -> Iterator[str]:
    if not 40 <= (length := len(description(page))) <= 160:
        yield f"`description lang=ja` of the front matter has {length} letters: write 40 to 160"


def test_descriptions_differ():
    told = Counter(description(source(name)) for name in PAGES)
    assert not (twice := [text for text, count in told.items() if count > 1]), f"reword: {twice}"


def in_toctrees() -> list[str]:
    """List the pages as the toctrees name them."""
    return [name for names in [*toctrees(), *toctrees("api"), EXPERIMENTS] for name in names]


@rule("page")
def stands_in_a_toctree(page: Source) -> Iterator[str]:
    if page.name not in {"index", *in_toctrees()}:
        yield "it is in no toctree of docs/index.md or docs/api.md; once it is, more rules may hold"


def test_every_page_is_in_one_toctree():
    wrong = apart(in_toctrees(), {*PAGES} - {"index"}, "in a toctree", "in docs")
    assert not wrong, wrong
    (made,) = [item for item in source("index").directives if "glob" in item.options]
    assert (made.options["caption"], made.body.strip()) == ("実験", "experiments/*")


@rule("page")
def cells_are_short(page: Source) -> Iterator[str]:
    for cell, code, _ in page.in_sight():
        count, most = len(cell.body.split("\n")), LONGEST_CELL if code else LONGEST_FOLDED
        if count > most:
            yield f"{cell.line}: a cell of {count} lines: {most} at most"


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


@rule("page")
def a_network_runs_where_its_inputs_are(page: Source) -> Iterator[str]:
    for cell in page.cells():
        if "def forward" in cell.body:
            for made in bound_to_the_cpu(re.sub(r"^%.*$", "", cell.body, flags=re.MULTILINE)):
                yield f"{cell.line}: {made} in a network's `forward` names no device"


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


@rule("page")
def an_output_can_be_read_without_scrolling_at_a_desk(page: Source) -> Iterator[str]:
    for line in cut(page):
        yield f"{line}: an output wider than {WIDEST_OUTPUT} columns: break it, or tag wrap-output"


def figure_of(cell: Directive) -> dict:
    """Return what a cell says of its figure: alt, name, caption."""
    said = cell.options.get("mystnb") or {}
    figure = {**(said.get("image") or {}), **(said.get("figure") or {})}
    return {key: str(value).strip() for key, value in figure.items()}


@rule("page")
def figures_have_a_name_a_caption_and_words_for_who_cannot_see_them(page: Source) -> Iterator[str]:
    for cell in page.cells():
        figure = figure_of(cell)
        if re.search(r"\b(subplots|plt\.figure)\(", cell.body) or figure:
            if lacks := [key for key in ("alt", "name", "caption") if not figure.get(key)]:
                yield f"{cell.line}: a figure without {', '.join(lacks)}"
            elif not figure["name"].startswith("fig-"):
                yield f"{cell.line}: a figure's name begins with fig-, not so {figure['name']}"


def test_names_of_figures_are_unique():
    figures = [figure_of(cell) for name in PAGES for cell in source(name).cells()]
    names = Counter(figure["name"] for figure in figures if "name" in figure)
    assert not (twice := [name for name, count in names.items() if count > 1]), f"rename: {twice}"


@rule("page")
def a_paragraph_is_one_line(page: Source) -> Iterator[str]:
    """A line break between Japanese letters would be seen as a gap."""
    for node in page.nodes:
        for part in node.walk():
            if part.type == "softbreak":
                yield f"a line is broken within a paragraph: {plain(part.parent)[:40]}"


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
            found.append(f"{link.line}: {link.text}")
    return found


@rule("page")
def titles_that_are_linked_to_stand_in_brackets(page: Source) -> Iterator[str]:
    for link in unmarked(page):
        yield f"{link}: write 「{{doc}}`…`」"


# Rules of the first page


def test_the_way_through_the_book_has_pictures_and_the_order_of_the_contents():
    section = source("index").section("章の地図").nodes
    (way,) = [node for node in section if node.type == "fence" and node.info == "{path}"]
    stops = [line.partition(": ")[0] for line in way.content.splitlines()]
    road = [name for tree in toctrees() for name in tree]
    assert stops == sorted(stops, key=road.index)
    drawn = {file.stem for file in (DOCS / "_figures" / "chapters").glob("*.svg")}
    assert drawn >= set(stops)


def described() -> list[str]:
    """List what the pages of the API describe."""
    text = "\n".join(source(name).text for name in toctrees("api")[0])
    found = re.findall(
        r"^\.\. auto(?:class|function|exception|data):: ([\w.]+)", text, re.MULTILINE
    )
    modules = re.findall(r"^\.\. automodule:: (\S+)\n   :members: (.+)", text, re.MULTILINE)
    return found + [f"{name}.{each}" for name, members in modules for each in members.split(", ")]


def test_the_api_lists_what_its_pages_describe():
    listed = re.findall(r"\{py:\w+\}`([\w.]+) <snn_docs\.\1>`", source("api").text)
    names = [f"snn_docs.{name}" for name in listed]
    wrong = apart(names, described(), "in the list of docs/api.md", "on the pages of the API")
    assert not wrong, wrong


def test_the_api_describes_each_layer_and_surrogate():
    package = DOCS.parent / "snn_docs"
    exported, kinds = (
        ast.parse((package / name).read_text(encoding="utf-8")).body
        for name in ("__init__.py", "surrogate.py")
    )
    names = {
        each.name for node in exported if isinstance(node, ast.ImportFrom) for each in node.names
    }
    names |= {
        node.name
        for node in kinds
        if isinstance(node, ast.ClassDef) and "Surrogate" in map(ast.unparse, node.bases)
    }
    assert {"LIF", "ArcTan"} < names
    lacking = names - {name.rpartition(".")[2] for name in described()}
    assert not lacking, f"described on no page of the API (autoclass): {sorted(lacking)}"


def test_the_commands_that_the_book_tells_are_those_of_the_readme():
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    fences = [node for node in source("about").nodes if node.type == "fence" and node.info == "sh"]
    lines = [line for node in fences for line in node.content.splitlines()]
    assert lines
    assert not (new := [line for line in lines if line not in readme]), f"tell in README.md: {new}"


# Rules of chapters


def is_figure(node: SyntaxTreeNode) -> bool:
    directive = directive_of(node, 0)
    if directive is None:
        return False
    return directive.name in FIGURES or (
        directive.name == "code-cell" and bool(figure_of(directive))
    )


def complaints(page: Source) -> list[str]:
    """Say what a page's opening lacks: one idea in bold, a picture, four lines at most."""
    nodes = [node for node in page.opening if node.type not in {"heading", "myst_target"}]
    first = nodes[0]
    found = []
    if bold(first) != [plain(first)] or not 1 <= plain(first).count("。") <= 2:
        found.append("the first paragraph is not one idea in bold, in two sentences at most")
    if not any(is_figure(node) for node in nodes):
        found.append("there is no picture")
    rest = [plain(node) for node in nodes[1:] if not directive_of(node, 0)]
    if len("".join(rest)) > 4 * 40:
        found.append(f"{len(''.join(rest))} letters beside the sentence and the picture")
    return found


@rule("chapter")
def a_chapter_opens_with_its_one_idea_and_a_picture(chapter: Source) -> Iterator[str]:
    yield from complaints(chapter)


@rule("chapter")
def a_chapter_has_one_sentence_to_remember(chapter: Source) -> Iterator[str]:
    nodes = chapter.section("まとめ").nodes
    sentences = [text for node in nodes for text in bold(node)]
    if len(sentences) != 1 or sentences[0].count("。") != 1 or items(nodes):
        yield "まとめ holds one sentence in bold, and no list"


@rule("chapter")
def a_chapter_says_what_the_next_one_does(chapter: Source) -> Iterator[str]:
    """The link to it tells its reader."""
    for names in (names for names in toctrees() if chapter.name in names):
        following = [*names, None][names.index(chapter.name) + 1]
        nodes = chapter.section("まとめ").nodes
        if (
            following
            and chapter.name not in DEEPER
            and f"次の「{following}」では、" not in "".join(map(plain, nodes))
        ):
            yield f"まとめ ends with 次の「{{doc}}`{following}`」では、…"


@rule("chapter")
def a_chapter_ends_with_what_leads_deeper(chapter: Source) -> Iterator[str]:
    titles = [section.title for section in chapter.sections]
    last = [title for title in titles if title in {"練習", "まとめ", "もっと深く", "参考文献"}]
    if titles[len(titles) - len(last) :] != last or "まとめ" not in last[:2]:
        yield "a chapter ends with 練習, まとめ, もっと深く, 参考文献, in this order"
    if "もっと深く" not in last and chapter.name not in DEEPER:
        yield "a chapter has a section もっと深く"
    if ("参考文献" in last) != bool(chapter.cited()):
        yield "a chapter that cites works, and no other, has a section 参考文献"


@rule("chapter")
def numbers_are_shown_as_numbers(chapter: Source) -> Iterator[str]:
    """Where truth itself is the point, once."""
    outputs = [part for part in chapter.directives if part.name == "testoutput"]
    told = [part.line for part in outputs if re.search(r"\b(True|False)\b", part.body)]
    if len(told) > 1:
        yield f"{told[1]}: a second output that says True or False: show the numbers"


@rule("chapter")
def what_a_program_shows_is_no_print(chapter: Source) -> Iterator[str]:
    if "印字" in chapter.text:
        yield "印字 is of paper: 表示"


def exercises(chapter: Source) -> dict[str, list[SyntaxTreeNode]]:
    """Return the exercises by title, with what follows each title."""
    found: dict[str, list[SyntaxTreeNode]] = {}
    for node in chapter.section("練習").nodes:
        if node.type == "heading":
            found[plain(node)] = []
        elif found:
            found[list(found)[-1]].append(node)
    return found


@rule("chapter")
def an_exercise_is_asked_and_its_answer_is_folded(chapter: Source) -> Iterator[str]:
    for number, (title, nodes) in enumerate(exercises(chapter).items(), 1):
        if not re.fullmatch(rf"練習{number}: .+", title):
            yield f"the title of exercise {number} is 練習{number}: …, not {title}"
        if not nodes or nodes[0].type != "paragraph":
            yield f"{title} begins with its question"
        parts = [part for node in nodes if (part := directive_of(node, node.map[0] + 1))]
        cells = [part for part in parts if part.name == "code-cell"]
        for cell in cells:
            hidden = "hide-cell" in tags_of(cell) and (
                (cell.options.get("mystnb") or {}).items() >= PROMPTS.items()
            )
            if not hidden:
                yield f"{cell.line}: the answer of {title} is in sight: hide-cell, {PROMPTS}"
        if not cells and not any(part.name == "fold" for part in parts):
            yield f"{title} has no answer, in a cell or a fold"
        if cells and not any(part.name == "testoutput" or figure_of(part) for part in parts):
            yield f"what the answer of {title} shows is not checked"


@rule("chapter")
def a_chapter_says_at_its_end_what_each_work_is_cited_for(chapter: Source) -> Iterator[str]:
    told = chapter.cited(chapter.section("参考文献").nodes)
    if missing := chapter.cited() - told:
        yield f"参考文献 does not say what is cited for: {', '.join(sorted(missing))}"


@rule("chapter")
def no_output_of_a_chapter_goes_unchecked(chapter: Source) -> Iterator[str]:
    outputs = [part for part in chapter.directives if part.name == "testoutput"]
    if not outputs:
        yield "no output is checked"
    for part in outputs:
        if "SKIP" in part.options.get("options", ""):
            yield f"{part.line}: an output that is not checked"


LEAD = 56
OUTPUT = 8
CODE = 76
EXERCISES = 2


def numbers(text: str) -> list[str]:
    """List the numbers of a sentence; 0 and 1 are what a spike is, 2つ is a word."""
    return [each for each in re.findall(r"\d[\d.,]*(?!つ)", text) if each not in {"0", "1"}]


@rule("chapter")
def a_lead_is_one_idea_of_two_lines(chapter: Source) -> Iterator[str]:
    lead = "".join(text for node in chapter.opening[1:3] for text in bold(node)[:1])
    if len(lead) > LEAD:
        yield f"the lead has {len(lead)} letters: {LEAD} at most"
    if re.search(r"[（(]", lead):
        yield "the lead has a bracket"
    if len(numbers(lead)) > 1:
        yield f"the lead has the numbers {', '.join(numbers(lead))}: one at most"


@rule("chapter")
def what_is_to_be_remembered_has_no_number(chapter: Source) -> Iterator[str]:
    for text in (text for node in chapter.section("まとめ").nodes for text in bold(node)):
        if numbers(text):
            yield f"まとめ has the number {numbers(text)[0]}"


@rule("chapter")
def evidence_stands_on_an_experiment(chapter: Source) -> Iterator[str]:
    for part in chapter.directives:
        if part.name == "claim":
            yield f"{part.line}: a claim: it belongs to a page of docs/experiments"


@rule("chapter")
def what_is_in_sight_teaches(chapter: Source) -> Iterator[str]:
    for cell, code, shown in chapter.in_sight():
        if ".json" in code:
            yield f"{cell.line}: a cell in sight reads a record: hide-input"
        if chapter.name == ARTICLE:
            continue
        if (count := len(shown.split("\n"))) >= OUTPUT and not shown.startswith("|"):
            yield f"{cell.line}: an output of {count} lines in sight: draw it, or fold it"
        for line in code.split("\n"):
            if columns(line) > CODE:
                yield f"{cell.line}: code of {columns(line)} columns in sight: {CODE} at most"


@rule("chapter")
def a_chapter_has_few_exercises(chapter: Source) -> Iterator[str]:
    if not 1 <= (count := len(exercises(chapter))) <= EXERCISES:
        yield f"{count} exercises: one or {EXERCISES}"


NUMBER = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.])", re.ASCII)
RECORD = re.compile(r"[\w/.]*\w\.json")


def printed(page: Source) -> Iterator[Decimal]:
    """Yield the numbers in a page's outputs, and in the records that it names."""
    texts = [part.body for part in page.directives if part.name == "testoutput"]
    records = [page.folder / name for name in set(RECORD.findall(page.text))]
    texts += [file.read_text(encoding="utf-8") for file in records if file.is_file()]
    for text in texts:
        yield from map(Decimal, NUMBER.findall(text))


@rule("page")
def a_decimal_of_a_claim_is_printed_or_recorded(page: Source) -> Iterator[str]:
    """Else it would stay when the output moves."""
    for part in page.directives:
        said = "\n".join([*part.options.values(), part.body]) if part.name == "claim" else ""
        for number in NUMBER.findall(said):
            if Decimal(number) not in set(printed(page)):
                yield f"{part.line}: no output or record of the page has {number}"


def written(page: Source) -> set[Decimal]:
    """Return the numbers that a page prints, reads from a record, types or derives."""
    formulas = [
        part.content for node in page.nodes for part in node.walk() if part.type.startswith("math")
    ]
    texts = [*(cell.body for cell in page.cells()), *formulas]
    texts += [
        part.content for node in page.nodes for part in node.walk() if part.type == "code_inline"
    ]
    found = {Decimal(each) for text in texts for each in NUMBER.findall(text)}
    return found | set(printed(page))


@rule("chapter")
def a_decimal_is_printed_here_or_on_the_experiment_linked_to(chapter: Source) -> Iterator[str]:
    linked = {*doc_links(chapter)} & {*EXPERIMENTS}
    found = written(chapter).union(*(written(source(name)) for name in linked))
    said = [(piece.line, piece.text) for piece in chapter.prose() if not piece.role]
    said += [(cell.line, figure_of(cell).get("caption", "")) for cell in chapter.cells()]
    for line, text in said:
        for number in NUMBER.findall(text):
            if Decimal(number) not in found:
                yield f"{line}: {number} is printed neither here nor on an experiment linked to"


# Rules of experiments

SECTIONS = ["主張", "結果", "反証の表", "設定", "すべての数", "やり直す"]


def doc_links(page: Source) -> list[str]:
    """List the pages that a page links to."""
    roles = (piece.text for piece in page.prose() if piece.role == "doc")
    return [re.sub(r".*<(.+)>", r"\1", text).removeprefix("/") for text in roles]


@rule("experiment")
def an_experiment_says_what_it_is(page: Source) -> Iterator[str]:
    title = plain(page.nodes[0]) if page.nodes else ""
    if page.matter.get("kind") != "experiment":
        yield "the front matter of a page in docs/experiments says kind: experiment"
    if not re.fullmatch(r"[^:]+の実験: .+", title):
        yield f"the title is …の実験: …, not {title}"
    links = doc_links(page)
    lesson = links[0].rpartition("/")[2] if links else ""
    opening = "".join(plain(node) for node in page.opening[1:2])
    if lesson not in CHAPTERS or not opening.startswith(f"章「{links[0]}」の証拠です。"):
        yield "it begins with 章「{doc}`../NAME`」の証拠です。 and the name of a chapter"
    elif page.name not in doc_links(source(lesson)):
        yield f"its chapter, {lesson}, does not link to it"


@rule("experiment")
def an_experiment_has_its_sections(page: Source) -> Iterator[str]:
    titles = [section.title for section in page.sections]
    if [title for title in titles if title in SECTIONS] != SECTIONS:
        yield f"the sections are {', '.join(SECTIONS)}, in this order"
    claimed = page.section("主張").nodes
    if len([text for node in claimed for text in bold(node)]) < 2 or not items(claimed):
        yield "主張 is a sentence in bold; then 外れるとしたら, in bold, and a list"
    if not any(map(is_figure, page.section("結果").nodes)):
        yield "結果 has no picture"
    inside = {title: directives_in(page.section(title)) for title in SECTIONS}
    claims = [part for part in inside["反証の表"] if part.name == "claim"]
    if not claims:
        yield "反証の表 has no claim"
    if not any(
        part.name == "fold" or "hide-cell" in tags_of(part) for part in inside["すべての数"]
    ):
        yield "すべての数 has no folded table"


def directives_in(section: Section) -> list[Directive]:
    return [part for node in section.nodes if (part := directive_of(node, 0))]


@rule("experiment")
def an_experiment_can_be_run_again(page: Source) -> Iterator[str]:
    told = "".join(map(plain, page.section("やり直す").nodes))
    cells = "\n".join(cell.body for cell in page.cells())
    records = [Path(name) for name in sorted(set(re.findall(r"[\w/.]*\w\.json", cells)))]
    if records and not page.matter.get("needs_repository"):
        yield "a page that reads a record says needs_repository: true"
    for name in records:
        script = (page.folder / name).resolve().with_suffix(".py")
        if not (page.folder / name).is_file():
            yield f"there is no record {name}"
        if script.parent == page.folder and script.name not in told:
            yield f"やり直す does not say how {name} is made: python docs/experiments/{script.name}"
        if name.name not in told:
            yield f"やり直す does not name the record {name}"


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
    assert not (odd := [each for each in readings if not re.fullmatch(r"[ぁ-ゖァ-ヺー]+", each)]), (
        odd
    )
    for one, following in pairwise(readings):
        assert alphabetical(one) <= alphabetical(following), f"{following} belongs before {one}"


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


@rule("page")
def a_page_links_the_terms_that_the_glossary_explains_by_it(page: Source) -> Iterator[str]:
    wanted = {entry.term for entry in glossary() if f"{{doc}}`{page.name}`" in entry.text}
    for term in wanted - {target(piece) for piece in page.prose() if piece.role == "term"}:
        yield f"the glossary names this page at {term}: link it, {{term}}`{term}`"


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
            late += [f"{piece.line}: {term}" for term in sorted(new)]
            known |= new
    return late


@rule("page")
def the_one_idea_is_read_without_links(page: Source) -> Iterator[str]:
    lead = [node for node in page.opening[1:2] if bold(node) == [plain(node)]]
    for piece in (piece for node in lead for piece in pieces_of(node)):
        if piece.role == "term":
            yield f"{piece.line}: a link to the glossary in the lead: {piece.text}"


@rule("page")
def bold_letters_are_set_bold(page: Source) -> Iterator[str]:
    for piece in page.prose():
        if not piece.role and "**" in piece.text:
            yield f"{piece.line}: `**` stands on the page as it is: put a space behind it"


@rule("page")
def a_term_is_linked_where_it_first_appears(page: Source) -> Iterator[str]:
    if page.name not in LOOKED_UP:
        for term in unlinked(page):
            yield f"{term} is a term that appears here first: {{term}}`…`"


# Works cited


WORKS = set(parse_file(DOCS / "references.bib").entries)


def test_every_work_of_the_bibliography_is_cited_and_the_other_way_round():
    pages = [source(name) for name in PAGES if name != "references"]
    cited = set().union(*(page.cited() for page in pages))
    wrong = apart(cited, WORKS, "cited on pages", "in docs/references.bib")
    assert not wrong, wrong


def test_the_map_of_later_works_tells_of_each_question_a_chapter_that_its_section_names():
    sections = re.split(r"^## ", source("beyond").text, flags=re.MULTILINE)
    chapters = {
        heading: set(re.findall(r"\{doc\}`(\w+)`", "\n".join(lines)))
        for heading, *lines in (section.split("\n") for section in sections[1:])
        if any(line.startswith("- ") for line in lines)
    }
    rows = re.findall(r"^\| ([^|]+) \|.*\{doc\}`(\w+)`.*\|$", sections[0], re.MULTILINE)
    assert [question for question, _ in rows] == list(chapters)
    lacking = [
        f"{chapter} at {question}"
        for question, chapter in rows
        if chapter not in chapters[question]
    ]
    assert not lacking, f"not named in the section: {lacking}"


def test_docstrings_cite_as_the_pages_do():
    package = DOCS.parent / "snn_docs"
    lines = [line for path in package.glob("*.py") for line in path.read_text().splitlines()]
    sources = [line.strip() for line in lines if "出典" in line]
    assert sources
    article, task = "chizuchizu「IFモデルをPyTorchで動かす」（2022年9月3日）", "遅延見本合わせ課題"
    form = re.compile(rf"出典: ({article}|{task}|:cite:t:`({'|'.join(WORKS)})`)")
    odd = [line for line in sources if not form.match(line)]
    assert not odd, f"write 出典: :cite:t:`…`, a work of docs/references.bib: {odd}"


def test_a_page_that_the_references_name_does_cite_the_work():
    """It may be cited elsewhere, too."""
    item = re.compile(r"^\{cite:t\}`(\w+)`\n: (.+)$", re.MULTILINE)
    cited = {name: source(name).cited() for name in PAGES}
    for work, told in item.findall(source("references").text):
        named = set(re.findall(r"\{doc\}`([\w/]+)`", told)) - API
        citing = {name for name, works in cited.items() if work in works}
        assert named <= citing, f"named there, but do not cite {work}: {sorted(named - citing)}"


def test_the_references_say_what_each_work_is_cited_for():
    page = source("references")
    roles = [piece.text for piece in page.prose() if piece.role == "cite:t"]
    wrong = apart(roles, WORKS, "in docs/references.md", "in docs/references.bib")
    assert not wrong, wrong
    (listed,) = [part for part in page.directives if part.name == "bibliography"]
    assert not listed.options


# What breaks a rule is noticed

MATTER = "myst: {html_meta: {description lang=ja: " + "説明" * 20 + "}}"
EXPERIMENT = f"""---
kind: experiment
needs_repository: true
{MATTER}
---

# 記憶の実験: 先に漏れを変える

章「{{doc}}`../temporal`」の証拠です。

## 主張

**越える。**

**外れるとしたら**

- 越えない。

## 結果

```{{code-cell}} ipython3
---
mystnb: {{image: {{alt: 図}}, figure: {{name: fig-a, caption: 図}}}}
---
open("memory.json")
```

## 反証の表

```{{claim}}
:rests: exact

越える。
```

## 設定

表。

## すべての数

```{{code-cell}} ipython3
:tags: [hide-cell]
print(1)
```

## やり直す

`python docs/experiments/memory.py --record`で、45分。記録は`memory.json`です。
"""


LESSON = f"""---
{MATTER}
---

# 題

**点は3つです。**

```{{figure}} /_figures/tick.svg
:alt: 図
```

見る。

## 動かす

$0.5$と0.5。

```{{code-cell}} ipython3
x = 0.25
```

```{{testoutput}}
0.25
```

## 練習

### 練習1: 問い

問う。

```{{fold}} 解答
答え。
```

## まとめ

**覚える。**

次の「{{doc}}`events`」では、続ける。

## もっと深く

先。
"""
END = "0.25\n```\n\n## 練習"
PRINTED = "x = 0.25\n```\n\n```{testoutput}\n0.25\n"
CELL = "```{{code-cell}} ipython3\n---\n{}\n---\n1\n```\n\n```{{testoutput}}\n1\n"
SOLUTION = f"tags: [hide-cell]\nmystnb: {PROMPTS}"
CITED = "先{cite:t}`abbott1999lapicque`。\n\n## 参考文献\n\n"
TABLE = "```{list-table}\n\n* - {doc}`lif`\n  - 数\n* - 数。{doc}`lif`\n  - {doc}`lif`の式\n```\n"


def found(text: str) -> list[str]:
    """Return what is told of a text: of an experiment, or of the chapter that is called so."""
    if text.startswith("---\nmyst"):
        return broken(Source("images", text), "page", "chapter")
    told = broken(Source("experiments/memory", text), "page", "experiment")
    return [said for said in told if "does not link to it" not in said]


def test_a_page_in_no_toctree_is_told_of():
    (told,) = broken(Source("apart", LESSON), "page")
    assert "no toctree" in told


KEEPING = [
    (LESSON, "見る。", "見る。"),
    (LESSON, "x = 0.25", "x = 0.25" + 14 * "\ny = 1"),
    (LESSON, "x = 0.25", ":tags: [hide-cell]\nx = 0.25" + 29 * "\ny = 1"),
    (LESSON, "x = 0.25", "def forward(self, x):\n return torch.zeros(1, device=x.device)"),
    (LESSON, END, "あ" * 46 + "\n" + END),
    (LESSON, PRINTED, PRINTED.replace("x", ":tags: [wrap-output]\nx") + "あ" * 47 + "\n"),
    (LESSON, "見る。", "次の「{doc}`lif`」、{doc}`漏れ<lif>`、{doc}`glossary`では、"),
    (LESSON, "見る。", TABLE.replace("の式", "")),
    (LESSON, "見る。", "発火時刻、`発火`、$発火$、20ステップ数。"),
    (LESSON, "見る。", "- 発火する。{term}`発火`。"),
    (LESSON, "```{fold} 解答\n答え。\n", CELL.format(SOLUTION)),
    (LESSON, "先。", CITED + "{cite:t}`abbott1999lapicque`"),
    (EXPERIMENT, "表。", "表。"),
]


@pytest.mark.parametrize("case", KEEPING, ids=range(len(KEEPING)))
def test_what_keeps_the_rules_is_told_of_nothing(case):
    page, old, new = case
    assert old in page
    assert not found(page.replace(old, new))


BREAKING = [
    # Of every page.
    (LESSON, "説明" * 20, "説明"),
    (LESSON, "x = 0.25", "x = 0.25" + 15 * "\ny = 1"),
    (LESSON, "x = 0.25", "def forward(self, x):\n return torch.zeros(1)"),
    (LESSON, END, "あ" * 47 + "\n" + END),
    (LESSON, "x = 0.25", "plt.figure()"),
    (LESSON, "見る。", "見\nる。"),
    (LESSON, "見る。", "次の{doc}`lif`では"),
    (LESSON, "見る。", TABLE),
    (LESSON, "見る。", "発火率は、20回の値。"),
    (LESSON, "見る。", ":::{note}\n:class: tip\n\n{term}`出る<発火>`とき、スパイク。\n:::"),
    (LESSON, "点は3つです", "{term}`発火`は3つです"),
    # Of a chapter.
    (LESSON, "**点は3つです。**", "点は3つです。"),
    (LESSON, "点は3つ", "点。。は3つ"),
    (LESSON, "{figure}", "{note}"),
    (LESSON, "見る。", "見" * 161),
    (LESSON, "点は", "点" * 57),
    (LESSON, "点は", "点（個）は"),
    (LESSON, "3つです", "3と0.5です"),
    (LESSON, "覚える。**", "覚える。**\n\n**忘れる。**"),
    (LESSON, "覚える", "0.5を覚える"),
    (LESSON, "次の「{doc}`events`」では、", ""),
    (LESSON, "## もっと深く", "## 深く"),
    (LESSON, "先。", CITED),
    (LESSON, END, "True\n```\n\n```{testoutput}\nFalse\n" + END),
    (LESSON, "練習1", "練習2"),
    (LESSON, "問う。\n\n", ""),
    (LESSON, "{fold}", "{note}"),
    (LESSON, "```{fold} 解答\n答え。\n", CELL.format("tags: [hide-cell]")),
    (LESSON, "### 練習1: 問い", "### 練習1: 一\n\n問。\n\n### 練習2: 二\n\n### 練習3: 三"),
    (LESSON, "```{testoutput}", "```{testoutput}\n:options: +SKIP"),
    (LESSON, "見る。", "```{claim}\n:rests: exact\n```"),
    (LESSON, "x = 0.25", "x = 'a.json'"),
    (LESSON, "x = 0.25", "x = 0.25  # " + "あ" * 33),
    (LESSON, END, 7 * "0\n" + END),
    (LESSON, "と0.5。", "と0.75。"),
    # Of an experiment.
    (EXPERIMENT, "kind: experiment", "kind: lesson"),
    (EXPERIMENT, "needs_repository: true", "a: true"),
    (EXPERIMENT, "の実験", "の話"),
    (EXPERIMENT, "../temporal", "../glossary"),
    (EXPERIMENT, "## 設定", "## 条件"),
    (EXPERIMENT, "- 越えない。", "越えない。"),
    (EXPERIMENT, "mystnb:", "other:"),
    (EXPERIMENT, "{claim}", "{note}"),
    (EXPERIMENT, ":rests: exact", ":seeds: 0.1234567"),
    (EXPERIMENT, "hide-cell", "other"),
    (EXPERIMENT, "python docs/experiments/memory.py", "make bench"),
    (EXPERIMENT, "記録は`memory.json`です", "記録がある"),
]


@pytest.mark.parametrize("case", BREAKING, ids=range(len(BREAKING)))
def test_what_breaks_a_rule_is_told(case):
    page, old, new = case
    assert old in page
    assert found(page.replace(old, new))


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "--no-header", __file__, *sys.argv[1:]]))
