"""Reads a MyST source into a `Page`: its code cells and the outputs it expects, each with its line.

The expected output of a cell stands right after it::

    ```{code-cell}
    print(1 + 1)
    ```

    ```{testoutput}
    2
    ```
"""

from __future__ import annotations

import doctest
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docutils.parsers.rst import Directive, directives
from markdown_it.renderer import RendererHTML
from myst_nb.core.read import (
    MystMetadataParsingError,
    is_myst_markdown_notebook,
    read_myst_markdown_notebook,
)
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.directives import parse_directive_text
from myst_parser.parsers.mdit import create_md_parser

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from markdown_it.token import Token
    from nbformat import NotebookNode

CELL = "{code-cell}"
BLOCK = "{testoutput}"
OPTIONS = ("ELLIPSIS", "NORMALIZE_WHITESPACE", "IGNORE_EXCEPTION_DETAIL",
           "DONT_ACCEPT_BLANKLINE", "DONT_ACCEPT_TRUE_FOR_1")  # fmt: skip
"""The option flags of doctest that change a comparison."""


class PageError(ValueError):
    """A page that can't be read as one with code cells and expected outputs."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


@dataclass(frozen=True, slots=True)
class Expected:
    """A ``{testoutput}`` block: what a cell is expected to print."""

    line: int
    """The line of the opening fence, counted from 1 like all lines here."""
    text_line: int
    """The line of the first line of text."""
    end: int
    """The line of the closing fence."""
    text: str
    flags: int
    """Option flags of `doctest`, or-ed."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell of a page."""

    index: int
    """Its place among all cells of the page's notebook."""
    line: int
    """The line of the first line of code."""
    end: int
    """The line of the closing fence."""
    source: str
    expected: Expected | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the book: the notebook that MyST-NB reads from it, and its code cells."""

    path: Path
    text: str
    notebook: NotebookNode
    cells: tuple[Cell, ...]


class ExpectedOutput(Directive):
    """What docutils needs to know of a ``{testoutput}`` block to parse it."""

    has_content = True
    option_spec = {"options": directives.unchanged_required}  # noqa: RUF012


def is_page(path: Path) -> bool:
    """Whether a file is a MyST notebook, which MyST-NB recognises by its front matter."""
    if path.suffix != ".md" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as lines:
        return bool(is_myst_markdown_notebook(line.rstrip("\n") for line in lines))


def find_pages(paths: Sequence[Path]) -> list[Path]:
    """Return the pages among files and folders, in order, without those in hidden folders."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            names = sorted(path.rglob("*.md"))
            shown = (
                n for n in names if not re.search(r"[\\/][._]", str(n.relative_to(path.parent)))
            )
            found += [name for name in shown if is_page(name)]
        elif is_page(path):
            found.append(path)
        elif path.exists():
            raise PageError(path, 1, "not a MyST notebook; start it with `file_format: mystnb`")
        else:
            raise FileNotFoundError(f"no such page or folder: {path}")
    return list(dict.fromkeys(found))


def read_page(path: Path, config: MdParserConfig | None = None) -> Page:
    """Read a page from its file."""
    with path.open(encoding="utf-8", newline="") as file:
        return parse_page(path, file.read(), config)


def parse_page(path: Path, text: str, config: MdParserConfig | None = None) -> Page:
    """Read a page from its text. Raises `PageError` where a block can't be tied to a cell."""
    config = config or MdParserConfig()
    unix = text.replace("\r\n", "\n")
    try:
        notebook = read_myst_markdown_notebook(unix, config, add_source_map=True, path=path)
    except MystMetadataParsingError as error:
        raise PageError(path, 1, str(error)) from error
    places = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    fences = list(_cells_with_blocks(path, unix, config))
    cells = (
        _cell(path, notebook, index, fence, block)
        for index, (fence, block) in zip(places, fences, strict=True)
    )
    return Page(path, text, notebook, tuple(cells))


def _cells_with_blocks(
    path: Path, text: str, config: MdParserConfig
) -> Iterator[tuple[Token, Token | None]]:
    """Pair each code cell's fence with the block right after it."""
    # the same parser and the same end of line that myst-nb uses to find the cells
    tokens = create_md_parser(config, RendererHTML).parse(text + "\n")
    depth, cell = 0, None
    for token in tokens:
        depth += token.nesting
        fence = token.type == "fence"
        block = fence and token.info.startswith(BLOCK)
        if block and cell is None:
            raise PageError(
                path, _line(token), f"this {BLOCK} block does not stand right after a code cell; "
                "move it there, outside of lists and other blocks, or delete it"
            )  # fmt: skip
        if cell is not None:
            yield cell, token if block else None
        cell = token if fence and not depth and token.info.startswith(CELL) else None
    if cell is not None:
        yield cell, None


def _cell(
    path: Path, notebook: NotebookNode, index: int, fence: Token, block: Token | None
) -> Cell:
    _require_closed(path, fence)
    body = parse_directive_text(ExpectedOutput, "", fence.content, validate_options=False)
    expected = _expected(path, block) if block else None
    line = _line(fence) + 1 + body.body_offset
    return Cell(index, line, _end(fence), notebook.cells[index].source, expected)


def _expected(path: Path, block: Token) -> Expected:
    _require_closed(path, block)
    line = _line(block)
    if block.info.removeprefix(BLOCK).strip():
        raise PageError(path, line, f"{BLOCK} takes no argument: the text starts on the next line")
    body = parse_directive_text(ExpectedOutput, "", block.content)
    if body.warnings:
        raise PageError(path, line, f"{BLOCK}: {body.warnings[0].msg}; it knows only `:options:`")
    flags = _flags(path, line, body.options)
    return Expected(line, line + 1 + body.body_offset, _end(block), "\n".join(body.body), flags)


def _flags(path: Path, line: int, options: dict[str, Any]) -> int:
    flags = doctest.DONT_ACCEPT_TRUE_FOR_1
    for option in options.get("options", "").replace(",", " ").split():
        sign, name = option[0], option[1:]
        if sign not in "+-" or name not in OPTIONS:
            raise PageError(
                path, line, f"{option!r} is no option of {BLOCK}; "
                f"write + or - and one of {', '.join(OPTIONS)}"
            )  # fmt: skip
        flag = doctest.OPTIONFLAGS_BY_NAME[name]
        flags = flags | flag if sign == "+" else flags & ~flag
    return flags


def _require_closed(path: Path, fence: Token) -> None:
    # markdown-it lets a fence run to the end of the page: then all that follows is swallowed
    if fence.content.count("\n") != _end(fence) - _line(fence) - 1:
        name = fence.info.split()[0]
        raise PageError(
            path, _line(fence), f"this {name} is never closed; end it with {fence.markup}"
        )


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def _end(token: Token) -> int:
    return token.map[1] if token.map else 1
