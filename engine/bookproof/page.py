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
import glob
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from docutils.parsers.rst import Directive, directives
from markdown_it.renderer import RendererHTML
from myst_nb.core.read import create_nb_reader, is_myst_markdown_notebook
from myst_parser.parsers.directives import parse_directive_text
from myst_parser.parsers.mdit import create_md_parser

from bookproof.files import shown_path
from bookproof.outputs import UNRUN, stored_output
from bookproof.settings import Settings
from bookproof.tolerance import Tolerance, amount, patterns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markdown_it.token import Token
    from myst_nb.core.config import NbParserConfig
    from myst_parser.config.main import MdParserConfig
    from nbformat import NotebookNode

CELL = "{code-cell}"
REQUIRES = "requires-"
"""How the tags begin that name a package without which a cell does not run."""
BLOCK = "{testoutput}"
NO_NOTEBOOK = "not a MyST notebook; start it with `file_format: mystnb`"
OPTIONS = ("ELLIPSIS", "NORMALIZE_WHITESPACE", "SKIP")
"""The option flags of doctest that a block takes."""
FLAGS = doctest.DONT_ACCEPT_TRUE_FOR_1
"""Those of a block that names none."""

EMPTY = "it has no cell"
INLINE = "MyST-NB runs it while it reads it, since its execution_mode is inline"
"""Why a page is left to MyST-NB: only there can ``{eval}`` ask the kernel between two cells."""


class PageError(ValueError):
    """A page that can't be read as one with code cells and expected outputs."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{shown_path(path)}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


@contextmanager
def _at(path: Path, line: int) -> Iterator[None]:
    """Say where in a page it is that can't be read."""
    try:
        yield
    except (NotImplementedError, TypeError, ValueError) as error:  # as pathlib refuses a pattern
        raise PageError(path, line, str(error)) from error


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
    tolerance: Tolerance | None = None
    reason: str = ""
    """Why the output is not compared; only with ``SKIP``."""


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
    requires: tuple[str, ...] = ()
    """The packages without which it is not run."""


# eq=False: pages are keys, each for itself, and a notebook has no hash
@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page of the book: the notebook that MyST-NB reads from it, and its code cells."""

    path: Path
    text: str
    notebook: NotebookNode
    cells: tuple[Cell, ...]
    config: NbParserConfig
    """MyST-NB's configuration, with what the page's own front matter changes."""
    settings: Settings
    """What the book says about all its pages."""
    compared: bool
    """Whether what its cells print is compared, where the page or a notebook's file says it."""
    strict: bool
    """Whether a cell that prints must have its block: it must, where one of the page has."""
    depends: tuple[str, ...] = ()
    """The files and variables that the page declares, as it writes them."""
    complete: bool = False
    """Whether these are all that it reads where it can't be followed."""
    has_lines: bool = True
    """Whether the cells' lines are those of the file; if not, they are the cells' numbers."""
    why_not_run: str = ""
    """Why the page is not to be run, if it is not."""

    @property
    def has_blocks(self) -> bool:
        """Whether it says of any cell what that prints."""
        return any(cell.expected for cell in self.cells)


def _flags(text: str | None) -> int:
    """Read the option flags of a block. Raises `ValueError` for one that it does not take."""
    flags = FLAGS
    for option in (text or "").replace(",", " ").split():
        if option[0] != "+" or option[1:] not in OPTIONS:
            raise ValueError(
                f"{option!r} is no option of {BLOCK}; write + and one of {', '.join(OPTIONS)}"
            )
        flags |= doctest.OPTIONFLAGS_BY_NAME[option[1:]]
    return flags


class ExpectedOutput(Directive):
    """What docutils needs to know of a ``{testoutput}`` block to parse it."""

    has_content = True
    option_spec = {  # noqa: RUF012 (as docutils has it)
        "options": _flags,
        "rtol": amount,
        "atol": amount,
        "exact": patterns,
        "reason": directives.unchanged_required,
    }


def is_page(path: Path, settings: Settings | None = None) -> bool:
    """Whether a file is a notebook: by its suffix, or a MyST one by its front matter."""
    settings = settings or Settings()
    if not path.is_file():
        return False
    if path.name.endswith((".ipynb", *settings.notebooks.custom_formats)):
        return True
    if not path.name.endswith(settings.suffixes):
        return False
    with path.open(encoding="utf-8", errors="replace") as lines:
        return bool(is_myst_markdown_notebook(line.rstrip("\n") for line in lines))


def read_page(path: Path, settings: Settings | None = None) -> Page:
    """Read a page from its file."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PageError(path, line, f"not encoded in UTF-8: {error.reason}") from error
    return parse_page(path, text, settings)


def parse_page(path: Path, text: str, settings: Settings | None = None) -> Page:
    """Read a page from its text. Raises `PageError` where a block can't be tied to a cell."""
    settings = settings or Settings()
    unix = text.replace("\r\n", "\n")
    try:
        reader = create_nb_reader(str(path), settings.markdown, settings.notebooks, unix)
        notebook = reader.read(unix) if reader else None
    except Exception as error:
        # readers of other formats raise what they like, and need not be there
        raise PageError(path, 1, f"can't be read as a notebook: {error}") from error
    if reader is None or notebook is None:
        raise PageError(path, 1, NO_NOTEBOOK)
    with _at(path, 1):
        config = _config(notebook, settings.notebooks)
        own = _own(path, notebook, settings)
    code = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    myst = reader.read_fmt is not None
    compared = myst or (settings.stored and path.suffix == ".ipynb")
    if not myst:  # no blocks, and no lines that a person would know
        cells = [
            _bare_cell(path, index, cell, number, compared=compared)
            for number, (index, cell) in enumerate(code, 1)
        ]
    else:
        fences = _cells_with_blocks(path, unix, settings.markdown)
        cells = [
            _cell(path, index, cell, fence, block)
            for (index, cell), (fence, block) in zip(code, fences, strict=True)
        ]
    why_not_run = _why_not_run(path, notebook, config, settings)
    blocks = [cell.expected for cell in cells if cell.expected]
    # a notebook holds outputs whether or not anyone means them to be checked
    if why_not_run and myst and blocks:
        raise PageError(
            path, blocks[0].line,
            f"this {BLOCK} block can't be checked, since the page is not run: {why_not_run}"
        )  # fmt: skip
    return Page(
        path,
        text,
        notebook,
        tuple(cells),
        config,
        settings,
        compared,
        compared and (settings.strict or bool(blocks)),
        **own,
        has_lines=myst,
        why_not_run=why_not_run,
    )


def find_declared(page: Path, pattern: str) -> tuple[Path, ...]:
    """Return the files that a pattern of a page's front matter stands for, none for `$NAME`."""
    found = glob.glob(os.path.join(page.resolve().parent, pattern), recursive=True)  # noqa: PTH118, PTH207
    return tuple(sorted(file for file in map(Path, found) if file.is_file()))


def _own(path: Path, notebook: NotebookNode, settings: Settings) -> dict[str, Any]:
    """Read what ``book:`` in the front matter says: what the page depends on."""
    own = notebook.metadata.get("book", {})
    if not isinstance(own, dict) or not set(own) <= {"depends", "complete"}:
        raise ValueError(f"book: is {own!r}, but takes depends: and complete:")
    complete, patterns = own.get("complete", settings.complete), own.get("depends", [])
    if not isinstance(complete, bool):
        raise TypeError(f"book: complete: is {complete!r}, but takes true or false")
    if not isinstance(patterns, list):
        raise TypeError(f"book: depends: is {patterns!r}, but takes a list of files")
    depends = tuple(map(str, patterns))
    for pattern in depends:
        if not pattern.startswith("$") and not find_declared(path, pattern):
            raise ValueError(f"book: depends: no file matches {pattern!r}")
    return {"depends": depends, "complete": complete}


def _config(notebook: NotebookNode, config: NbParserConfig) -> NbParserConfig:
    """Apply the page's own configuration and kernel alias, as MyST-NB does."""
    spec = notebook.metadata.get("kernelspec", {})
    for pattern, alias in config.kernel_rgx_aliases.items():
        if "name" in spec and re.fullmatch(pattern, spec["name"]):
            spec["name"] = alias
            break
    # an older way to say it, which jupyter-cache still honours
    older = notebook.metadata.get("execution", {})
    own = {
        f"execution_{name}": older[name] for name in ("timeout", "allow_errors") if name in older
    }
    own |= notebook.metadata.get(config.metadata_key, {})
    try:
        return config.copy(**own)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{config.metadata_key}: {error}") from error


def _why_not_run(
    path: Path, notebook: NotebookNode, config: NbParserConfig, settings: Settings
) -> str:
    """Say why MyST-NB would not run a page."""
    if config.execution_mode == "off":
        return "its execution_mode is off"
    if config.execution_mode == "inline":
        return INLINE
    for pattern in config.execution_excludepatterns:
        if PurePosixPath(path.as_posix()).match(pattern):
            return f"nb_execution_excludepatterns has {pattern!r}"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code:
        return EMPTY
    auto = "auto" in {settings.notebooks.execution_mode, config.execution_mode}
    # MyST-NB's mode "auto" runs no file that holds an output of each cell
    return UNRUN if auto and not settings.stored and all(cell.outputs for cell in code) else ""


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


def _bare_cell(path: Path, index: int, own: NotebookNode, number: int, *, compared: bool) -> Cell:
    """Return a cell of a file without blocks, which may hold its output."""
    text, reason = stored_output(own) if compared else ("", "")
    expected = None
    if text:
        flags = FLAGS | doctest.DONT_ACCEPT_BLANKLINE | (doctest.SKIP if reason else 0)
        expected = Expected(number, number, number, text, flags, reason=reason)
    return Cell(index, number, number, own.source, expected, _requires(path, number, own))


def _cell(path: Path, index: int, own: NotebookNode, fence: Token, block: Token | None) -> Cell:
    _require_closed(path, fence)
    body = parse_directive_text(ExpectedOutput, "", fence.content, validate_options=False)
    if block and block.info.removeprefix(BLOCK).strip():
        raise PageError(
            path, _line(block), f"{BLOCK} takes no argument: the text starts on the next line"
        )
    expected = _expected(path, block) if block else None
    line = _line(fence) + 1 + body.body_offset
    return Cell(index, line, _end(fence), own.source, expected, _requires(path, line, own))


def _requires(path: Path, line: int, own: NotebookNode) -> tuple[str, ...]:
    """Return the packages that the tags of a cell name."""
    tags = own.metadata.get("tags", [])
    own_tags = map(str, tags if isinstance(tags, list) else [tags])
    names = tuple(tag.removeprefix(REQUIRES) for tag in own_tags if tag.startswith(REQUIRES))
    for name in names:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise PageError(
                path, line, f"the tag {REQUIRES + name!r} names no package; write {REQUIRES} and "
                f"the name by which it is imported, without dots, such as {REQUIRES}norse"
            )  # fmt: skip
    return names


def _expected(path: Path, block: Token) -> Expected:
    _require_closed(path, block)
    line = _line(block)
    body = parse_directive_text(ExpectedOutput, "", block.content)
    text, options = "\n".join(body.body), body.options
    flags = options.get("options", FLAGS)
    with _at(path, line):
        if body.warnings:
            raise ValueError(f"{BLOCK}: {body.warnings[0].msg}")
        _require_agreement(flags, options)
        tolerance = _tolerance(options, text)
    start = line + 1 + body.body_offset
    return Expected(line, start, _end(block), text, flags, tolerance, options.get("reason", ""))


def _require_agreement(flags: int, options: Mapping[str, Any]) -> None:
    """Refuse options of a block that contradict each other."""
    skip, tolerance = flags & doctest.SKIP, "rtol" in options or "atol" in options
    refused = {
        "+SKIP needs a reason, which the report lists; add `:reason: needs a GPU`":
            skip and not options.get("reason"),
        "`:reason:` says why an output is not compared; add `:options: +SKIP` or delete it":
            "reason" in options and not skip,
        "`:exact:` names what a tolerance does not reach; add `:rtol:` or `:atol:`":
            "exact" in options and not tolerance,
        # numbers pair off in their order, which `...` would hide
        "ELLIPSIS does not go with `:rtol:` or `:atol:`; keep one of them, or print what changes "
        "in a cell of its own":
            flags & doctest.ELLIPSIS and tolerance,
    }  # fmt: skip
    for message, is_so in refused.items():
        if is_so:
            raise ValueError(message)


def _tolerance(options: Mapping[str, Any], text: str) -> Tolerance | None:
    """Return how far the numbers of a block may be off, if they may."""
    if "rtol" not in options and "atol" not in options:
        return None
    rtol, _ = options.get("rtol", (Decimal(0), None))
    atol, unit = options.get("atol", (Decimal(0), None))
    tolerance = Tolerance(rtol, atol, options.get("exact", ()), unit)
    if rtol >= 1:
        raise ValueError("`:rtol:` must be below 1, which allows any number")
    if not text.strip():  # `accept` writes it
        return tolerance
    for pattern in tolerance.exact:
        if all(Tolerance(exact=(pattern,)).reach(text)):
            raise ValueError(f"`:exact:` {pattern} finds no number here")
    if not any(tolerance.reach(text)):
        raise ValueError(
            "its tolerance reaches no number of this block; delete it, or what `:exact:` says"
        )
    return tolerance


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
