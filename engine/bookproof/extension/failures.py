"""Fails a build where something is wrong, and reads again what a build has warned of.

Wrong cells are told as errors of this engine, by `bookproof.extension.build.Build.finish`.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging as sphinx_logging
from sphinx.util.logging import get_node_location, is_suppressed_warning

from bookproof.files import write_atomically

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = sphinx_logging.getLogger(__name__)

OWN_LOGGERS = "sphinx.bookproof."
"""How the names of this engine's loggers start."""
FATAL = (
    "of all warnings, these {} fail the build, since a value in a page's text is missing (to let "
    "them pass, put {} into suppress_warnings):"
)
KEPT = "book-warned.txt"
"""The file beside Sphinx's doctrees that names the documents of which a build has warned."""


class Failures(logging.Handler):
    """Lets a build fail where this engine reports an error, or a value in a page's text is missing.

    It sees what is reported by all the processes of a build. What Sphinx has warned of once, it
    does not warn of again until the document is saved: the next build would pass with the same
    fault. So the next build reads the document again.
    """

    def __init__(self, app: Sphinx) -> None:
        super().__init__(logging.WARNING)
        self.app = app
        self.warned, self.wrong = set[str](), set[str]()
        """The documents of which this build has warned, and those that fail it."""
        self.missing: list[Any] = []
        """The warnings that fail the build: of values that are missing."""
        app.connect("env-get-outdated", self.read_again)

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a warning or an error."""
        kind, subtype = getattr(record, "type", None) or "", getattr(record, "subtype", None) or ""
        if is_suppressed_warning(kind, subtype, self.app.config.suppress_warnings):
            return
        documents = self._documents(getattr(record, "location", None))
        self.warned |= documents
        missing = kind == "mystnb" and subtype in {"glue", "glue_ref", "eval"}
        if missing and record not in self.missing:  # it comes again after all documents are read
            self.missing.append(record)
        if missing or (record.name.startswith(OWN_LOGGERS) and record.levelno == logging.ERROR):
            self.app.statuscode = 1
            self.wrong |= documents

    def read_again(self, *_: object) -> set[str]:
        """Return the documents of which the last build has warned."""
        with suppress(OSError):
            return set(self._place.read_text(encoding="utf-8").splitlines())
        return set()

    def finish(self, error: Exception | None) -> None:
        """Say which warnings fail the build, and keep the names of the documents for the next."""
        if self.missing:
            kinds = sorted({f"{record.type}.{record.subtype}" for record in self.missing})
            logger.info(FATAL.format(len(self.missing), ", ".join(kinds)))
            logger.info("%s", "\n".join(f"  {record.getMessage()}" for record in self.missing))
        # one that has ended early need not have come to those of the build before
        warned = self.warned | (self.read_again() if error else set())
        with suppress(OSError):  # then the next build says less, as Sphinx does
            write_atomically(self._place, "\n".join(sorted(warned)).encode())

    @property
    def _place(self) -> Path:
        return Path(self.app.doctreedir, KEPT)

    def _documents(self, location: object) -> set[str]:
        """Return the document in which something is wrong, and the one that is being read."""
        env = self.app.env
        read = ""
        with suppress(KeyError):  # before Sphinx 8.2, while none is read
            read = env.docname
        if isinstance(location, nodes.Node):
            location = get_node_location(location)
        elif isinstance(location, tuple):  # a document and a line
            location = location[0]
        path = re.sub(r":(cell )?\d*$", "", str(location or ""))
        return {read, path, env.path2doc(Path(path).resolve()) or ""} & env.found_docs
