"""Hands the pages that ran to MyST-NB, which shows their outputs as if it had run them itself."""

from __future__ import annotations

import copy
import glob
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from myst_nb.core.read import create_nb_reader
from sphinx.util import logging

from bookproof.files import shown_path
from bookproof.outputs import FIGURE
from bookproof.page import PageError, parse_page
from bookproof.result import fill, outputs_of
from bookproof.store import cells_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbformat import NotebookNode
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from bookproof.page import Page
    from bookproof.result import Run

logger = logging.getLogger(__name__)

REREAD = (
    "some extension changes the page after it is read, so that its cells or blocks are not those "
    "which were checked; the page shows what was. Let the extension leave them alone"
)


def hand_over(env: BuildEnvironment, runs: Mapping[str, Run], unreadable: Iterable[Path]) -> None:
    """Give MyST-NB the pages with their outputs, and keep it from running those with errors.

    MyST-NB asks a reader for each page, by the end of its file's name: here, by the whole name.
    """
    config = env.mystnb_config  # type: ignore[attr-defined]
    readers = dict(config.custom_formats)
    for name, run in runs.items():
        path, settings = str(Path(env.doc2path(name))), run.page.settings
        usual = create_nb_reader(path, settings.markdown, settings.notebooks, run.page.text)
        commonmark = bool(usual and usual.md_config.commonmark_only)
        readers[path] = (f"{__name__}.{read_run.__name__}", {"run": run}, commonmark)
    patterns = [*config.execution_excludepatterns, *(glob.escape(p.as_posix()) for p in unreadable)]
    env.mystnb_config = config.copy(  # type: ignore[attr-defined]
        custom_formats=readers, execution_excludepatterns=patterns
    )


def read_run(text: str, run: Run) -> NotebookNode:
    """Return the notebook of a page that ran: for MyST-NB, a reader of this one file.

    Extensions may have changed the text before it comes here, though not the cells.
    """
    page = run.page
    if text == shown_text(page):
        return _as_run(copy.deepcopy(run.notebook), page)
    with suppress(PageError):
        changed = parse_page(page.path, text, page.settings)
        if cells_digest(changed) == cells_digest(page):
            return _as_run(fill(changed.notebook, outputs_of(run.notebook)), page)
    logger.error(REREAD, location=f"{shown_path(page.path)}:1")
    return _as_run(copy.deepcopy(run.notebook), page)


def _as_run(notebook: NotebookNode, page: Page) -> NotebookNode:
    """Keep MyST-NB from running a page that asks for that itself, and from the texts of figures.

    The page has run, and MyST-NB would warn of a type that it does not know.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(FIGURE, None)
    own = notebook.metadata.get(page.settings.notebooks.metadata_key, {})
    if "execution_mode" in own:
        own["execution_mode"] = "off"
    return notebook


def let_go(env: BuildEnvironment, name: str) -> None:
    """Forget the run of a page that MyST-NB has made."""
    readers = env.mystnb_config.custom_formats  # type: ignore[attr-defined]
    readers.pop(str(Path(env.doc2path(name))))


def take_back(_app: Sphinx, env: BuildEnvironment) -> None:
    """Let MyST-NB have its own configuration again, so that Sphinx keeps no runs on disk."""
    env.mystnb_config = env.mystnb_config.copy(  # type: ignore[attr-defined]
        custom_formats=env.config.nb_custom_formats,
        execution_excludepatterns=env.config.nb_execution_excludepatterns,
    )


def shown_text(page: Page) -> str:
    """Return a page's text as Sphinx passes it on."""
    return page.text.replace("\r\n", "\n")
