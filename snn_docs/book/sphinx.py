"""The Sphinx door: pages that are out of date run, and are checked, before Sphinx reads them."""

from __future__ import annotations

import copy
import glob
import logging as python_logging
import re
import sys
from contextlib import suppress
from functools import partial
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from babel import Locale
from babel.lists import format_list
from babel.localedata import locale_identifiers
from docutils import nodes
from myst_nb.core.execute.base import ExecutionResult
from myst_nb.core.read import create_nb_reader
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import get_node_location, is_suppressed_warning

from snn_docs.book import checks, report
from snn_docs.book.fresh import Results, cells_digest, fill, outputs_of, run_outdated
from snn_docs.book.kernel import MODULES, warm_up
from snn_docs.book.page import ExpectedOutput, PageError, is_page, parse_page, read_page
from snn_docs.book.settings import Settings, names, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from myst_nb.sphinx_ import SphinxEnvType
    from nbformat import NotebookNode
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
RECORDED = "This output is a record. It was not run here, for lack of {packages}."
"""What a page says below a record, unless ``book_recorded`` says it in the book's own language."""
REREAD = (
    "some extension changes the page after it is read, so that its cells or blocks are not those "
    "which were checked; the page shows what was. Let the extension leave them alone"
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
        self.runs: dict[str, Run] = {}
        self.blocks: dict[str, set[int] | None] = {}
        """The lines of the blocks that were compared; unknown of a page that can't be read."""

    def configure(self, _app: Sphinx, config: Config) -> None:
        """Take over the running of pages from MyST-NB."""
        self.settings = _settings(self.app)
        config.nb_execution_mode = "off"
        python_logging.getLogger("sphinx").addHandler(self.failures)

    def outdated(self, _app: Sphinx, env: BuildEnvironment, *_changes: set[str]) -> list[str]:
        """Return the pages that were wrong, and those whose result is not the one that was read."""
        anew = self.settings.notebooks.execution_mode == "force"
        return [
            name for name, record in _records(env).items()
            if anew or record["book_wrong"] or not record["digest"]
            or record["digest"] != self.results.digest(Path(env.doc2path(name)), self.settings)
        ]  # fmt: skip

    def verify(self, _app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Run the pages, compare them, report what is wrong, and hand the outputs to MyST-NB."""
        pages, unreadable = self._read(env, docnames)
        self.blocks = dict.fromkeys(unreadable) | {
            name: {cell.expected.line for cell in page.cells if cell.expected}
            for name, page in pages.items()
        }
        to_run = {name: page for name, page in pages.items() if not page.left}
        found = run_outdated(list(to_run.values()), self.results, progress=_tell_progress)
        runs = dict(zip(to_run, found, strict=True))
        _hand_over(env, runs, [page.path for page in pages.values()] + list(unreadable.values()))
        self.runs = runs
        wrong = {**_report(runs), **dict.fromkeys(unreadable, 1)}
        self._remember(env, docnames, runs, wrong)
        for line in report.skipped(found):
            logger.info(line)
        logger.info(report.summarize(found))
        logger.verbose(report.times(found))

    def show_what_ran(self, _app: Sphinx, name: str, source: list[str]) -> None:
        """Let Sphinx read the text that was run, also if the file has been saved since."""
        if run := self.runs.get(name):
            source[0] = _shown(run.page)

    def note_run(self, app: Sphinx, _doctree: nodes.document) -> None:
        """Note when and how the page ran, which MyST-NB shows in its ``nb-exec-table``."""
        name = app.env.docname
        if run := self.runs.pop(name, None):  # it is on the page now, and need not fill the memory
            readers = app.env.mystnb_config.custom_formats  # type: ignore[attr-defined]
            readers.pop(str(Path(app.env.doc2path(name))))
            how = ExecutionResult(
                mtime=run.started,
                runtime=run.seconds,
                method=run.page.settings.notebooks.execution_mode,
                succeeded=not run.failed,
                error=None,
                traceback=None,
            )
            NbMetadataCollector.set_exec_data(cast("SphinxEnvType", app.env), name, how)

    def tell_records(self, app: Sphinx, doctree: nodes.document) -> None:
        """Say below each record that it is one, and which packages its cell would have needed."""
        run = self.runs.get(app.env.docname)
        absent = {v.cell.index: v.missing for v in run.verdicts if v.missing} if run else {}
        for cell in doctree.findall(nodes.container):
            if names := absent.get(cell.get("cell_index")):
                for output in cell.findall(nodes.container):
                    if output.get("nb_element") == "cell_code_output":
                        output.append(_note(app.config, names))

    def remove_blocks(self, app: Sphinx, doctree: nodes.document) -> None:
        """Remove the marks, and report a block that was not compared with any cell."""
        name = app.env.docname
        compared = self.blocks.get(name, set())
        for mark in list(doctree.findall(block)):
            source = Path(str(mark.source))  # another file, if it is included
            here = source == Path(app.env.doc2path(name))
            if compared is not None and not (here and mark.line in compared):
                logger.error(UNCHECKED, location=f"{report.shown_path(source)}:{mark.line}")
                app.env.note_reread()
            mark.parent.remove(mark)

    def note_failures(self, _app: Sphinx, env: BuildEnvironment) -> None:
        """Let the pages on which something went wrong while they were read count as wrong."""
        for name in self.failures.documents & _records(env).keys():
            record = _records(env)[name]
            record |= {"book_wrong": max(record["book_wrong"], 1), "digest": ""}

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
                    place = f"{report.shown_path(path)}:{error.line}"
                    logger.error(error.message, location=place)  # noqa: TRY400 (not for its traceback)
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
                records[name] |= checks.counts(run) | {
                    "book_missing": sorted(run.missing),
                    "digest": self.results.digest(run.page.path, self.settings),
                }
        env.book_runs = records  # type: ignore[attr-defined]


class Failures(python_logging.Handler):
    """Lets a build fail where this engine reports an error, or a value in a page's text is missing.

    It sees what is reported by all the processes of a build. What Sphinx has warned of once, it
    does not warn of again until the document is saved: the next build would pass with the same
    fault. Here, each build reads again what the one before was warned of.
    """

    def __init__(self, app: Sphinx) -> None:
        super().__init__(python_logging.WARNING)
        self.app, self.documents, self.reported = app, set[str](), set[str]()

    def emit(self, record: python_logging.LogRecord) -> None:
        """Look at a warning or an error."""
        kind, subtype = getattr(record, "type", ""), getattr(record, "subtype", "")
        if is_suppressed_warning(kind, subtype, self.app.config.suppress_warnings):
            return
        location = getattr(record, "location", None)
        if location and hasattr(self.app, "env"):
            # it may come again at the end of a phase, when no document is being read
            names = record.__dict__.setdefault("book_documents", self._documents(location))
            self.reported |= names
        missing = kind == "mystnb" and subtype in {"glue", "glue_ref", "eval"}
        if missing or (record.name == logger.logger.name and record.levelno == ERROR):
            self.app.statuscode = 1
            self.documents |= {self._document(location)}

    def _documents(self, location: object) -> set[str]:
        """Return the documents that a warning may be of: all, if it is of no file of theirs."""
        env = self.app.env
        return {self._document(location), env.docname} & env.found_docs or env.found_docs

    def _document(self, location: object) -> str:
        """Return the name of the document in which something is wrong."""
        if isinstance(location, nodes.Node):
            location = get_node_location(location)
        if isinstance(location, tuple):
            return str(location[0])
        path = re.sub(r":(cell )?\d*$", "", str(location))
        return self.app.env.path2doc(Path(path).resolve()) or path

    def forget(self, _app: Sphinx, _error: Exception | None) -> None:
        """Let the next build read the documents again, so that it reports what is still wrong."""
        for name in self.documents | self.reported:
            Path(self.app.doctreedir, f"{name}.doctree").unlink(missing_ok=True)


def read_run(text: str, run: Run) -> NotebookNode:
    """Return the notebook of a page that ran: for MyST-NB, a reader of this one file.

    Extensions may have changed the text before it comes here, though not the cells.
    """
    page = run.page
    if text == _shown(page):
        return copy.deepcopy(run.notebook)
    with suppress(PageError):
        changed = parse_page(page.path, text, page.settings)
        if cells_digest(changed) == cells_digest(page):
            return fill(changed.notebook, outputs_of(run.notebook))
    logger.error(REREAD, location=f"{report.shown_path(page.path)}:1")
    return copy.deepcopy(run.notebook)


def take_back(_app: Sphinx, env: BuildEnvironment) -> None:
    """Let MyST-NB have its own configuration again, so that Sphinx keeps no runs on disk."""
    env.mystnb_config = env.mystnb_config.copy(  # type: ignore[attr-defined]
        custom_formats=env.config.nb_custom_formats,
        execution_excludepatterns=env.config.nb_execution_excludepatterns,
    )


def add_counts(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Tell the templates of each page what became of its outputs.

    ``book_checked`` of them were found right, ``book_recorded`` are records, since the packages
    ``book_missing`` were not there, and in ``book_wrong`` places something is wrong.
    """
    context.update(_records(app.env).get(pagename, {}))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive and the hooks."""
    app.setup_extension("myst_nb")
    app.add_config_value("book_strict", default=False, rebuild="env", types=bool)
    app.add_config_value("book_recorded", default=RECORDED, rebuild="env", types=str)
    app.add_config_value("book_modules", default=list(MODULES), rebuild="", types=list)
    app.add_config_value("book_live", default={}, rebuild="", types=dict)
    app.add_node(block)
    app.add_directive("testoutput", TestOutput)
    door = Door(app)
    app.connect("config-inited", door.configure)
    app.connect("env-get-outdated", door.outdated)
    app.connect("env-before-read-docs", door.verify)
    app.connect("source-read", door.show_what_ran, priority=0)
    app.connect("doctree-read", door.remove_blocks)
    app.connect("doctree-read", door.tell_records)
    app.connect("doctree-read", door.note_run)
    app.connect("env-updated", door.note_failures)
    app.connect("env-updated", take_back)
    checks.setup(app)
    app.connect("html-page-context", add_counts)
    app.connect("build-finished", door.failures.forget)
    settings, source = _settings(app), Path(app.srcdir)
    if settings.notebooks.execution_mode != "off" and door.results.any_outdated(settings, source):
        warm_up(settings.modules)  # while Sphinx starts
    return {
        "version": "1",
        "env_version": 2,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


def _tell_progress(total: int) -> report.Progress:
    write = partial(logger.info, nonl=True)
    return report.Progress(total, write, terminal=sys.stdout.isatty())


def _settings(app: Sphinx) -> Settings:
    values = {name: app.config[name] for name in names() if name in app.config}
    return read_settings(values, Path(app.confdir), Path(app.outdir).parent)


def _note(config: Config, packages: Sequence[str]) -> nodes.paragraph:
    """Return a note, with a list of packages in its language where its text has ``{packages}``."""
    before, _, after = config.book_recorded.partition("{packages}")
    locale = Locale.negotiate([config.language], locale_identifiers()) or "en"
    _, *between = format_list(["\0"] * len(packages), locale=locale).split("\0")
    content: list[nodes.Node] = [nodes.Text(before)]
    for name, text in zip(packages, between, strict=True):
        content += [nodes.literal(name, name), nodes.Text(text)]
    content.append(nodes.Text(after))
    return nodes.paragraph("", "", *content, classes=["book-recorded"])


def _records(env: BuildEnvironment) -> dict[str, dict[str, Any]]:
    """Return what is known of each page that was run, in this build or before."""
    return getattr(env, "book_runs", {})


def _report(runs: dict[str, Run]) -> dict[str, int]:
    """Report what is wrong, and return how much it is on each page."""
    wrong = {name: report.wrong([run]) for name, run in runs.items()}
    for verdict in (verdict for verdicts in wrong.values() for verdict in verdicts):
        logger.error(report.describe_at(verdict), location=report.location(verdict))
    return {name: len(verdicts) for name, verdicts in wrong.items()}


def _hand_over(env: BuildEnvironment, runs: Mapping[str, Run], pages: Iterable[Path]) -> None:
    """Give MyST-NB the pages with their outputs, and keep it from running any page itself.

    MyST-NB asks a reader for each page, by the end of its file's name: here, by the whole name.
    """
    config = env.mystnb_config  # type: ignore[attr-defined]
    readers = dict(config.custom_formats)
    for name, run in runs.items():
        path, settings = str(Path(env.doc2path(name))), run.page.settings
        usual = create_nb_reader(path, settings.markdown, settings.notebooks, run.page.text)
        commonmark = bool(usual and usual.md_config.commonmark_only)
        readers[path] = (f"{__name__}.{read_run.__name__}", {"run": run}, commonmark)
    patterns = [*config.execution_excludepatterns, *(glob.escape(p.as_posix()) for p in pages)]
    env.mystnb_config = config.copy(  # type: ignore[attr-defined]
        custom_formats=readers, execution_excludepatterns=patterns
    )


def _shown(page: Page) -> str:
    """Return a page's text as Sphinx passes it on."""
    return page.text.replace("\r\n", "\n")
