"""Opens a built book with cells that run: ``python -m bookproof live SOURCE OUTPUT``.

The server gives the book's pages, two files of its own and one WebSocket, over which a page runs
its cells in a kernel (`bookproof.server.session`). There is nothing else to ask for. Every request
must

* come to 127.0.0.1 and name it as its host, with the port: no other name may lead here;
* bring the cookie of a reader who came through the door, a file that only they can read; and, if
  it opens the WebSocket, come from one of these pages.

Cookies know hosts, not ports: another server on this machine, to which the reader is led in the
same browser, gets this one's cookie and can read the book with it. Running code takes more: the
key, which the door leaves in the browser's storage, where only pages of this very port find it. It
is the first message of each WebSocket. A kernel lives as long as the WebSocket of its page.

What a page shows, the HTML that a cell printed for one, may be anybody's: no script in it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import html
import json
import logging
import os
import re
import secrets
import signal
import stat
import sys
import webbrowser
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from string import Template
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from bookproof.kernels.warm import warm_up
from bookproof.optional import missing
from bookproof.page import Page, PageError, is_page, read_page
from bookproof.server.pages import FILES, HEADERS, HOST, Guarded, Pages, listen, log_to_terminal
from bookproof.server.session import DIED, FULL, LOCKED, EndError, Limits, Session, at_most
from bookproof.settings import Settings, find_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

logger = logging.getLogger(__name__)

OWN_PATH = "/_live/"
"""How the addresses begin that are not the book's."""
FORM = 10_000
"""Bytes that the body of a request may have."""
SLOW = 10.0
"""Seconds in which a request, or a WebSocket's key, must come; else the connection is closed."""
PING = 30.0
"""Seconds after which a page is asked whether it is still there."""
SLOT_SECONDS = 5.0
"""Seconds in which a kernel that has just been left makes room for the next one."""
# The numbers with which a WebSocket closes as its server ends, and on a page that does not keep to
# the rules.
LEAVING, MALFORMED = 1001, 1008
# The door: neither a URL nor a command line holds the secret, so no history, log, referrer or list
# of processes does. A form that leads elsewhere takes the secret there in the request's body.
DOOR = Template("""\
<!doctype html>
<html lang="$language">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>$enter</title>
<form method="post" action="$address">
<input type="hidden" name="secret" value="$secret">
<button>$enter</button>
</form>
<script>document.forms[0].submit()</script>
</html>
""")
# A page of this server leads on to the book: a request that still came from the file would be
# another site's, and SameSite=Strict keeps the cookie from those.
INSIDE = Template("""\
<!doctype html>
<html lang="$language">
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>$enter</title>
<script>$script</script>
<noscript><meta http-equiv="refresh" content="0; url=/"></noscript>
</html>
""")
# No page of another origin reads this storage, and no request takes it along. live.js looks there.
KEEP_KEY = Template('localStorage.setItem("book-live", "$key"); location.replace("/");')
HEAD = Template("""\
<link rel="stylesheet" href="${own}live.css">
<script type="application/json" id="book-live">$data</script>
<script type="module" src="${own}live.js"></script>
</head>""")
SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
CONTENT = re.compile(r"<(main|article)\b|<[^>]*\brole=[\"']?main\b", re.IGNORECASE)
"""Where what a page shows begins, in most themes."""


class Book:
    """A book that is served: its sources, what was built from them, and who runs what."""

    def __init__(
        self, source: Path, output: Path, settings: Settings, limits: Limits | None = None
    ) -> None:
        self.source, self.output, self.settings = source.resolve(), output.resolve(), settings
        self.limits = limits or Limits()
        self.slots = asyncio.Semaphore(self.limits.kernels)
        self.tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for one of the places for kernels."""
        async with at_most(SLOT_SECONDS, FULL):
            await self.slots.acquire()
        try:
            yield
        finally:
            self.slots.release()

    def page(self, name: str) -> Page | None:
        """Return the notebook that an HTML page was built from, if it is one."""
        formats = self.settings.notebooks.custom_formats
        for suffix in (*self.settings.suffixes, ".ipynb", *formats):
            path = self.source / f"{name.removesuffix('.html')}{suffix}"
            inside = path.resolve().is_relative_to(self.source)
            with suppress(PageError, UnicodeDecodeError, OSError):  # no file has so long a name
                if inside and is_page(path, self.settings):
                    return read_page(path, self.settings)
        return None


class DoorError(Exception):
    """The door would not be its reader's alone."""


class Door:
    """The file through which the book's reader comes in, and what they get there."""

    def __init__(self, folder: Path, address: str, settings: Settings) -> None:
        self.address, self.settings = address, settings
        # one for each server: several may show the same book
        self.file = folder / f"live-{address.rpartition(':')[2]}.html"
        self.key = secrets.token_urlsafe(32)
        # a name that no server on another port gives a cookie of its own, unless it means to
        self.cookie = f"book-live-{address.rpartition(':')[2]}-{secrets.token_urlsafe(9)}"
        self.renew()

    def renew(self) -> None:
        """Write the file with a new secret."""
        require_own(self.file.parent)
        self.secret = secrets.token_urlsafe(32)
        way = {"address": f"{self.address}{OWN_PATH}enter", "secret": self.secret}
        door = DOOR.substitute(door_words(self.settings), **way)
        # a file that nobody else has ever had open takes the place of one that is there
        with NamedTemporaryFile("w", dir=self.file.parent, encoding="utf-8", delete=False) as file:
            file.write(door)
        os.replace(file.name, self.file)  # noqa: PTH105

    def admits(self, secret: str) -> bool:
        """Whether this is the secret. It is good for one use."""
        right = hmac.compare_digest(secret.encode(), self.secret.encode())
        if right:
            self.renew()
        return right

    def opens(self, key: str) -> bool:
        """Whether this is the key of the cells."""
        return hmac.compare_digest(key.encode(), self.key.encode())


class Locked(Guarded):
    """What every request must pass, besides."""

    def prepare(self) -> None:
        """Refuse a reader who is not known."""
        super().prepare()
        if not self.is_known():
            raise HTTPError(403)

    def is_known(self) -> bool:
        """Whether the request brings the cookie of this server."""
        return self.get_signed_cookie(self.settings["door"].cookie) is not None


class Enter(Locked):
    """Takes the secret, and gives the cookie and the key for it."""

    def is_known(self) -> bool:
        """Whether the request brings the secret, from a file and not from a page of the web."""
        secret = self.get_body_argument("secret", "")
        from_file = self.request.headers.get("Origin") == "null"
        return from_file and self.settings["door"].admits(secret)

    def check_xsrf_cookie(self) -> None:
        """Ask for no second secret: who does not know the first gets nothing here."""

    def post(self) -> None:
        """Let the reader in."""
        door: Door = self.settings["door"]
        self.set_signed_cookie(
            door.cookie, "reader", expires_days=None, httponly=True, samesite="Strict"
        )
        script = KEEP_KEY.substitute(key=door.key)
        self.set_header("Content-Security-Policy", policy([script], door.address))
        self.finish(INSIDE.substitute(door_words(door.settings), script=script))


class File(Locked, Pages):
    """Gives the files of the book, and the live cells with each page that has cells."""

    def page(self, place: Path, text: str) -> str:
        """Return a page with its live cells, under a policy that knows its scripts."""
        book: Book = self.settings["book"]
        if page := book.page(place.relative_to(book.output).as_posix()):
            text = text.replace("</head>", live_head(page), 1)
        rules = policy(scripts_around(text), self.settings["door"].address)
        self.set_header("Content-Security-Policy", rules)
        return text


class Cells(Locked, WebSocketHandler):
    """Runs the cells of a page: ``{"run": code}`` and ``{"stop": true}`` come in.

    Before them must come ``{"key": key}``, which begins the session. Out go ``{"ready": true}``,
    ``{"output": {…}}`` and, after each run, ``{"done": how}``.
    """

    task: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """Refuse other origins, and who tells none: browsers always do."""
        if self.request.headers.get("Origin") != self.settings["door"].address:
            raise HTTPError(403)
        super().prepare()

    async def get(self, name: str) -> None:
        """Open the connection of a page that has cells."""
        book: Book = self.settings["book"]
        page = book.page(name)
        if not page:
            raise HTTPError(404)
        self.session = Session(page, book.limits, self.tell)
        await super().get(name)

    def open(self, *_: str) -> None:
        """Wait for the key, but not for long."""
        self.late = asyncio.get_running_loop().call_later(SLOW, self.close, LOCKED)

    def unlock(self, key: str) -> None:
        """Begin to serve the page for whoever has the key."""
        if not self.settings["door"].opens(key):
            self.close(LOCKED)
            return
        self.late.cancel()
        book: Book = self.settings["book"]
        self.task = asyncio.create_task(self.serve(book))
        book.tasks.add(self.task)
        self.task.add_done_callback(book.tasks.discard)

    async def serve(self, book: Book) -> None:
        """Serve the page until one of both ends, then say why."""
        code = DIED
        try:
            async with book.slot():
                await self.session.serve()
        except EndError as end:
            code = end.code
        except asyncio.CancelledError:
            code = LEAVING
            raise
        except Exception:
            logger.exception("the cells of %s can't be run", self.session.page.path)
        finally:
            self.close(code)

    async def tell(self, message: dict[str, Any]) -> None:
        """Send a message, no faster than it is read."""
        with suppress(WebSocketClosedError):
            writing = self.write_message(message)
            writing.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait([writing])  # cancelled, it leaves that alone: Tornado can't bear it

    async def on_message(self, message: str | bytes) -> None:
        """Do what is asked, but for a page that does not keep to the rules nothing more."""
        try:
            request = json.loads(message)
            match request:
                case {"key": str(key), **rest} if not rest and not self.task:
                    self.unlock(key)
                case _ if not self.task:
                    self.close(LOCKED)
                case {"run": str(code), **rest} if not rest:
                    code.encode()  # half a character, which JSON may hold, is a ValueError
                    self.session.run(code)
                case {"stop": True, **rest} if not rest:
                    await self.session.stop()
                case _:
                    self.close(MALFORMED)
        except (ValueError, RecursionError, asyncio.QueueFull):
            self.close(MALFORMED)

    def on_close(self) -> None:
        """End the kernel of a page that is gone."""
        self.late.cancel()
        if self.task:
            end(self.task)


def end(task: asyncio.Task[None]) -> None:
    """Cancel a task, but not the cleaning up of one that ends already."""
    if not task.cancelling():
        task.cancel()


def require_own(folder: Path) -> None:
    """Refuse a folder where another user could put a file, or a folder, in the place of ours."""
    if not hasattr(os, "geteuid"):
        return
    for place in (folder, *folder.parents):
        found = place.stat()
        shared = found.st_mode & stat.S_IWOTH or (
            found.st_mode & stat.S_IWGRP and not is_private_group(found.st_gid)
        )
        # in one such as /tmp, nobody moves what is another's
        kept = place != folder and found.st_mode & stat.S_ISVTX
        stranger = place.parent != place and found.st_uid not in {os.geteuid(), 0}
        if (shared and not kept) or stranger:
            raise DoorError(
                f"other users can write in {place}, and so could come in where you do: build the "
                "book into a folder below one that only you can write"
            )


def is_private_group(number: int) -> bool:
    """Whether a group is the one that many systems give each user alone, by the same name."""
    import grp  # noqa: PLC0415 (Windows has none)
    import pwd  # noqa: PLC0415

    with suppress(KeyError):
        return grp.getgrgid(number).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    return False


def door_words(settings: Settings) -> dict[str, str]:
    """Return what the pages around the book say, in its language."""
    return {"enter": html.escape(settings.words["enter"]), "language": settings.language}


def live_head(page: Page) -> str:
    """Return what makes the cells of a page run: the words, and the cells as its source has them.

    A cell is ``absent`` if a package that it needs is.
    """
    cells = [
        {"number": c.index, "code": c.source, "absent": bool(missing(c.requires))}
        for c in page.cells
    ]
    data = {"words": page.settings.words, "cells": cells}
    packed = json.dumps(data, ensure_ascii=False).replace("<", r"\u003c")
    return HEAD.substitute(own=OWN_PATH, data=packed)


def scripts_around(text: str) -> list[str]:
    """Return the inline scripts of a page's theme, and none that stands in what the page shows.

    That may hold any tag, but it lies between the first ``<main>`` and the last ``</main>``. Where
    the theme has no such element, all of the body counts as shown, or all from its ``role="main"``.
    """
    head = max(text.find("</head>"), 0)
    begin = CONTENT.search(text, head)
    before, after = text[: begin.start() if begin else head], ""
    if begin and begin[1]:
        after = text[head:].lower().rpartition(f"</{begin[1].lower()}")[2]
    return [script for part in (before, after) for script in SCRIPT.findall(part)]


def policy(scripts: Sequence[str], address: str) -> str:
    """Return a policy under which no script runs but files of this server and these."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = [f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    socket = address.replace("http", "ws", 1)
    return (
        f"default-src 'self'; script-src 'self'{''.join(hashes)}; style-src 'self' 'unsafe-inline';"
        f" img-src 'self' data:; font-src 'self' data:; connect-src 'self' {socket};"
        " object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def application(book: Book, door: Door) -> Application:
    """Return the server's routes, which are all there are."""
    files = {"path": str(FILES)}
    site = {"path": str(book.output), "default_filename": "index.html"}
    headers = HEADERS | {
        "Content-Security-Policy": policy([], door.address),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }
    return Application(
        [
            (f"{OWN_PATH}enter", Enter),
            (f"{OWN_PATH}(live\\.(?:js|css))", File, files),
            (f"{OWN_PATH}cells/(.+\\.html)", Cells),
            (r"/((?!_live/).*)", File, site),
        ],
        book=book,
        door=door,
        hosts=(door.address.removeprefix("http://"),),
        headers=headers,
        told={403: book.settings.words["locked"]},
        cookie_secret=secrets.token_bytes(32),  # the cookies of an earlier start are not good
        xsrf_cookies=True,  # no route takes a form of another site's, whichever may come
        log_function=lambda _: None,
        websocket_max_message_size=book.limits.code,
        websocket_ping_interval=PING,
    )


async def serve(book: Book, opened: Callable[[Door], None]) -> None:
    """Serve a book until this is cancelled; no kernel outlives it."""
    listener = listen()
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    door = Door(book.output.parent, address, book.settings)
    server = HTTPServer(
        application(book, door),
        max_body_size=FORM,
        body_timeout=SLOW,
        idle_connection_timeout=SLOW,
    )
    server.add_socket(listener)
    try:
        opened(door)
        await asyncio.Event().wait()
    finally:
        server.stop()
        door.file.unlink(missing_ok=True)
        tasks = list(book.tasks)
        for task in tasks:
            end(task)
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.close_all_connections()


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bookproof live",
        description="Open a built book with cells that run on this machine, for its user alone.",
    )
    parser.add_argument("source", type=Path, help="the folder of the pages' sources")
    parser.add_argument("output", type=Path, help="the folder of the HTML that was built")
    parser.add_argument("--no-browser", action="store_true", help="start no browser")
    options = parser.parse_args(arguments)
    if not (options.output / "index.html").is_file():
        parser.error(f"there is no index.html in {options.output}: build the book first")
    if not options.source.is_dir():
        parser.error(f"there is no folder {options.source}: name the one with the book's sources")
    log_to_terminal()
    settings = find_settings(options.source / "index")
    warm_up(settings.modules, settings.environment)

    def opened(door: Door) -> None:
        _end_when_told()
        sys.stdout.write(
            f"The book is open at {door.address}, for you alone. If no browser shows it, open this "
            f"file in one:\n  {door.file}\nCtrl-C ends it.\n"
        )
        sys.stdout.flush()
        if not options.no_browser:
            webbrowser.open(door.file.as_uri())

    try:
        asyncio.run(serve(Book(options.source, options.output, settings), opened))
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    except DoorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _end_when_told() -> None:
    """Clean up also when the system or a closed terminal ends this, as at Ctrl-C."""
    task = asyncio.current_task()
    if task and sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
