"""What a book's ``conf.py`` says about its pages; all doors read the same settings."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from traceback import extract_tb
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
    from collections.abc import Callable, Mapping, Sequence

TEXTS = "names with their texts"
MODES = ("auto", "cache", "force", "inline", "off")
"""The values of ``nb_execution_mode``. What is ``inline`` is left to MyST-NB."""
LEGACY = "jupyter_execute_notebooks"
"""What MyST-NB called ``nb_execution_mode`` once; books still do, and it is what counts then."""
BUILD = "_build"
"""The folder beside ``conf.py`` where results are kept, unless Sphinx builds elsewhere."""
RESULTS = ".book"
OWN: Mapping[str, tuple[Any, Literal["", "env"]]] = {
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
    at_once: int = OWN["book_pages_at_once"][0]
    """How many pages run at once; 0 leaves it to processors and memory."""
    longest: int = OWN["book_longest_output"][0]
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
    language: str = "en"
    words: Mapping[str, str] = field(default_factory=WORDS.copy)
    """What the engine says to readers and writers."""


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
        place, reason, cause = str(conf), str(error).strip(), error.__cause__
        frames = extract_tb(cause.__traceback__) if isinstance(cause, Exception) else []
        if lines := [frame.lineno for frame in frames if frame.filename == place]:
            # instead of Sphinx's traceback, most of which is its own
            place, reason = f"{place}:{lines[-1]}", f"{type(cause).__name__}: {cause}"
        raise ConfigError(f"{place}: {reason}") from error


def read_settings(values: Mapping[str, Any], home: Path, build: Path) -> Settings:
    """Return the settings among the values of the ``conf.py`` in a folder."""
    usual = {"nb_execution_mode": "auto"} | {name: value for name, (value, _) in OWN.items()}
    values = usual | dict(values)
    chosen_mode = LEGACY if is_set(values.get(LEGACY)) else "nb_execution_mode"
    modes = f"one of {', '.join(MODES)}"
    values["nb_execution_mode"] = _checked(chosen_mode, values, MODES.__contains__, modes)
    modules = _checked("book_modules", values, _are_names, "a list of names of modules")
    variables = _checked("book_environment", values, _are_texts, TEXTS)
    start = _code("book_start", values["book_start"])
    chosen = values.get("nb_execution_cache_path")
    _require_patterns(values.get("nb_kernel_rgx_aliases", {}))
    return Settings(
        markdown=_made(MdParserConfig, "myst_", values),
        notebooks=_made(NbParserConfig, "nb_", values),
        results=home / chosen if chosen else build / RESULTS,
        strict=_checked("book_strict", values, _is_switch, "True or False"),
        stored=_checked("book_stored", values, _is_switch, "True or False"),
        complete=_checked("book_complete", values, _is_switch, "True or False"),
        modules=tuple(modules),
        environment=dict(variables),
        start=start,
        conditions=_conditions(values["book_conditions"], dict(variables), start),
        at_once=_checked("book_pages_at_once", values, _is_count, "a number from 0 up"),
        longest=_checked("book_longest_output", values, _is_count, "a number from 0 up"),
        suffixes=(".md", *_suffixes(values)),
        home=home,
        root=str(values.get("root_doc", values.get("master_doc", "index"))),
        include=_list_of("include_patterns", values, ("**",)),
        exclude=_excluded(values),
        toc=_toc(values),
        language=str(values.get("language", "en")),
        words=WORDS | _words(_checked("book_words", values, _are_texts, TEXTS)),
    )


def names() -> list[str]:
    """Return the names in ``conf.py`` that `read_settings` reads."""
    configs: Sequence[tuple[str, type[Any]]] = (("myst_", MdParserConfig), ("nb_", NbParserConfig))
    parsers = [prefix + name for prefix, config in configs for name in _fields(config)]
    sphinx = [*EXCLUDING, "include_patterns", "root_doc", "language", "source_suffix"]
    return [*parsers, LEGACY, *OWN, *sphinx]


def _excluded(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the patterns of what is no document, as Sphinx and MyST-NB put them together."""
    given = (pattern for name in EXCLUDING for pattern in _list_of(name, values))
    return tuple(sorted({CHECKPOINTS, *given}))


def _toc(values: Mapping[str, Any]) -> str:
    """Return the table of contents that says which files are documents, as Jupyter Book has it."""
    used = "sphinx_external_toc" in values.get("extensions", ())
    only = used and values.get("external_toc_exclude_missing", False)
    return str(values.get("external_toc_path", "_toc.yml")) if only else ""


def _code(name: str, code: object) -> str:
    """Return code that a book gives, if it is some."""
    if not isinstance(code, str):
        raise ConfigError(f"{name} is {code!r}, but takes the text of a Python program")
    try:
        compile(code, name, "exec")
    except SyntaxError as error:
        raise ConfigError(f"{name} is no Python program: {error}") from error
    return code


def _conditions(given: object, variables: dict[str, str], start: str) -> dict[str, Condition]:
    """Return the conditions; what one does not say is as the book has it."""
    usual = {"environment": variables, "start": start, "needs": "", "rare": False}
    kinds = {name: type(value) for name, value in usual.items()}
    if not isinstance(given, dict):
        raise ConfigError(f"book_conditions is {given!r}, but takes names with their settings")
    found = {}
    for name, own in given.items():
        wrong = not isinstance(own, dict) or [
            key for key, value in own.items() if not isinstance(value, kinds.get(key, ()))
        ]
        if wrong:
            known = ", ".join(f"{key} ({kind.__name__})" for key, kind in kinds.items())
            raise ConfigError(f"book_conditions has {name!r}: {own!r}, but it takes {known}")
        condition = Condition(**usual | own)
        _code(f"start of the condition {name}", condition.start)
        if not all(isinstance(text, str) for text in condition.environment.values()):
            raise ConfigError(
                f"book_conditions has {name!r} with the environment {condition.environment!r}, but "
                f"it takes {TEXTS}"
            )
        found[str(name)] = condition
    return found


def _checked(
    name: str, values: Mapping[str, Any], is_right: Callable[[Any], bool], takes: str
) -> Any:  # noqa: ANN401
    """Return the value of a setting, if it is one that this takes."""
    if not is_right(values[name]):
        raise ConfigError(f"{name} is {values[name]!r}, but takes {takes}")
    return values[name]


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _are_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple | set)


def _list_of(name: str, values: Mapping[str, Any], usual: Sequence[str] = ()) -> tuple[str, ...]:
    found = _checked(name, {name: usual} | dict(values), _is_list, "a list of texts")
    return tuple(map(str, found))


def _require_patterns(aliases: object) -> None:
    """Refuse regular expressions that are none, before a page needs them."""
    try:
        for pattern in dict(aliases):  # type: ignore[call-overload]
            re.compile(pattern)
    except (TypeError, ValueError, re.error) as error:
        raise ConfigError(
            f"nb_kernel_rgx_aliases is {aliases!r}, but takes regular expressions with the names "
            f"of kernels: {error}"
        ) from error


def is_set(value: object) -> bool:
    """Whether a book gives an old name a value: MyST-NB marks one that it does not so."""
    return value not in (None, "--unset--")


def _words(words: dict[str, str]) -> dict[str, str]:
    """Return the words that a book has of its own."""
    if unknown := words.keys() - WORDS.keys():
        raise ConfigError(
            f"book_words has {', '.join(map(repr, sorted(unknown, key=str)))}, but takes these "
            f"names: {', '.join(WORDS)}"
        )
    return words


def _suffixes(values: Mapping[str, Any]) -> list[str]:
    """Return the suffixes of text files that ``source_suffix`` gives to MyST-NB."""
    kinds = values.get("source_suffix")
    others = {".md", ".ipynb", *values.get("nb_custom_formats", {})}
    given = kinds.items() if isinstance(kinds, dict) else ()
    return [suffix for suffix, kind in given if kind == "myst-nb" and suffix not in others]


def _fields(config: type[Any]) -> list[str]:
    """Return the names that a parser lets ``conf.py`` set."""
    fields = ((field.name, field.metadata) for field in dataclasses.fields(config))
    return [
        name for name, told in fields
        if not told.get("sphinx_exclude") and "sphinx" not in told.get("omit", ())
    ]  # fmt: skip


def _made(config: type[Any], prefix: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401
    given = {n: values[prefix + n] for n in _fields(config) if prefix + n in values}
    for name, value in given.items():  # one by one, since the errors need not say which it is
        try:
            config(**{name: value})
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{prefix}{name} is {value!r}: {error}") from error
    return config(**given)
