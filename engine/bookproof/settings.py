"""What a book's ``conf.py`` says about its pages; all doors read the same settings."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

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
    from collections.abc import Mapping, Sequence

MODES = ("auto", "cache", "force", "inline", "off")
"""The values of ``nb_execution_mode``. What is ``inline`` is left to MyST-NB."""
LEGACY = "jupyter_execute_notebooks"
"""What MyST-NB called ``nb_execution_mode`` once; books still do, and it is what counts then."""
BUILD = "_build"
"""The folder beside ``conf.py`` where results are kept, unless Sphinx builds elsewhere."""
RESULTS = ".book"
OWN = ("book_strict", "book_stored", "book_modules", "book_words", "book_environment", "book_start",
       "book_conditions", "book_pages_at_once", "book_longest_output")  # fmt: skip
"""The settings of this engine."""
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
    modules: tuple[str, ...] = USUAL
    """What warm kernels have imported when they start."""
    environment: Mapping[str, str] = field(default_factory=ENVIRONMENT.copy)
    """The variables with which kernels start, besides those of whoever runs them."""
    start: str = ""
    """Code that each Python kernel runs before a page's first cell."""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """Under which other conditions the outputs are to hold, by name."""
    at_once: int = 0
    """How many pages run at once; 0 leaves it to processors and memory."""
    longest: int = 10_000_000
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
    values = dict(values)
    chosen_mode = LEGACY if is_set(values.get(LEGACY)) else "nb_execution_mode"
    mode = values["nb_execution_mode"] = values.get(chosen_mode, "auto")
    if mode not in MODES:
        raise ConfigError(f"{chosen_mode} is {mode!r}, but takes one of {', '.join(MODES)}")
    modules = values.get("book_modules", USUAL)
    if not isinstance(modules, list | tuple) or not all(isinstance(m, str) for m in modules):
        raise ConfigError(f"book_modules is {modules!r}, but takes a list of names of modules")
    variables = values.get("book_environment", ENVIRONMENT)
    if not isinstance(variables, dict) or not all(isinstance(v, str) for v in variables.values()):
        raise ConfigError(f"book_environment is {variables!r}, but takes names with their texts")
    start = _code("book_start", values.get("book_start", ""))
    chosen = values.get("nb_execution_cache_path")
    _require_patterns(values.get("nb_kernel_rgx_aliases", {}))
    return Settings(
        markdown=_made(MdParserConfig, "myst_", values),
        notebooks=_made(NbParserConfig, "nb_", values),
        results=home / chosen if chosen else build / RESULTS,
        strict=_switch("book_strict", values),
        stored=_switch("book_stored", values),
        modules=tuple(modules),
        environment=dict(variables),
        start=start,
        conditions=_conditions(values.get("book_conditions", {}), dict(variables), start),
        at_once=_count("book_pages_at_once", values, Settings.at_once),
        longest=_count("book_longest_output", values, Settings.longest),
        suffixes=(".md", *_suffixes(values)),
        home=home,
        root=str(values.get("root_doc", values.get("master_doc", "index"))),
        include=_list_of("include_patterns", values, ("**",)),
        exclude=_excluded(values),
        language=str(values.get("language", "en")),
        words=WORDS | _words(values.get("book_words", {})),
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
                "it takes names with their texts"
            )
        found[str(name)] = condition
    return found


def _switch(name: str, values: Mapping[str, Any]) -> bool:
    found = values.get(name, False)
    if not isinstance(found, bool):
        raise ConfigError(f"{name} is {found!r}, but takes True or False")
    return found


def _count(name: str, values: Mapping[str, Any], usual: int) -> int:
    found = values.get(name, usual)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise ConfigError(f"{name} is {found!r}, but takes a number from 0 up")
    return found


def _list_of(name: str, values: Mapping[str, Any], usual: Sequence[str] = ()) -> tuple[str, ...]:
    found = values.get(name, usual)
    if not isinstance(found, list | tuple | set):
        raise ConfigError(f"{name} is {found!r}, but takes a list of texts")
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


def _words(words: object) -> dict[str, str]:
    """Return the words that a book has of its own."""
    if not isinstance(words, dict) or not all(isinstance(text, str) for text in words.values()):
        raise ConfigError(f"book_words is {words!r}, but takes names with their texts")
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
