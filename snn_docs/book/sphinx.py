"""The Sphinx door: pages that are out of date run, and are checked, before Sphinx reads them."""

from __future__ import annotations

import glob
import logging as python_logging
import re
import shutil
import sys
import tempfile
from functools import partial
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import get_node_location, is_suppressed_warning

from snn_docs.book import report
from snn_docs.book.files import write_atomically
from snn_docs.book.fresh import Results, cells_digest, outputs_digest, run_outdated
from snn_docs.book.kernel import MODULES, warm_up
from snn_docs.book.page import ExpectedOutput, PageError, is_page, read_page
from snn_docs.book.settings import Settings, names, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

    from snn_docs.book.page import Page
    from snn_docs.book.run import Run

logger = logging.getLogger(__name__)

UNCHECKED = (
    "this {testoutput} block is not checked: it must stand right after a code cell "
    "of a MyST notebook, outside of lists and other blocks"
)
REREAD = (
    "MyST-NB read other cells than were run and checked, so it ran them itself; some extension "
    "changes the page's text after it is read, which snn_docs.book can't follow"
)
ALIKE = (
    "this page has the same cells as {}, but not the same outputs, and MyST-NB's cache can't tell "
    "them apart; change a comment in one of them"
)


class block(nodes.Invisible, nodes.Element):  # noqa: N801
    """Marks where a ``{testoutput}`` block stands, until `Door.remove_blocks` has looked at it."""


class TestOutput(SphinxDirective):
    """The ``{testoutput}`` block. It shows nothing: the cell's own output is on the page."""

    has_content = ExpectedOutput.has_content
    option_spec = ExpectedOutput.option_spec

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        mark = block()
        self.set_source_info(mark)
        return [mark]


class Door:
    """What one Sphinx application knows of the pages."""

    def __init__(self, app: Sphinx) -> None:
        self.app, self.results, self.settings = app, Results(), Settings()
        self.failures = Failures(app)
        self.remove_handed: Callable[[], object] = lambda: None
        self.runs: dict[str, Run] = {}
        self.blocks: dict[str, set[int] | None] = {}
        """The lines of the blocks that were compared; unknown of a page that can't be read."""
        self.handed = ""
        """Where MyST-NB finds outputs: a cache of this build alone, since its key is cells only."""

    def configure(self, _app: Sphinx, config: Config) -> None:
        """Take over the running of pages from MyST-NB."""
        self.settings = _settings(self.app)
        if self.settings.notebooks.execution_mode != "off":
            config.nb_execution_mode = "cache"
        python_logging.getLogger("sphinx").addHandler(self.failures)

    def outdated(self, _app: Sphinx, env: BuildEnvironment, *_changes: set[str]) -> list[str]:
        """Return the pages that were wrong, and those whose result is not the one that was read."""
        anew = self.settings.notebooks.execution_mode == "force"
        return [
            name for name, record in _records(env).items()
            if anew or record["book_wrong"] or not record["digest"]
            or record["digest"] != self.results.digest(Path(env.doc2path(name)), self.settings)
        ]  # fmt: skip

    def verify(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Run the pages, compare them, report what is wrong, and hand the outputs to MyST-NB."""
        pages, unreadable = self._read(env, docnames)
        self.blocks = dict.fromkeys(unreadable) | {
            name: {cell.expected.line for cell in page.cells if cell.expected}
            for name, page in pages.items()
        }
        to_run = {name: page for name, page in pages.items() if not page.left}
        found = run_outdated(list(to_run.values()), self.results, progress=_tell_progress)
        runs = dict(zip(to_run, found, strict=True))
        left = [page.path for page in pages.values() if page.left]
        self._hand_over(env, runs, [*unreadable.values(), *left])
        self.runs = runs
        wrong = {**_report(app, runs), **dict.fromkeys(unreadable, 1)}
        self._remember(env, docnames, runs, wrong)
        _refuse_alike(app, env)
        for line in report.skipped(found):
            logger.info(line)
        logger.info(report.summarize(found))
        logger.verbose(report.times(found))

    def show_what_ran(self, _app: Sphinx, name: str, source: list[str]) -> None:
        """Let Sphinx read the text that was run, also if the file has been saved since."""
        if run := self.runs.get(name):
            source[0] = run.page.text.replace("\r\n", "\n")

    def fill_notebooks(self, _app: Sphinx, env: BuildEnvironment) -> None:
        """Put the outputs into the notebooks to download: from its cache, MyST-NB takes none."""
        folder = Path(env.mystnb_config.output_folder)  # type: ignore[attr-defined]
        for name, run in self.runs.items():
            text: str = nbformat.writes(run.notebook)  # type: ignore[no-untyped-call]
            write_atomically(folder / f"{name}.ipynb", text.encode())

    def remove_blocks(self, app: Sphinx, doctree: nodes.document) -> None:
        """Remove the marks, and report a block that was not compared with any cell."""
        name = app.env.docname
        compared = self.blocks.get(name, set())
        for mark in list(doctree.findall(block)):
            source = Path(str(mark.source))  # another file, if it is included
            here = source == Path(app.env.doc2path(name))
            if compared is not None and not (here and mark.line in compared):
                _fail(app, f"{report.shown_path(source)}:{mark.line}", UNCHECKED)
                app.env.note_reread()
            mark.parent.remove(mark)

    def find_unchecked(self, app: Sphinx, env: BuildEnvironment) -> None:
        """Report pages that MyST-NB ran itself, because it read other cells than those that ran."""
        if not self.handed or not self.runs:
            return
        for record in get_cache(self.handed).list_project_records():
            _fail(app, f"{report.shown_path(Path(record.uri))}:1", REREAD)
            name = env.path2doc(record.uri)
            if name in _records(env):
                _records(env)[name] |= {"book_wrong": 1, "digest": ""}

    def clean_up(self, _app: Sphinx, _error: Exception | None) -> None:
        """Remove what was made for this build, and what is to be made anew in the next one."""
        self.failures.forget()
        self.remove_handed()

    def _read(
        self, env: BuildEnvironment, docnames: list[str]
    ) -> tuple[dict[str, Page], dict[str, Path]]:
        """Read the notebooks among the documents; report those that can't be read."""
        pages: dict[str, Page] = {}
        unreadable: dict[str, Path] = {}
        for name in docnames:
            path = Path(env.doc2path(name))
            if is_page(path, self.settings):
                try:
                    pages[name] = read_page(path, self.settings)
                except PageError as error:
                    _fail(self.app, f"{report.shown_path(path)}:{error.line}", error.message)
                    unreadable[name] = path
        return pages, unreadable

    def _remember(
        self,
        env: BuildEnvironment,
        docnames: list[str],
        runs: dict[str, Run],
        wrong: dict[str, int],
    ) -> None:
        """Note with Sphinx's doctrees which result each of them holds, and what is wrong there."""
        records = {name: record for name, record in _records(env).items() if name in env.found_docs}
        for name in docnames:
            records.pop(name, None)
        for name, count in wrong.items():
            records[name] = {"book_wrong": count, "digest": ""}
            if run := runs.get(name):
                records[name] |= {
                    "book_checked": run.checked,
                    "digest": self.results.digest(run.page.path, self.settings),
                    "cells": cells_digest(run.page),
                    "outputs": outputs_digest(run.notebook),
                }
        env.book_runs = records  # type: ignore[attr-defined]

    def _hand_over(self, env: BuildEnvironment, runs: dict[str, Run], left: Sequence[Path]) -> None:
        """Give MyST-NB the outputs, and keep it from running other pages itself."""
        self.handed = tempfile.mkdtemp(prefix="book-")
        self.remove_handed = finalize(self, shutil.rmtree, self.handed)  # interrupted builds too
        config = env.mystnb_config  # type: ignore[attr-defined]
        patterns = [*config.execution_excludepatterns, *(glob.escape(p.as_posix()) for p in left)]
        env.mystnb_config = config.copy(  # type: ignore[attr-defined]
            execution_cache_path=self.handed, execution_excludepatterns=patterns
        )
        if not runs:
            return
        cache = get_cache(self.handed)
        cache.change_cache_limit(len(runs) + 1)
        for run in runs.values():
            bundle = CacheBundleIn(
                run.notebook, str(run.page.path), data={"execution_seconds": run.seconds}
            )
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


class Failures(python_logging.Handler):
    """Lets a build fail where this engine reports an error, or a value in a page's text is missing.

    It sees what is reported by all the processes of a build.
    """

    def __init__(self, app: Sphinx) -> None:
        super().__init__(python_logging.WARNING)
        self.app, self.documents = app, set[str]()

    def emit(self, record: python_logging.LogRecord) -> None:
        """Look at a warning or an error."""
        kind, subtype = getattr(record, "type", ""), getattr(record, "subtype", "")
        missing = kind == "mystnb" and subtype in {"glue", "glue_ref", "eval"}
        if missing and is_suppressed_warning(kind, subtype, self.app.config.suppress_warnings):
            return
        if missing or (record.name == logger.logger.name and record.levelno == ERROR):
            self.app.statuscode = 1
            self.documents |= {self._document(getattr(record, "location", None))}

    def _document(self, location: object) -> str:
        """Return the name of the document in which something is wrong."""
        if isinstance(location, nodes.Node):
            location = get_node_location(location)
        if isinstance(location, tuple):
            return str(location[0])
        path = re.sub(r":(cell )?\d*$", "", str(location))
        return self.app.env.path2doc(Path(path).resolve()) or path

    def forget(self) -> None:
        """Let the next build read the documents again, so that it reports what is still wrong."""
        for name in self.documents:
            Path(self.app.doctreedir, f"{name}.doctree").unlink(missing_ok=True)


def add_counts(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Tell the templates how many outputs were checked, as ``book_checked``, and ``book_wrong``."""
    context.update(_records(app.env).get(pagename, {}))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive and the hooks."""
    app.setup_extension("myst_nb")
    app.add_config_value("book_strict", default=False, rebuild="env", types=bool)
    app.add_config_value("book_modules", default=list(MODULES), rebuild="", types=list)
    app.add_node(block)
    app.add_directive("testoutput", TestOutput)
    door = Door(app)
    app.connect("config-inited", door.configure)
    app.connect("env-get-outdated", door.outdated)
    app.connect("env-before-read-docs", door.verify)
    app.connect("source-read", door.show_what_ran, priority=0)
    app.connect("doctree-read", door.remove_blocks)
    app.connect("env-updated", door.find_unchecked)
    app.connect("env-updated", door.fill_notebooks)
    app.connect("html-page-context", add_counts)
    app.connect("build-finished", door.clean_up)
    settings, source = _settings(app), Path(app.srcdir)
    if settings.notebooks.execution_mode != "off" and door.results.any_outdated(settings, source):
        warm_up(settings.modules)  # while Sphinx starts
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _tell_progress(total: int) -> report.Progress:
    write = partial(logger.info, nonl=True)
    return report.Progress(total, write, terminal=sys.stdout.isatty())


def _settings(app: Sphinx) -> Settings:
    values = {name: app.config[name] for name in names() if name in app.config}
    return read_settings(values, Path(app.confdir), Path(app.outdir).parent)


def _records(env: BuildEnvironment) -> dict[str, dict[str, Any]]:
    """Return what is known of each page that was run, in this build or before."""
    return getattr(env, "book_runs", {})


def _report(app: Sphinx, runs: dict[str, Run]) -> dict[str, int]:
    """Report what is wrong, and return how much it is on each page."""
    wrong = {name: report.wrong([run]) for name, run in runs.items()}
    for verdict in (verdict for verdicts in wrong.values() for verdict in verdicts):
        _fail(app, report.location(verdict), report.describe_at(verdict))
    return {name: len(verdicts) for name, verdicts in wrong.items()}


def _refuse_alike(app: Sphinx, env: BuildEnvironment) -> None:
    """Report pages that MyST-NB's cache would take for another one that differs in outputs.

    Those that this build does not read count too, so that it says what a cold build would.
    """
    records = {name: record for name, record in _records(env).items() if "cells" in record}
    first: dict[str, str] = {}
    for name, record in sorted(records.items()):
        other = first.setdefault(record["cells"], name)
        if record["outputs"] != records[other]["outputs"]:
            _fail(app, f"{report.shown_path(Path(env.doc2path(name)))}:1", ALIKE.format(other))
            record["book_wrong"] += 1


def _fail(app: Sphinx, location: str, message: str) -> None:
    """Report an error and let the build fail, also where warnings are allowed."""
    logger.error(message, location=location)
    app.statuscode = 1
