"""Runs the pages that are out of date, and checks them, before Sphinx reads them."""

from __future__ import annotations

import copy
import logging as python_logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from docutils import nodes
from docutils.parsers.rst import directives
from myst_nb.core.execute.base import ExecutionResult
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.errors import ConfigError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookproof import report
from bookproof.extension import notes, table
from bookproof.extension.failures import Failures
from bookproof.extension.handover import hand_over, let_go, shown_text, take_back
from bookproof.files import shown_path
from bookproof.finder import written_patterns
from bookproof.kernels.warm import warm_up
from bookproof.page import EMPTY, INLINE, ExpectedOutput, PageError, is_page, read_page
from bookproof.run import run_outdated
from bookproof.settings import OWN_SETTINGS, Settings, read_settings
from bookproof.store import Results

if TYPE_CHECKING:
    from myst_nb.sphinx_ import SphinxEnvType
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

    from bookproof.compare import Verdict
    from bookproof.page import Page
    from bookproof.result import Run

logger = logging.getLogger(__name__)

UNCHECKED = (
    "this {testoutput} block is not checked: it must stand right after a code cell "
    "of a MyST notebook, outside of lists and other blocks"
)

UNFINISHED = ".unfinished"
"""The file that says that a build has not come to the end of its writing."""
PAGE_BY_PAGE = {"html", "dirhtml"}  # the others, like an e-book, write everything each time


class block(nodes.Invisible, nodes.Element):  # noqa: N801
    """Marks where a ``{testoutput}`` block stands, until `Build.remove_blocks` has looked at it."""


class TestOutput(SphinxDirective, ExpectedOutput):
    """The ``{testoutput}`` block. It shows nothing: the cell's own output is on the page."""

    # `read_page` has said what is wrong with their values
    option_spec = dict.fromkeys(ExpectedOutput.option_spec, directives.unchanged)

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        mark = block()
        self.set_source_info(mark)
        return [mark]


class Build:
    """What one Sphinx application knows of the pages."""

    def __init__(self, app: Sphinx) -> None:
        self.app, self.results, self.settings = app, Results(), Settings()
        self.failures = Failures(app)
        self.runs: dict[str, Run] = {}
        self.wrong: dict[Page, list[Verdict]] = {}
        """What is wrong on each page, until the end of the build, which tells it."""
        self.blocks: dict[str, set[int] | None] = {}
        """The lines of the blocks that were compared; unknown of a page that can't be read."""

    def configure(self, _app: Sphinx, config: Config) -> None:
        """Take over the running of pages from MyST-NB."""
        self.settings = _settings(self.app)
        if self.settings.notebooks.execution_mode != "inline":
            config.nb_execution_mode = "off"
            config.jupyter_execute_notebooks = "--unset--"  # MyST-NB would go by this old name
        own = [Path(self.app.outdir), Path(self.app.doctreedir)]
        config.exclude_patterns += written_patterns(Path(self.app.srcdir), own)

    def outdated(self, _app: Sphinx, env: BuildEnvironment, *_: set[str]) -> list[str]:
        """Return the pages that were wrong, and those whose result is not the one that was read."""
        return [
            name for name, record in _records(env).items()
            if not record["digest"]
            or record["digest"] != self.results.digest(Path(env.doc2path(name)), self.settings)
        ]  # fmt: skip

    def verify(self, _app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Run the pages, compare them, and hand the outputs to MyST-NB."""
        # what is said before, each build says
        python_logging.getLogger("sphinx").addHandler(self.failures)
        pages, unreadable = self._read(env, docnames)
        self.blocks = dict.fromkeys(unreadable) | {
            name: {cell.expected.line for cell in page.cells if cell.expected}
            for name, page in pages.items()
        }
        for page in pages.values():
            if page.why_not_run == INLINE:
                logger.info("%s: not run by bookproof: %s", shown_path(page.path), INLINE)
        to_run = {name: page for name, page in pages.items() if not page.why_not_run}
        found = run_outdated(list(to_run.values()), self.results, log=logger.info)
        runs = dict(zip(to_run, found, strict=True))
        # MyST-NB would start a kernel for a page without cells that asks for it
        empty = [page.path for page in pages.values() if page.why_not_run == EMPTY]
        hand_over(env, runs, [*unreadable.values(), *empty])
        self.runs = runs
        self.wrong = {run.page: report.wrong([run]) for run in found if not run.ok}
        self._remember(env, docnames, runs, unreadable)
        for line in report.skipped(found):
            logger.info(line)
        logger.info(report.summarize(found))

    def show_what_ran(self, _app: Sphinx, name: str, source: list[str]) -> None:
        """Let Sphinx read the text that was run, also if the file has been saved since."""
        if run := self.runs.get(name):
            source[0] = shown_text(run.page)

    def complete(self, app: Sphinx, doctree: nodes.document) -> None:
        """Complete a page that MyST-NB has made."""
        self.remove_blocks(app, doctree)
        name = app.env.docname
        if run := self.runs.pop(name, None):  # it is on the page now, and need not fill the memory
            let_go(app.env, name)
            notes.add(app.config, doctree, run)
            how = ExecutionResult(
                mtime=run.started,
                runtime=run.seconds,
                method=run.page.settings.notebooks.execution_mode,
                succeeded=not run.failure,
                error=None,
                traceback=None,
            )
            # for the directive nb-exec-table
            NbMetadataCollector.set_exec_data(cast("SphinxEnvType", app.env), name, how)

    def remove_blocks(self, app: Sphinx, doctree: nodes.document) -> None:
        """Remove the marks, and report a block that was not compared with any cell."""
        name = app.env.docname
        compared = self.blocks.get(name, set())
        for mark in list(doctree.findall(block)):
            source = Path(str(mark.source))  # another file, if it is included
            here = source == Path(app.env.doc2path(name))
            if compared is not None and not (here and mark.line in compared):
                logger.error(UNCHECKED, location=f"{shown_path(source)}:{mark.line}")
                app.env.note_reread()
            mark.parent.remove(mark)

    def note_failures(self, _app: Sphinx, env: BuildEnvironment) -> None:
        """Let the pages on which something went wrong while they were read count as wrong."""
        for name in self.failures.wrong & _records(env).keys():
            record = _records(env)[name]
            record |= {"book_wrong": max(record["book_wrong"], 1), "digest": ""}

    def finish(self, app: Sphinx, error: Exception | None) -> None:
        """Say what is wrong, and what to do.

        It comes last: what is said before is followed by a line or two for each page of the book.
        """
        wrong, self.wrong = self.wrong, {}
        for found in wrong.values():
            for verdict in found:
                logger.error(report.describe_at(verdict), location=report.location(verdict))
        self.failures.finish(error)
        if wrong:
            built = {} if error else {page: _built(app, page) for page in wrong}
            logger.info(report.conclude(wrong, built, Path(app.srcdir)))

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
                    place = f"{shown_path(error.path)}:{error.line}"
                    logger.error(error.message, location=place)  # noqa: TRY400 (not for its traceback)
                    unreadable[name] = path
        return pages, unreadable

    def _remember(
        self,
        env: BuildEnvironment,
        docnames: list[str],
        runs: dict[str, Run],
        unreadable: dict[str, Path],
    ) -> None:
        """Note with Sphinx's doctrees which result each of them holds, and what is wrong there."""
        kept = env.found_docs.difference(docnames)
        records = {name: record for name, record in _records(env).items() if name in kept}
        records |= {name: {"book_wrong": 1, "digest": ""} for name in unreadable}
        for name, run in runs.items():
            again = run.page.config.execution_mode == "force" or not run.ok
            digest = "" if again else self.results.digest(run.page.path, self.settings)
            about = {"book_missing": sorted(run.missing), "digest": digest}
            records[name] = table.counts(run) | about
        env.book_runs = records  # type: ignore[attr-defined]


def add_counts(
    app: Sphinx,
    pagename: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Tell the templates of each page what became of its outputs.

    ``book_checked`` of them were found right, ``book_recorded`` are records, since the packages
    ``book_missing`` were not there, and in ``book_wrong`` places something is wrong: those that can
    be seen on the page have the ids ``book_differs``.
    """
    context.update(_records(app.env).get(pagename, {}))
    context["book_differs"] = notes.places(doctree) if doctree else []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive and the hooks."""
    app.setup_extension("myst_nb")
    for name, (usual, rebuild) in OWN_SETTINGS.items():
        app.add_config_value(name, copy.copy(usual), rebuild, type(usual))
    app.add_node(block)
    app.add_directive("testoutput", TestOutput)
    build = Build(app)
    app.connect("config-inited", build.configure)
    app.connect("env-get-outdated", build.outdated)
    app.connect("env-before-read-docs", build.verify)
    # first: what others change is then the text that ran, and not one that was saved since
    app.connect("source-read", build.show_what_ran, priority=0)
    app.connect("doctree-read", build.complete)
    app.connect("env-updated", build.note_failures)
    app.connect("env-updated", take_back)
    table.setup(app)
    app.connect("builder-inited", _remove_halves)
    app.connect("write-started", _begin)
    app.connect("build-finished", _end)
    app.connect("html-page-context", add_counts)
    # late, since other extensions may have warned only now
    app.connect("build-finished", build.finish, priority=900)
    try:
        settings, source = _settings(app), Path(app.srcdir)
    except ConfigError as error:
        # one line for a person, instead of a traceback and the request to report it to Sphinx
        logger.critical("%s: %s", Path(app.confdir, "conf.py"), error)
        raise SystemExit(2) from error
    if settings.notebooks.execution_mode != "off" and build.results.any_outdated(settings, source):
        warm_up(settings.modules, settings.environment)  # while Sphinx starts
    return {
        "version": "1",
        "env_version": 6,  # goes up with the form of `book_runs`: Sphinx then reads all pages anew
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


def _settings(app: Sphinx) -> Settings:
    values = {setting.name: setting.value for setting in app.config}
    return read_settings(values, Path(app.confdir), Path(app.outdir).parent)


def _records(env: BuildEnvironment) -> dict[str, dict[str, Any]]:
    """Return what is known of each page that was run, in this build or before."""
    return getattr(env, "book_runs", {})


def _built(app: Sphinx, page: Page) -> Path | None:
    """Return the file of a page that was built, if the book is made of such files."""
    place = getattr(app.builder, "get_outfilename", None)
    file = Path(place(app.env.path2doc(page.path))) if place else None
    return file if file and file.is_file() else None


def _remove_halves(app: Sphinx) -> None:
    """Remove what the last build has written, if it ended meanwhile.

    Sphinx would keep a page of which half is there, or the old one, and half a search index.
    """
    folder = Path(app.outdir)
    if (folder / UNFINISHED).exists():
        for file in [*folder.rglob("*.html"), folder / "searchindex.js"]:
            file.unlink(missing_ok=True)


def _begin(app: Sphinx, _: object) -> None:
    if app.builder.name in PAGE_BY_PAGE:
        Path(app.outdir, UNFINISHED).touch()


def _end(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        Path(app.outdir, UNFINISHED).unlink(missing_ok=True)
