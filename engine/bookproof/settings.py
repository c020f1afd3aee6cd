"""What a book's ``conf.py`` says about its pages; all entry points read the same settings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from myst_nb.core.config import NbParserConfig
from myst_parser.config.main import MdParserConfig
from sphinx import version_info
from sphinx.config import eval_config_file
from sphinx.errors import ConfigError
from sphinx.util.tags import Tags

from bookproof.kernels.libraries import USUAL
from bookproof.kernels.warm import ENVIRONMENT
from bookproof.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILD = "_build"
"""The folder beside ``conf.py`` where results are kept, unless Sphinx builds elsewhere."""
RESULTS = ".book"
OWN_SETTINGS: Mapping[str, tuple[Any, Literal["", "env"]]] = {
    "book_strict": (False, "env"),
    "book_stored": (False, "env"),
    "book_complete": (False, ""),
    "book_modules": (list(USUAL), ""),
    "book_words": ({}, "env"),
    "book_environment": (ENVIRONMENT, ""),
    "book_start": ("", ""),
    "book_conditions": ({}, ""),
    "book_pages_at_once": (0, ""),
    "book_longest_output": (10_000_000, ""),
}
"""The settings of this engine: what they are where a book does not say, and what Sphinx then reads
anew if they change."""
EXCLUDING = ("exclude_patterns", "templates_path", "html_extra_path", "html_static_path")
"""The settings of Sphinx that keep files from being documents."""
FILES = dict.fromkeys(EXCLUDING, ()) | {"include_patterns": ("**",)}
"""The settings of Sphinx that say which files are documents, as they are unless a book says so."""
CHECKPOINTS = "**.ipynb_checkpoints"
"""The pattern of files that MyST-NB keeps from being documents."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Another way to run the pages, under which their outputs are to hold too."""

    environment: Mapping[str, str]
    """The variables with which kernels start, instead of the book's own."""
    start: str
    needs: str = ""
    """What a processor must have for it, as the system calls it, such as avx2."""
    rare: bool = False
    """Whether it is left out unless all conditions are wanted."""


@dataclass(frozen=True)
class Settings:
    """What a book says about its pages."""

    markdown: MdParserConfig = field(default_factory=MdParserConfig)
    notebooks: NbParserConfig = field(default_factory=NbParserConfig)
    results: Path = Path(BUILD, RESULTS)
    """The folder where results are kept."""
    strict: bool = False
    """Whether each cell that prints must have its block, also on pages that have none."""
    stored: bool = False
    """Whether the outputs that a notebook's file holds are what its cells are to print."""
    complete: bool = False
    """Whether what pages declare, if anything, is all that they read where nobody can follow."""
    modules: tuple[str, ...] = USUAL
    """What warm kernels have imported when they start."""
    environment: Mapping[str, str] = field(default_factory=ENVIRONMENT.copy)
    """The variables with which kernels start, besides those of whoever runs them."""
    start: str = ""
    """Code that each Python kernel runs before a page's first cell."""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """Under which other conditions the outputs are to hold, by name."""
    at_once: int = OWN_SETTINGS["book_pages_at_once"][0]
    """How many pages run at once; 0 leaves it to processors and memory."""
    longest: int = OWN_SETTINGS["book_longest_output"][0]
    """Characters that a page may put out."""
    suffixes: tuple[str, ...] = (".md",)
    """How the names of files end that are notebooks if their front matter says so."""
    home: Path | None = None
    """The folder of the ``conf.py``, if there is one."""
    root: str = "index"
    """The book's first document, without suffix."""
    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = ()
    """Sphinx's patterns of files that are documents, and of those that are not."""
    toc: str = ""
    """The file in which sphinx-external-toc finds all documents, if it leaves out all others."""


def find_settings(path: Path) -> Settings:
    """Return the settings of the book that a page belongs to: those of the nearest ``conf.py``."""
    for folder in path.resolve().parents:
        conf = folder / "conf.py"
        if conf.is_file():
            return _evaluate(conf, conf.read_bytes())
        _require_written(folder / "_config.yml")
    return Settings(results=Path(BUILD, RESULTS).resolve())


def _require_written(config: Path) -> None:
    """Refuse a book of Jupyter Book that uses this engine, as long as its settings are unknown."""
    if config.is_file() and b"bookproof" in config.read_bytes():
        raise ConfigError(
            f"{config}: the settings of this book are read from its conf.py, which is not there; "
            f"write it first: jupyter-book config sphinx {config.parent}"
        )


@cache  # by its text, too: one that is saved meanwhile is evaluated anew
def _evaluate(conf: Path, _text: bytes) -> Settings:
    try:
        # Sphinx 7 wants a text, and Sphinx 9 a path
        file: Any = conf if version_info >= (9,) else str(conf)
        values = eval_config_file(file, Tags())
        return read_settings(values, conf.parent, conf.parent / BUILD)
    except ConfigError as error:
        raise ConfigError(f"{conf}: {str(error).strip()}") from error


def read_settings(values: Mapping[str, Any], home: Path, build: Path) -> Settings:
    """Return the settings among the values of the ``conf.py`` in a folder."""
    usual = {name: value for name, (value, _) in OWN_SETTINGS.items()}
    values = {"nb_execution_mode": "auto"} | FILES | usual | dict(values)
    for name, value in (FILES | usual).items():
        _require(name, values[name], value)
    if unknown := values["book_words"].keys() - WORDS.keys():
        names = ", ".join(WORDS)
        raise ConfigError(f"book_words has {min(unknown)!r}, but takes these names: {names}")
    excluded = {str(pattern) for name in EXCLUDING for pattern in values[name]}
    chosen = values.get("nb_execution_cache_path")
    return Settings(
        markdown=_made(MdParserConfig, "myst_", values),
        notebooks=_made(NbParserConfig, "nb_", values),
        results=home / chosen if chosen else build / RESULTS,
        strict=values["book_strict"],
        stored=values["book_stored"],
        complete=values["book_complete"],
        modules=tuple(map(str, values["book_modules"])),
        environment=dict(values["book_environment"]),
        start=values["book_start"],
        conditions=_conditions(values),
        at_once=values["book_pages_at_once"],
        longest=values["book_longest_output"],
        suffixes=(".md", *_suffixes(values)),
        home=home,
        root=str(values.get("root_doc", values.get("master_doc", "index"))),
        include=tuple(map(str, values["include_patterns"])),
        exclude=tuple(sorted({CHECKPOINTS, *excluded})),
        toc=_toc(values),
    )


def _toc(values: Mapping[str, Any]) -> str:
    """Return the table of contents that says which files are documents, as Jupyter Book has it."""
    only = values.get("external_toc_exclude_missing", False)
    return str(values.get("external_toc_path", "_toc.yml")) if only else ""


def _conditions(values: Mapping[str, Any]) -> dict[str, Condition]:
    """Return the conditions; what one does not say is as the book has it."""
    usual = {"environment": values["book_environment"], "start": values["book_start"]}
    found = {}
    for name, own in values["book_conditions"].items():
        try:
            found[str(name)] = Condition(**usual | own)
        except TypeError as error:
            raise ConfigError(f"book_conditions[{name!r}]: {error}") from error
    return found


def _require(name: str, value: object, usual: object) -> None:
    """Refuse a value that is not of the kind of a setting's usual one."""
    kinds = (list, tuple, set) if isinstance(usual, list | tuple) else type(usual)
    if not isinstance(value, kinds):
        kind = "list" if isinstance(usual, tuple) else type(usual).__name__
        raise ConfigError(f"{name} is {value!r}, but takes a value of the type {kind}")


def _suffixes(values: Mapping[str, Any]) -> list[str]:
    """Return the suffixes of text files that ``source_suffix`` gives to MyST-NB."""
    kinds = values.get("source_suffix")
    others = {".md", ".ipynb", *values.get("nb_custom_formats", {})}
    given = kinds.items() if isinstance(kinds, dict) else ()
    return [suffix for suffix, kind in given if kind == "myst-nb" and suffix not in others]


def _made(config: type[Any], prefix: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the configuration of a parser, with what a book says about it."""
    names = [field.name for field in dataclasses.fields(config)]
    given = {name: values[prefix + name] for name in names if prefix + name in values}
    try:
        return config(**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{prefix}…: {error}") from error
