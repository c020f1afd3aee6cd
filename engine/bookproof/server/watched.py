"""Serves a built book to the browser beside the editor, and tells it what each build has changed.

`bookproof.server.watch` starts it as a process of its own, which ends with its standard input,
however the watcher ends: ``python -m bookproof.server.watched FOLDER PORT``. It prints the port it
got, then reads a line of JSON after each build: what the build complained of, and the words in
which pages say so. Pages get a script, ``watch.js``, as they are served; after each build, it is
told the digests of the files that there are, and loads again what its page shows.

Others that do this build the book themselves, and cold (sphinx-autobuild), or reload every page for
every file (livereload); neither shows in the page what is wrong.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import sys
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from tornado.httpserver import HTTPServer
from tornado.web import Application

from bookproof.server.pages import FILES, HEADERS, HOST, Guarded, Pages, listen, log_to_terminal
from bookproof.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

OWN_PATH = "/.book/"
"""How the addresses begin that are not the book's."""
HEAD = Template("""\
<script type="application/json" id="book-watch-data">$data</script>
<script type="module" src="${own}watch.js"></script>
</head>""")
MISSING = "<!doctype html><html><head><title>404</title></head><body><p>404: {}</p></body></html>"


class Site:
    """The files of a built book, what the last build complained of, and who is to know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tabs: set[Events] = set()
        self.files = self._digests()
        self.messages: list[dict[str, str]] = []
        self.words: Mapping[str, str] = WORDS

    def note_build(self, messages: list[dict[str, str]], words: Mapping[str, str] = WORDS) -> None:
        """Look at what a build has made, and tell everyone."""
        self.files, self.messages, self.words = self._digests(), messages, words
        for tab in self.tabs:
            tab.tell()

    def with_script(self, page: str) -> str:
        """Return a page with what makes it follow the builds."""
        data = json.dumps({"files": self.files, "words": dict(self.words)})
        head = HEAD.substitute(own=OWN_PATH, data=data.replace("<", r"\u003c"))
        return page.replace("</head>", head, 1)

    def _digests(self) -> dict[str, str]:
        digests = {}
        for path in self.folder.rglob("*"):
            if path.is_file():
                with suppress(FileNotFoundError):  # it may go meanwhile: make clean
                    digest = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
                    digests[path.relative_to(self.folder).as_posix()] = digest
        return digests


class File(Pages):
    """Gives the files of the book, with the script in each page, and the script."""

    def page(self, _place: Path, text: str) -> str:
        """Return a page with the script."""
        site: Site = self.settings["site"]
        return site.with_script(text)

    def write_error(self, status_code: int, **arguments: object) -> None:
        """Let a page that is not there yet wait for the build that makes it."""
        if status_code != 404:  # noqa: PLR2004
            super().write_error(status_code, **arguments)
            return
        site: Site = self.settings["site"]
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(site.with_script(MISSING.format(html.escape(site.words["no_page"]))))


class Events(Guarded):
    """Tells what the book holds now and after each build, until the tab is closed."""

    def initialize(self) -> None:
        """Be told of the end."""
        self.closed = asyncio.Event()

    async def get(self) -> None:
        """Send a stream of events."""
        self.set_header("Content-Type", "text/event-stream")
        site: Site = self.settings["site"]
        site.tabs.add(self)
        self.tell()
        await self.closed.wait()
        site.tabs.remove(self)

    def tell(self) -> None:
        """Send what there is now."""
        site: Site = self.settings["site"]
        self.write(f"data: {json.dumps({'files': site.files, 'messages': site.messages})}\n\n")
        self.flush()

    def on_connection_close(self) -> None:
        """End."""
        self.closed.set()


def application(site: Site, port: int) -> Application:
    """Return the server's routes, which are all there are."""
    files = {"path": str(site.folder), "default_filename": "index.html"}
    return Application(
        [
            (f"{OWN_PATH}(watch\\.js)", File, {"path": str(FILES)}),
            (f"{OWN_PATH}events", Events),
            (r"/(.*)", File, files),
        ],
        site=site,
        hosts=(f"{HOST}:{port}", f"localhost:{port}"),
        headers=HEADERS | {"Content-Security-Policy": "frame-ancestors 'none'"},
        told={},
        log_function=lambda _: None,  # the terminal is left to the builds
    )


async def serve(site: Site, port: int, opened: Callable[[int], None], builds: TextIO) -> None:
    """Serve a site until there are no more builds to come, on this port or on another one."""
    listener = listen(port)
    port = listener.getsockname()[1]
    server = HTTPServer(application(site, port))
    server.add_socket(listener)
    opened(port)
    while line := await asyncio.to_thread(builds.readline):
        site.note_build(**json.loads(line))
    server.stop()
    await server.close_all_connections()


def main(folder: str, port: str, builds: TextIO = sys.stdin) -> None:
    """Run the command line."""

    def opened(port: int) -> None:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()

    log_to_terminal()
    asyncio.run(serve(Site(Path(folder)), int(port), opened, builds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
