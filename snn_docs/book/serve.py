"""Serves a built book to the browser beside the editor: ``serve.py FOLDER PORT``.

`snn_docs.book.watch` starts it as a script of its own, which imports little and ends with its
standard input, however the watcher ends. It prints the port it got, then reads a line of JSON after
each build: what the build complained of. Pages get a script, ``watch.js``, as they are served,
never on disk; it is told which files a build has changed, and loads again what its page shows.

Others that do this build the book themselves, and cold (sphinx-autobuild), or reload every page for
every file (livereload); neither shows in the page what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST = "127.0.0.1"
SCRIPT, EVENTS = "/.book/watch.js", "/.book/events"
HEARTBEAT = 15
"""Seconds of silence after which a stream of events says that it is there: a closed tab is seen."""
MISSING = (
    '<!doctype html><html lang="en"><head><title>404</title></head><body><p>404: {}</p></body>'
)


class Site:
    """The files of a built book, when each changed, and what the last build complained of."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.news = folder, threading.Condition()
        # Goes up also over a restart: a tab that has a page of an earlier server loads it again.
        self.stamp = time.time_ns()
        self.digests = self._digests()
        self.changed = dict.fromkeys(self.digests, self.stamp)
        self.messages: list[dict[str, str]] = []

    def note_build(self, messages: list[dict[str, str]]) -> None:
        """Look at what a build has changed, and tell everyone."""
        digests = self._digests()
        with self.news:
            self.stamp = max(time.time_ns(), self.stamp + 1)
            names = digests.keys() | self.digests.keys()
            changed = [name for name in names if digests.get(name) != self.digests.get(name)]
            self.changed |= dict.fromkeys(changed, self.stamp)
            self.digests, self.messages = digests, messages
            self.news.notify_all()

    def state(self, since: int) -> dict[str, Any]:
        """Return what someone should know who has seen the book as it was at a time."""
        changed = sorted(name for name, stamp in self.changed.items() if stamp > since)
        # The stamp is text: a number of JavaScript does not hold it.
        return {"stamp": str(self.stamp), "changed": changed, "messages": self.messages}

    def _digests(self) -> dict[str, bytes]:
        digests = {}
        for path in self.folder.rglob("*"):
            if path.is_file():
                with suppress(FileNotFoundError):  # it may go meanwhile: make clean
                    digest = hashlib.sha256(path.read_bytes()).digest()
                    digests[path.relative_to(self.folder).as_posix()] = digest
        return digests


class Handler(SimpleHTTPRequestHandler):
    """Answers a request."""

    server: Server

    def __init__(self, *arguments: Any, site: Site) -> None:  # noqa: ANN401
        self.site = site
        super().__init__(*arguments, directory=str(site.folder))

    def parse_request(self) -> bool:
        """Refuse a request that came by another name: some site's, that leads to this machine."""
        if not super().parse_request():
            return False
        port = self.server.server_port
        if self.headers.get_all("Host") in ([f"{HOST}:{port}"], [f"localhost:{port}"]):
            return True
        self.send_error(HTTPStatus.FORBIDDEN, f"this is http://{HOST}:{port}/ and no other host")
        return False

    def do_GET(self) -> None:
        """Send a file, a page with the script in it, or the news."""
        url = urlsplit(self.path)
        if url.path == SCRIPT:
            self._send(Path(__file__).with_name("watch.js").read_bytes(), "text/javascript")
        elif url.path == EVENTS:
            self._send_events(parse_qs(url.query).get("since", [""])[0])
        else:
            self._send_file(url.path)

    def _send_file(self, name: str) -> None:
        path = Path(self.translate_path(name))
        if path.is_dir() and name.endswith("/"):
            path /= "index.html"
        if path.suffix == ".html" and path.is_file():
            self._send(self._with_script(path.read_bytes()), "text/html")
        elif path.exists():
            super().do_GET()
        else:
            page = self._with_script(MISSING.format("this page is not in the built book").encode())
            self._send(page, "text/html", HTTPStatus.NOT_FOUND)

    def _with_script(self, page: bytes) -> bytes:
        script = f'<script type="module" src="{SCRIPT}?since={self.site.stamp}"></script>'
        before, head, after = page.partition(b"</head>")
        return before + script.encode() + head + after

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_events(self, since: str) -> None:
        """Send what is new since then, now and after each build, until the tab is closed."""
        if not since.isdecimal():
            self.send_error(HTTPStatus.BAD_REQUEST, "since must be the stamp of a page")
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        seen, told = int(since), 0
        while True:
            with self.site.news:
                news = self.site.news.wait_for(lambda: self.site.stamp != told, HEARTBEAT)  # noqa: B023
                state = self.site.state(seen)
                seen = told = self.site.stamp
            event = f"data: {json.dumps(state)}\n\n" if news else ":\n\n"
            self.wfile.write(event.encode())

    def send_head(self) -> Any:  # noqa: ANN401
        """Send a file; the browser asks again each time, for a build may have changed it."""
        del self.headers["If-Modified-Since"]  # which knows of seconds only
        return super().send_head()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Show no lists of files."""
        self.send_error(HTTPStatus.NOT_FOUND, f"{Path(path).name}: no page")

    def end_headers(self) -> None:
        """Let nothing be kept, or be taken into another site's page."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        super().end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Leave the terminal to the builds."""


class Server(ThreadingHTTPServer):
    """A server for this machine alone."""

    # Elsewhere a second server would take the first one's requests.
    allow_reuse_address = os.name == "posix"

    def handle_error(self, *arguments: Any) -> None:  # noqa: ANN401
        """Say nothing of a tab that was closed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*arguments)


def listen(site: Site, port: int) -> Server:
    """Return a server on a port, or on another one if it is taken."""
    handler: Any = partial(Handler, site=site)
    try:
        return Server((HOST, port), handler)
    except OSError:
        return Server((HOST, 0), handler)


def main(folder: str, port: str, lines: Iterable[str] = sys.stdin) -> None:
    """Serve until there are no more builds to come."""
    site = Site(Path(folder))
    server = listen(site, int(port))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    for line in lines:
        site.note_build(json.loads(line))


if __name__ == "__main__":
    main(*sys.argv[1:])
