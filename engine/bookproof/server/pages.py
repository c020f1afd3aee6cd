"""What both servers of a book have in common: they give its files, to this machine alone."""

from __future__ import annotations

import logging
import socket
from abc import abstractmethod
from pathlib import Path
from typing import Any

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

HOST = "127.0.0.1"
FILES = Path(__file__).parent
"""Where the scripts and styles are that the servers add to pages."""
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""What each answer says: it is not to be kept, or taken into another site's page."""


class Guarded(RequestHandler):
    """What every request must pass.

    The application's settings name the server's ``hosts``, the ``headers`` of its answers, and what
    is ``told`` instead of an error's own name.
    """

    def prepare(self) -> None:
        """Refuse a request that came by another name: some site's, that leads to this machine."""
        if self.request.host not in self.settings["hosts"]:
            raise HTTPError(403)
        if "%00" in self.request.path:  # no name of a file has it, and Python raises an error
            raise HTTPError(400)

    def set_default_headers(self) -> None:
        """Say what other sites, and the browser itself, may do with the answer."""
        for name, value in self.settings["headers"].items():
            self.set_header(name, value)

    def write_error(self, status_code: int, **_: object) -> None:
        """Say what went wrong without a word of the request."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(self.settings["told"].get(status_code, f"{status_code} {self._reason}"))


class Pages(Guarded, StaticFileHandler):
    """Gives the files of a book. A page may get more on its way, never on disk."""

    @abstractmethod
    def page(self, place: Path, text: str) -> str:
        """Return an HTML page as it is to be shown."""

    def set_extra_headers(self, path: str) -> None:
        """Complete the types that the machine's tables may not know."""
        if path.endswith(".js"):
            self.set_header("Content-Type", "text/javascript; charset=utf-8")

    def compute_etag(self) -> None:
        """Mark nothing: a browser is told to keep nothing."""

    def should_return_304(self) -> bool:
        """Whether the browser has the file: times of change know of seconds only."""
        return False

    async def get(self, path: str, include_body: bool = True) -> None:  # noqa: FBT001, FBT002
        """Give a file."""
        self.path = self.parse_url_path(path)
        place = self.validate_absolute_path(self.root, self.get_absolute_path(self.root, self.path))
        if place is None:  # a folder without its slash, which has led to the one with it
            return
        text = read_text(Path(place)) if place.endswith(".html") else None
        if text is None:
            await super().get(path, include_body)
        else:
            self.finish(self.page(Path(place), text))


def read_text(place: Path) -> str | None:
    """Return the text of a page, or None if it is not in UTF-8."""
    try:
        return place.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def listen(port: int = 0) -> socket.socket:
    """Listen on a port, or on another one if it is taken."""
    try:
        listener = socket.create_server((HOST, port))
    except OSError:
        listener = socket.create_server((HOST, 0))
    listener.setblocking(False)  # noqa: FBT003
    return listener


class PrintableFormatter(logging.Formatter):
    """Shows what a request may bring as Python shows it: a terminal obeys control characters."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return a message in one line."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802
        """Return the lines of a traceback."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def printable(text: str) -> str:
    """Return a text with escapes for what is not seen."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def log_to_terminal() -> None:
    """Tell the terminal what goes wrong."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
