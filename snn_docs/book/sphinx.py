"""The Sphinx door: runs and checks the pages before Sphinx reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from sphinx.errors import ConfigError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from snn_docs.book import report
from snn_docs.book.page import ExpectedOutput, PageError, is_page, read_page
from snn_docs.book.run import Run, run_pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from myst_nb.core.config import NbParserConfig
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

    from snn_docs.book.page import Page

logger = logging.getLogger(__name__)

UNCHECKED = (
    "this {testoutput} block is not checked: it must stand right after a code cell "
    "of a MyST notebook, outside of lists and other blocks"
)


class block(nodes.Invisible, nodes.Element):  # noqa: N801
    """Marks where a ``{testoutput}`` block stands, until `remove_blocks` has looked at it."""


class TestOutput(SphinxDirective):
    """The ``{testoutput}`` block. It shows nothing: the cell's own output is on the page."""

    has_content = ExpectedOutput.has_content
    option_spec = ExpectedOutput.option_spec

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        mark = block()
        self.set_source_info(mark)
        return [mark]


def remove_blocks(app: Sphinx, doctree: nodes.document) -> None:
    """Remove the marks, and report a block that was not compared with any cell."""
    checked = is_page(Path(app.env.doc2path(app.env.docname)))
    for mark in list(doctree.findall(block)):
        if not checked or not isinstance(mark.parent, nodes.document | nodes.section):
            _fail(app, f"{report.shown_path(Path(str(mark.source)))}:{mark.line}", UNCHECKED)
        mark.parent.remove(mark)


def use_cache(_app: Sphinx, config: Config) -> None:
    """Let myst-nb take the outputs from the cache that this extension fills."""
    if config.nb_execution_mode not in {"auto", "cache"}:
        raise ConfigError(
            f"nb_execution_mode is {config.nb_execution_mode!r}, but snn_docs.book runs the pages "
            "and hands myst-nb their outputs in its cache; delete nb_execution_mode from conf.py"
        )
    config.nb_execution_mode = "cache"


def outdated(_app: Sphinx, env: BuildEnvironment, *_changes: set[str]) -> list[str]:
    """Read all notebooks anew: the package they import may have changed."""
    return [name for name in env.found_docs if is_page(Path(env.doc2path(name)))]


def verify(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Run the pages, compare them, report what is wrong, and hand the outputs to myst-nb."""
    pages, unreadable = _read(app, env, docnames)
    _do_not_run(env, unreadable.values())
    logger.info("running the code cells of %d pages", len(pages))
    runs = run_pages(list(pages.values()))
    for verdict in report.wrong(runs):
        _fail(app, report.location(verdict), report.describe_at(verdict))
    logger.info(report.summarize(runs))
    _store(env, runs)
    env.book_runs = {name: {"book_wrong": 1} for name in unreadable} | {  # type: ignore[attr-defined]
        name: {"book_checked": run.checked, "book_wrong": len(report.wrong([run]))}
        for name, run in zip(pages, runs, strict=True)
    }


def add_counts(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Tell the templates how many outputs were checked, as ``book_checked``, and ``book_wrong``."""
    context.update(app.env.book_runs.get(pagename, {}))  # type: ignore[attr-defined]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive and the hooks."""
    app.setup_extension("myst_nb")
    app.add_node(block)
    app.add_directive("testoutput", TestOutput)
    app.connect("config-inited", use_cache)
    app.connect("env-get-outdated", outdated)
    app.connect("env-before-read-docs", verify)
    app.connect("doctree-read", remove_blocks)
    app.connect("html-page-context", add_counts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _fail(app: Sphinx, location: str, message: str) -> None:
    """Report an error and let the build fail, also where warnings are allowed."""
    logger.error(message, location=location)
    app.statuscode = 1


def _read(
    app: Sphinx, env: BuildEnvironment, docnames: list[str]
) -> tuple[dict[str, Page], dict[str, Path]]:
    """Read the notebooks among the documents; report those that can't be read."""
    pages: dict[str, Page] = {}
    unreadable: dict[str, Path] = {}
    for name in docnames:
        path = Path(env.doc2path(name))
        if is_page(path):
            try:
                pages[name] = read_page(path, env.myst_config)  # type: ignore[attr-defined]
            except PageError as error:
                _fail(app, f"{report.shown_path(path)}:{error.line}", error.message)
                unreadable[name] = path
    return pages, unreadable


def _do_not_run(env: BuildEnvironment, paths: Iterable[Path]) -> None:
    """Keep myst-nb from running pages itself, as it does with what its cache lacks."""
    config: NbParserConfig = env.mystnb_config  # type: ignore[attr-defined]
    patterns = [*config.execution_excludepatterns, *(path.as_posix() for path in paths)]
    env.mystnb_config = config.copy(execution_excludepatterns=patterns)  # type: ignore[attr-defined]


def _store(env: BuildEnvironment, runs: list[Run]) -> None:
    cache = get_cache(env.mystnb_config.execution_cache_path)  # type: ignore[attr-defined]
    cache.clear_cache()  # an interrupted build may have left an entry half-written
    for run in runs:
        # myst-nb shows this number on its statistics page, and nowhere else
        bundle = CacheBundleIn(run.notebook, str(run.page.path), data={"execution_seconds": 0})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
