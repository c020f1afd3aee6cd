"""What Sphinx warned of, said again until it is mended; and what fails the build.

Wrong cells are told as errors of this engine, by `bookproof.extension.build.Build.finish`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from docutils import nodes
from sphinx.util import logging as sphinx_logging
from sphinx.util.logging import get_node_location, is_suppressed_warning

from bookproof.files import write_atomically

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

logger = sphinx_logging.getLogger(__name__)

OWN_LOGGERS = "sphinx.bookproof."
"""How the names of this engine's loggers start."""


FATAL = (
    "of all warnings, these {} fail the build, since a value in a page's text is missing (to let "
    "them pass, put {} into suppress_warnings):"
)
KEPT = "book-warnings.json"
"""The file beside Sphinx's doctrees where a build keeps what it was warned of."""
READING, CHECKING, WRITING = "reading", "checking", "writing"
"""When Sphinx warns: of a document; of all of them together; of what a document refers to."""


class Warned(NamedTuple):
    """What a build was warned of."""

    logger: str
    level: int
    message: str
    location: Any
    """A text, or a document and a line."""
    kind: str
    subtype: str
    documents: list[str]
    """Those that it may be of."""
    phase: str
    """`READING`, `CHECKING` or `WRITING`."""


class Failures(logging.Handler):
    """Lets a build fail where this engine reports an error, or a value in a page's text is missing.

    It sees what is reported by all the processes of a build. What Sphinx has warned of once, it
    does not warn of again until the document is saved: the next build would pass with the same
    fault. Here, it is said again until the document is read or written again; and documents that
    refer to what is missing are written again as soon as there is something else to refer to.
    """

    def __init__(self, app: Sphinx) -> None:
        super().__init__(logging.WARNING)
        self.app, self.documents = app, set[str]()
        self.before, self.now = list[Warned](), list[Warned]()
        self.phase = ""
        self.read: list[str] = []
        """The documents that this build reads, or writes again for their warnings."""
        self.targets = ""
        self.fatal: dict[str, str] = {}
        """The warnings that fail the build, with their kinds."""
        app.connect("env-updated", self.write_again)
        app.connect("env-check-consistency", self.begin_writing)

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a warning or an error."""
        kind, subtype = getattr(record, "type", None), getattr(record, "subtype", None)
        if is_suppressed_warning(kind or "", subtype or "", self.app.config.suppress_warnings):
            return
        location = _plain(getattr(record, "location", None))
        message = record.getMessage().removesuffix(f" [{kind}.{subtype}]")
        if self.phase:  # what is said before the first, each build says
            about = record.name, record.levelno, message, location, kind or "", subtype or ""
            # it may come again at the end of a phase, when no document is being read
            if about not in [warned[:-2] for warned in self.now]:
                self.now.append(Warned(*about, sorted(self._documents(location)), self.phase))
        missing = kind == "mystnb" and subtype in {"glue", "glue_ref", "eval"}
        if missing:
            self.fatal[f"{self._shown(location)}{message}"] = f"{kind}.{subtype}"
        if missing or (record.name.startswith(OWN_LOGGERS) and record.levelno == logging.ERROR):
            self.app.statuscode = 1
            self.documents |= {self._document(location)}

    def begin_reading(self, docnames: list[str]) -> None:
        """Look at what comes from now on, and take these documents, or more of them, as read."""
        self.targets, self.before = self._kept()
        self.read, self.phase = docnames, READING

    def write_again(self, _app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Return the documents whose warnings another document may have mended."""
        self.phase = CHECKING if self.read else WRITING
        before, self.targets = self.targets, _targets(env)
        if self.targets == before:
            return []
        referring = [warned.documents for warned in self.before if warned.phase == WRITING]
        again = sorted(env.found_docs & set[str]().union(*referring))
        self.read = [*self.read, *again]
        return again

    def begin_writing(self, _app: Sphinx, _env: BuildEnvironment) -> None:
        """Look at what comes from now on as of references."""
        self.phase = WRITING

    def finish(self) -> None:
        """Say again what still stands, and keep it for the next build."""
        begun, self.phase = self.phase, ""
        said = [warned[:-2] for warned in self.now]
        standing = [one for one in self.before if self._stands(one) and one[:-2] not in said]
        if standing:
            logger.info("said again, since their pages are as before (to look: sphinx-build -E):")
        for name, level, message, location, kind, subtype, _, _ in standing:
            again = sphinx_logging.getLogger(name.removeprefix("sphinx."))
            again.log(level, "%s", message, location=location, type=kind, subtype=subtype)
        if self.fatal:
            logger.info(FATAL.format(len(self.fatal), ", ".join(sorted({*self.fatal.values()}))))
            logger.info("%s", "\n".join(f"  {told}" for told in self.fatal))
        if begun:
            kept = [self.targets, [warned._asdict() for warned in [*standing, *self.now]]]
            with suppress(OSError):  # then the next build says less, as Sphinx does
                write_atomically(self._place, json.dumps(kept).encode())

    def _stands(self, warned: Warned) -> bool:
        """Whether a warning of before holds, if this build has not said it again."""
        documents = self.app.env.found_docs.intersection(warned.documents)
        if not self.read:
            return bool(documents)
        return warned.phase != CHECKING and bool(documents) and documents.isdisjoint(self.read)

    def _shown(self, location: object) -> str:
        """Return a location as Sphinx shows it."""
        if not isinstance(location, tuple):
            return f"{location}: " if location else ""
        name, line = location
        return f"{self.app.env.doc2path(name)}:{line or ''}: "

    @property
    def _place(self) -> Path:
        return Path(self.app.doctreedir, KEPT)

    def _kept(self) -> tuple[str, list[Warned]]:
        """Return what there was to refer to in the last build, and what it was warned of."""
        try:
            targets, kept = json.loads(self._place.read_bytes())
            found = [Warned(**warned) for warned in kept]
        except (OSError, ValueError, TypeError):
            return "", []
        # JSON knows no tuples, by which Sphinx tells a document and a line from a text
        return targets, [
            one._replace(location=tuple(one.location)) if isinstance(one.location, list) else one
            for one in found
        ]

    def _documents(self, location: object) -> set[str]:
        """Return the documents that a warning may be of: all, if it is of no file of theirs."""
        env = self.app.env
        read = ""
        with suppress(KeyError):  # before Sphinx 8.2, while none is read
            read = env.docname
        return {self._document(location), read} & env.found_docs or env.found_docs

    def _document(self, location: object) -> str:
        """Return the name of the document in which something is wrong."""
        if isinstance(location, tuple):
            return str(location[0])
        path = re.sub(r":(cell )?\d*$", "", str(location))
        return self.app.env.path2doc(Path(path).resolve()) or path


def _plain(location: object) -> Any:  # noqa: ANN401
    """Return a location such that it can be kept."""
    return get_node_location(location) if isinstance(location, nodes.Node) else location


def _targets(env: BuildEnvironment) -> str:
    """Return a digest of all that documents can refer to."""
    objects = {
        (domain.name, name, kind, docname)
        for domain in env.domains.values()
        for name, _, kind, docname, _, _ in domain.get_objects()
    }
    headings = {(name, *data.get("myst_slugs", ())) for name, data in env.metadata.items()}
    found = repr(sorted(map(repr, objects | headings | env.found_docs)))
    return hashlib.sha256(found.encode()).hexdigest()
