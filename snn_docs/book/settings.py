"""What a book's ``conf.py`` says about its pages; all doors read the same settings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from myst_nb.core.config import NbParserConfig
from myst_parser.config.main import MdParserConfig
from sphinx.config import eval_config_file
from sphinx.errors import ConfigError
from sphinx.util.tags import Tags

from snn_docs.book.kernel import MODULES
from snn_docs.book.labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODES = ("auto", "cache", "force", "off")
"""The values of ``nb_execution_mode`` that are honoured."""
BUILD = "_build"
"""The folder beside ``conf.py`` where results are kept, unless Sphinx builds elsewhere."""
RESULTS = ".book"


@dataclass(frozen=True)
class Settings:
    """What a book says about its pages."""

    markdown: MdParserConfig = field(default_factory=MdParserConfig)
    notebooks: NbParserConfig = field(default_factory=NbParserConfig)
    results: Path = Path(BUILD, RESULTS)
    """The folder where results are kept."""
    strict: bool = False
    """Whether each cell that prints must have its block, also on pages that have none."""
    modules: tuple[str, ...] = MODULES
    """What warm kernels have imported when they start."""
    suffixes: tuple[str, ...] = (".md",)
    """How the names of files end that are notebooks if their front matter says so."""
    language: str = "en"
    live: Mapping[str, str] = field(default_factory=LABELS.copy)
    """What live cells say to their reader."""


def find_settings(path: Path) -> Settings:
    """Return the settings of the book that a page belongs to: those of the nearest ``conf.py``."""
    for folder in path.resolve().parents:
        conf = folder / "conf.py"
        if conf.is_file():
            return _evaluate(conf, conf.read_bytes())
    return Settings(results=Path(BUILD, RESULTS).resolve())


@cache
def _evaluate(conf: Path, _text: bytes) -> Settings:
    try:
        values = eval_config_file(conf, Tags())
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
    mode = values.get("nb_execution_mode", "auto")
    if mode not in MODES:
        raise ConfigError(
            f"nb_execution_mode is {mode!r}, but snn_docs.book runs the pages itself and takes "
            f"one of {', '.join(MODES)}; delete nb_execution_mode from conf.py"
        )
    strict, modules = values.get("book_strict", False), values.get("book_modules", MODULES)
    if not isinstance(strict, bool):
        raise ConfigError(f"book_strict is {strict!r}, but takes True or False")
    if not isinstance(modules, list | tuple) or not all(isinstance(m, str) for m in modules):
        raise ConfigError(f"book_modules is {modules!r}, but takes a list of names of modules")
    chosen = values.get("nb_execution_cache_path")
    return Settings(
        markdown=_made(MdParserConfig, "myst_", values),
        notebooks=_made(NbParserConfig, "nb_", values),
        results=home / chosen if chosen else build / RESULTS,
        strict=strict,
        modules=tuple(modules),
        suffixes=(".md", *_suffixes(values)),
        language=str(values.get("language", "en")),
        live=LABELS | _labels(values.get("book_live", {})),
    )


def names() -> list[str]:
    """Return the names in ``conf.py`` that `read_settings` reads."""
    configs: Sequence[tuple[str, type[Any]]] = (("myst_", MdParserConfig), ("nb_", NbParserConfig))
    parsers = [prefix + name for prefix, config in configs for name in _fields(config)]
    return [*parsers, "book_strict", "book_modules", "book_live", "language", "source_suffix"]


def _labels(labels: object) -> dict[str, str]:
    """Return the labels that a book gives itself."""
    if not isinstance(labels, dict) or not all(isinstance(text, str) for text in labels.values()):
        raise ConfigError(f"book_live is {labels!r}, but takes names with their texts")
    if unknown := labels.keys() - LABELS.keys():
        raise ConfigError(
            f"book_live has {', '.join(map(repr, sorted(unknown, key=str)))}, but takes these "
            f"names: {', '.join(LABELS)}"
        )
    return labels


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
    names = _fields(config)
    try:
        return config(**{n: values[prefix + n] for n in names if prefix + n in values})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"one of the options {prefix}…: {error}") from error
