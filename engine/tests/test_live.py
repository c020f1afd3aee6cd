"""Live cells are for the reader who sits at this machine, and for nobody else who can reach it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from types import SimpleNamespace

import psutil
import pytest
import websocket
import zmq
from book_project import cell, page
from book_runs import LEAVERS, sleepers, unique_seconds, until
from live_servers import PATIENCE, kernels, served

from bookproof.kernels import start as starting
from bookproof.kernels import warm
from bookproof.server import live, session
from bookproof.server.session import LARGEST, Limits
from bookproof.settings import Settings
from bookproof.words import WORDS

pytestmark = [
    pytest.mark.usefixtures("settled"),
    pytest.mark.skipif(not warm.FORKS, reason="these tests look for the forks of a template"),
]

HTML = "<html><head><title>Page</title><script>inline()</script></head><body></body></html>"
SITE = "http://127.0.0.1"
ROUTES = ("/", "/page.html", "/plain.txt", "/_live/live.js", "/_live/live.css", "/nothing.html")


class Reader:
    """Whoever asks the server, with whatever headers they please."""

    def __init__(self, server):
        self.server, self.port = server, int(server.door.address.rpartition(":")[2])
        self.cookie = self.key = ""

    def ask(self, path="/", method="GET", body=None, **headers):
        """Send a request; return the status, the headers and the text of the answer."""
        headers = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie, **headers}
        data = (body or "").encode()
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        ) as server:
            server.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if value:
                    server.putheader(name, value)
            if method in {"POST", "PUT", "PATCH"}:
                server.putheader("Content-Type", "application/x-www-form-urlencoded")
                server.putheader("Content-Length", str(len(data)))
            server.endheaders(data)
            answer = server.getresponse()
            return answer.status, answer.headers, answer.read().decode(errors="replace")

    def enter(self, secret=None, **headers):
        """Go through the door, as a form in a file does."""
        if secret is None:
            secret = self.server.secret
        body = f"secret={secret}"
        answer = self.ask("/_live/enter", "POST", body, **{"Origin": "null", **headers})
        if cookie := answer[1]["Set-Cookie"]:
            self.cookie = cookie.partition(";")[0]
            kept = re.search(r'localStorage.setItem\("book-live", "([\w-]{43})"\)', answer[2])
            self.key = kept[1] if kept else ""
        return answer

    def connect(self, name="page.html", **headers):
        """Open the WebSocket of a page, and unlock it, as its script does."""
        cells = self.knock(name, **headers)
        cells.send(json.dumps({"key": self.key}))
        return cells

    def knock(self, name="page.html", **headers):
        """Open the WebSocket of a page."""
        headers = {
            "Host": f"127.0.0.1:{self.port}",
            "Origin": f"{SITE}:{self.port}",
            "Cookie": self.cookie,
            **headers,
        }
        host, origin = headers.pop("Host"), headers.pop("Origin")
        connection = websocket.WebSocket()
        connection.settimeout(PATIENCE)
        try:
            connection.connect(
                f"ws://127.0.0.1:{self.port}/_live/cells/{name}",
                host=host,
                origin=origin,
                suppress_origin=not origin,
                header=[f"{name}: {value}" for name, value in headers.items() if value],
            )
        except websocket.WebSocketException:
            connection.shutdown()
            raise
        return Cells(connection)

    def refused(self, *arguments, **headers):
        """Return the status with which a WebSocket is refused."""
        with pytest.raises(websocket.WebSocketBadStatusException) as error:
            self.knock(*arguments, **headers).close()
        return error.value.status_code


class Cells:
    """The connection of a page."""

    def __init__(self, connection):
        self.connection, self.send = connection, connection.send

    def close(self):
        self.connection.close()
        self.connection.shutdown()

    def frame(self, kind):
        """Wait for a frame, but not for ever: a server that is silent still sends pings."""
        opcode, end = None, time.monotonic() + PATIENCE
        while opcode != kind:
            assert time.monotonic() < end, "nothing came but pings"
            opcode, frame = self.connection.recv_data_frame(control_frame=True)
        return frame.data

    def receive(self):
        return json.loads(self.frame(websocket.ABNF.OPCODE_TEXT))

    def run(self, code, meanwhile=lambda _: None):
        """Run code; return its outputs, and how it ended."""
        self.send(json.dumps({"run": code}))
        outputs = []
        while True:
            message = self.receive()
            if "done" in message:
                return outputs, message["done"]
            if output := message.get("output"):
                outputs.append(output)
                meanwhile(output)

    def closing(self):
        """Return the number with which the server closes."""
        code = self.frame(websocket.ABNF.OPCODE_CLOSE)[:2]
        self.close()
        return int.from_bytes(code)


def text(outputs):
    return "".join(output.get("text", "") for output in outputs)


def write_book(folder):
    """Write the source of a book and what could have been built from it; return both folders."""
    source, output = folder / "docs", folder / "_build" / "html"
    for name in (source / "part", output / "part"):
        name.mkdir(parents=True)
    needs = cell("import nowhere", head=":tags: [requires-nowhere]")
    (source / "page.md").write_text(page(cell("print('<1>')"), needs))
    (source / "part" / "page.md").write_text(page(cell("print(2)")))
    (source / "plain.md").write_text("# No cells\n")
    (source / "wrong.md").write_text(page("\n```{code-cell}\n"))
    (folder / "outside.md").write_text(page(cell("print('outside')")))
    for name in ("index", "page", "plain", "wrong", "part/page"):
        (output / f"{name}.html").write_text(HTML)
    (output / "plain.txt").write_text("plain")
    (folder / "_build" / "other.html").write_text("SECRET")
    return source, output


@pytest.fixture
def book(tmp_path):
    return live.Book(*write_book(tmp_path), Settings(modules=()))


@pytest.fixture
def server(book):
    with served(book) as server:
        yield server
    until(lambda: not kernels())


@pytest.fixture
def stranger(server):
    """Someone who has not come through the door."""
    return Reader(server)


@pytest.fixture
def reader(server):
    reader = Reader(server)
    assert reader.enter()[0] == 200
    return reader


@pytest.fixture
def limited(tmp_path):
    """Serve the book within other limits, with this `book_start`; return a reader who is inside."""
    with ExitStack() as stack:

        def serve(start="", **limits):
            settings = Settings(modules=(), start=start)
            book = live.Book(*write_book(tmp_path), settings, replace(Limits(), **limits))
            reader = Reader(stack.enter_context(served(book)))
            reader.enter()
            return reader

        yield serve
    until(lambda: not kernels())


# The door


def test_the_door_is_a_file_for_its_owner_alone_whoever_could_read_it_before(tmp_path):
    file = tmp_path / "live-8000.html"
    file.write_text("")
    file.chmod(0o644)
    assert live.Door(tmp_path, f"{SITE}:8000", Settings()).file == file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f'method="post" action="{SITE}:8000/_live/enter"' in file.read_text()


def test_nobody_who_makes_the_door_first_learns_the_secret(tmp_path):
    file = tmp_path / "live-8000.html"
    with file.open("w+") as made:  # as another user may, who keeps it open
        file.chmod(0o666)
        door = live.Door(tmp_path, f"{SITE}:8000", Settings())
        assert made.read() == ""
    assert door.secret in file.read_text()
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_a_door_in_a_folder_where_others_write_is_refused(tmp_path, mode, monkeypatch):
    monkeypatch.setattr(live, "is_private_group", lambda _: False)
    folder = tmp_path / "build"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(live.DoorError, match=f"other users can write in {folder}, and so could"):
        live.Door(folder, f"{SITE}:8000", Settings())
    assert list(folder.iterdir()) == []


def test_a_door_below_a_folder_where_others_move_things_is_refused(tmp_path):
    folder = tmp_path / "build"
    folder.mkdir(0o700)
    tmp_path.chmod(0o777)
    with pytest.raises(live.DoorError, match=f"other users can write in {tmp_path}, and so could"):
        live.Door(folder, f"{SITE}:8000", Settings())
    tmp_path.chmod(0o1777)  # as /tmp is, where nobody moves what is another's
    assert live.Door(folder, f"{SITE}:8000", Settings()).file.exists()


def test_the_secret_gives_a_cookie_and_is_good_for_one_use(server, stranger):
    secret = server.secret
    assert re.fullmatch(r"[\w-]{43}", secret)  # 32 bytes, which nobody guesses
    status, headers, said = stranger.enter(secret)
    assert status == 200
    [cookie] = headers.get_all("Set-Cookie")
    own = rf"book-live-{stranger.port}-[\w-]{{12}}=[^;]+; HttpOnly; Path=/; SameSite=Strict"
    assert re.fullmatch(own, cookie)
    assert f'<html lang="{Settings().language}">' in said
    assert f"<title>{Settings().words['enter']}</title>" in said
    assert secret not in said + str(headers)
    assert stranger.cookie.partition("=")[2] not in said
    assert server.secret != secret
    status, headers, _ = Reader(server).enter(secret)
    assert (status, headers["Set-Cookie"]) == (403, None)
    assert Reader(server).enter()[0] == 200  # the file has another one by now


def test_a_reader_whose_cookie_another_server_has_replaced_comes_in_again(reader):
    key, reader.cookie = reader.key, f"{reader.server.door.cookie}=of another server"
    assert reader.ask()[::2] == (403, WORDS["locked"])
    assert reader.enter()[0] == 200
    assert reader.ask()[0] == 200
    assert reader.key == key
    cells = reader.connect()
    assert text(cells.run("print(1)")[0]) == "1\n"
    cells.close()


def test_two_servers_have_cookies_of_names_that_nobody_else_gives(server, book):
    with served(live.Book(book.source, book.output, book.settings)) as other:
        names = {server.door.cookie, other.door.cookie}
    with served(live.Book(book.source, book.output, book.settings)) as later:
        names.add(later.door.cookie)
    assert len({name.rpartition("-")[2] for name in names}) == 3


def test_two_servers_of_a_book_have_a_door_each(server, book):
    with served(live.Book(book.source, book.output, book.settings)) as other:
        for one in (server, other):
            assert f'action="{one.door.address}/' in one.door.file.read_text()
            assert Reader(one).enter()[0] == 200
    assert not other.door.file.exists()
    assert Reader(server).enter()[0] == 200


@pytest.mark.parametrize("secret", ["", "x" * 43, "é"])
def test_a_wrong_secret_opens_nothing(server, stranger, secret):
    status, headers, _ = stranger.enter(secret)
    assert (status, headers["Set-Cookie"]) == (403, None)
    assert stranger.ask()[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": ""},
        {"Host": "evil.example"},
        {"Host": "localhost"},
    ],
)
def test_the_right_secret_from_elsewhere_is_not_taken(server, stranger, headers):
    secret = server.secret
    status, answered, _ = stranger.enter(secret, **headers)
    assert (status, answered["Set-Cookie"]) == (403, None)
    assert server.secret == secret


def test_a_form_that_is_too_large_is_not_read(stranger):
    with pytest.raises((http.client.HTTPException, ConnectionError)):  # noqa: PT012 (which of both is a race)
        status, _, _ = stranger.enter("x" * 100_000)
        if status in {400, 413}:
            raise ConnectionError


@pytest.mark.parametrize(
    "said",
    ["",
     "GET / HTTP/1.1\r\nHost: ",
     "POST /_live/enter HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50\r\n\r\nsecret="],
    ids=["nothing", "half a head", "half a body"],
)  # fmt: skip
def test_who_is_slow_to_ask_is_not_waited_for(book, monkeypatch, said):
    """Connections are few: who opens many and says nothing would keep the reader out."""
    monkeypatch.setattr(live, "SLOW", 0.1)
    with served(book) as server:
        host = server.door.address.removeprefix("http://")
        address, _, port = host.partition(":")
        with socket.create_connection((address, int(port)), PATIENCE) as connection:
            connection.sendall(said.format(host=host).encode())
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""


# Who may ask


def test_without_the_cookie_there_is_nothing(stranger):
    for path in ROUTES:
        status, headers, said = stranger.ask(path)
        assert (status, headers["Set-Cookie"]) == (403, None), path
        assert said == WORDS["locked"]
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert stranger.refused() == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "{name}=forged"},
        {"Cookie": "{name}={earlier}"},
        {"Authorization": "token {secret}"},
        {"Authorization": "token "},
    ],
)
def test_a_guessed_or_stale_cookie_or_a_token_is_of_no_use(book, stranger, headers):
    with served(live.Book(book.source, book.output, book.settings)) as other:
        before = Reader(other)
        before.enter()
    secret = stranger.server.door.secret  # the right one, but this is not the door
    values = {
        "name": stranger.server.door.cookie,
        "earlier": before.cookie.partition("=")[2],
        "secret": secret,
    }
    headers = {name: value.format(**values) for name, value in headers.items()}
    assert stranger.ask(**headers)[0] == 403
    assert stranger.ask(f"/?token={secret}", **headers)[0] == 403
    assert stranger.refused(**headers) == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost:{port}",
     "[::1]:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1:{port}@evil.example"],
)  # fmt: skip
def test_no_other_name_leads_here(reader, host):
    """A stranger's name can be made to mean 127.0.0.1, and is then the stranger's own origin."""
    host = host.format(port=reader.port)
    for path in ROUTES:
        assert reader.ask(path, Host=host)[0] in {400, 403}
    assert reader.refused(Host=host) in {400, 403}
    assert reader.refused(Host=host, Origin=f"http://{host}") in {400, 403}


@pytest.mark.parametrize(
    "origin",
    ["", "null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:1",
     "https://127.0.0.1:{port}", "http://localhost:{port}", "http://127.0.0.1:{port}.evil.example"],
)  # fmt: skip
def test_no_other_origin_opens_the_websocket(reader, monkeypatch, origin):
    assert reader.refused(Origin=origin.format(port=reader.port)) == 403
    monkeypatch.setattr(live.Cells, "check_origin", lambda *_: True)  # Tornado's, the second lock
    assert reader.refused(Origin=origin.format(port=reader.port)) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_else_can_be_done(reader, method):
    for origin in ("https://evil.example", "null", reader.server.door.address):
        for path in (*ROUTES, "/_live/cells/page.html", "/api/kernels"):
            status, headers, _ = reader.ask(path, method, "{}", Origin=origin)
            assert status in {403, 404, 405}, (path, origin)
            assert not [name for name in headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_form_needs_more_than_the_cookie(reader, method):
    """Whatever a later route may do, a browser that is led to it does not do it unasked."""
    for path in ROUTES:
        assert reader.ask(path, method, "{}", Origin=reader.server.door.address)[0] == 403, path


# The key: a thief has the cookie, which other servers of this machine are sent


@pytest.mark.parametrize(
    "message",
    ['{"run": "print(1)"}', '{"stop": true}', '{"key": ""}', '{"key": "guess"}', '{"key": "é"}',
     '{"key": {earlier}}', '{"key": {key}, "run": "1"}', "{}"],
)  # fmt: skip
def test_the_cookie_alone_runs_nothing(book, reader, message):
    with served(live.Book(book.source, book.output, book.settings)) as other:
        before = Reader(other)
        before.enter()
    message = message.replace("{earlier}", f'"{before.key}"').replace("{key}", f'"{reader.key}"')
    cells = reader.knock()
    cells.send(message)
    assert cells.closing() == 4006
    assert not kernels()
    assert not reader.server.book.tasks


def test_a_key_that_does_not_come_is_not_waited_for(reader, monkeypatch):
    monkeypatch.setattr(live, "SLOW", 0.1)
    assert reader.knock().closing() == 4006


def test_the_key_is_told_at_the_door_only(reader):
    assert len(reader.key) == 43
    for path in (*ROUTES, "/part/page.html", "/_live/enter"):
        _, headers, said = reader.ask(path)
        assert reader.key not in said + str(headers)
    assert reader.key not in reader.server.door.file.read_text()


# What there is


def test_a_page_with_cells_gets_them_and_no_file_is_changed(reader, book):
    status, headers, html = reader.ask("/page.html")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=UTF-8"
    data = re.search(r'<script type="application/json" id="book-live">(.*?)</script>', html)[1]
    assert "<" not in data
    cells = [
        {"number": 1, "code": "print('<1>')", "absent": False},
        {"number": 2, "code": "import nowhere", "absent": True},
    ]
    assert json.loads(data) == {"words": WORDS, "cells": cells}
    assert (book.output / "page.html").read_text() == HTML
    status, _, html = reader.ask("/part/page.html")
    assert '[{"number": 1, "code": "print(2)", "absent": false}]' in html


def test_a_page_without_cells_is_as_it_was_built(reader):
    for path in ("/", "/index.html", "/plain.html", "/wrong.html"):
        assert reader.ask(path)[::2] == (200, HTML), path
    assert reader.ask("/plain.txt")[::2] == (200, "plain")


@pytest.mark.parametrize("path", ROUTES)
def test_what_is_answered_is_for_this_site_and_lets_nothing_run_but_what_was_built(reader, path):
    _, headers, _ = reader.ask(path, Origin="https://evil.example")
    assert not [name for name in headers if name.startswith("Access-Control")]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Etag"] is None
    policy = headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    scripts, *digests = directives.pop("script-src").split()
    assert scripts == "'self'"
    assert all(re.fullmatch(r"'sha256-[\w+/]{43}='", digest) for digest in digests)
    assert directives == {
        "default-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",  # the measures of formulas and the colours of plots
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "connect-src": f"'self' ws://127.0.0.1:{reader.port}",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    of_inline = "'sha256-fyoFIuhHbxPnDkt80oY6VkZ+KzhXiXlo1mBKEtnhf54='"
    assert digests[:1] == ([of_inline] if path in {"/", "/page.html"} else [])


SHOWN = "<p><script>shown()</script></p>"
OUTPUT = "</div></main></article></body><script>shown()</script><main role=main><article>"


@pytest.mark.parametrize(
    ("body", "own"),
    [
        (f"<script>b()</script><main>{SHOWN}{OUTPUT}</main><script>c()</script>", ["b()", "c()"]),
        (f"<article role='main'>{SHOWN}{OUTPUT}</article><SCRIPT >c()</SCRIPT>", ["c()"]),
        (f"<script>b()</script><div role='main'>{SHOWN}{OUTPUT}</div><script>c()</script>",
         ["b()"]),
        (f"<script>b()</script>{SHOWN}</main><script>c()</script>", []),
    ],
)  # fmt: skip
def test_no_script_runs_that_stands_in_what_a_page_shows(reader, book, body, own):
    """A cell's HTML may be anybody's, and what runs in a page can run cells."""
    built = f"<html><head><script>a()</script></head><body>{body}</body></html>"
    (book.output / "plain.html").write_text(built)
    policy = reader.ask("/plain.html")[1]["Content-Security-Policy"]
    found = re.findall(r"'sha256-([\w+/=]+)'", policy)
    digests = [hashlib.sha256(script.encode()).digest() for script in ["a()", *own]]
    assert found == [base64.b64encode(digest).decode() for digest in digests]


def test_scripts_are_scripts_whatever_the_machine_takes_them_for(reader, monkeypatch):
    monkeypatch.setattr("mimetypes.guess_type", lambda *_: ("text/plain", None))
    assert reader.ask("/_live/live.js")[1]["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    ["/../other.html", "/%2e%2e/other.html", "/..%2fother.html", "/%2e%2e%2fother.html",
     "/%252e%252e/other.html", "/..\\other.html", "/..%5cother.html", "//etc/passwd",
     "/%2fetc%2fpasswd", "/part/../../other.html", "/part/%2e%2e/%2e%2e/other.html",
     "/page.html%00", "/%00", "/../live-{port}.html", "/%2e%2e/live-{port}.html", "/_live/live.py",
     "/_live/session.py", "/_live/../live.py", "/_live/..%2flive.py", "/_live/live.js/../live.py",
     "/_live/", "/_live/live.css%2f..%2flive.py"],
)  # fmt: skip
def test_no_path_leads_out_of_the_book(server, reader, path):
    status, _, said = reader.ask(path.replace("{port}", str(reader.port)))
    assert status in {400, 403, 404}
    for secret in ("SECRET", "root:", "import", server.secret):
        assert secret not in said


@pytest.mark.parametrize(
    "name",
    ["../outside.html", "..%2foutside.html", "%2e%2e/outside.html", "%2e%2e%2foutside.html",
     "part/../../outside.html", "plain.html", "nothing.html", "wrong.html", "page.md", "page.html/",
     "%00.html", "page%00.html", "../_live/enter", ".html", "%2fetc%2fpasswd.html"],
)  # fmt: skip
def test_only_pages_with_cells_have_a_websocket(reader, name):
    assert reader.refused(name) in {400, 403, 404}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/part", 301), ("/latin.html", 200), (f"/{2000 * 'a'}", 404), (f"/{300 * 'a'}.html", 404),
     ("/part/", 404), ("/nothing%1b%0a", 404), ("/_live/cells/page.html", 400)],
)  # fmt: skip
def test_no_path_is_answered_with_a_fault(reader, book, caplog, path, status):
    (book.output / "latin.html").write_bytes("<html><head></head>é</html>".encode("latin-1"))
    assert reader.ask(path, Origin=reader.server.door.address)[0] == status
    assert reader.refused(f"{300 * 'a'}.html") == 404
    assert not [record for record in caplog.records if record.exc_info]


def test_each_start_signs_its_cookies_anew(server):
    """A later start may have the port of an earlier one, and so the name of its cookie."""
    keys = {live.application(server.book, server.door).settings["cookie_secret"] for _ in range(2)}
    assert [len(key) for key in keys] == [32, 32]


def test_the_routes_are_these(server):
    application = live.application(server.book, server.door)
    handlers = [rule.target for rule in application.wildcard_router.rules]
    assert handlers == [live.Enter, live.File, live.Cells, live.File]
    assert len(application.default_router.rules) == 1


# Cells


@pytest.fixture
def cells(reader):
    cells = reader.connect()
    yield cells
    cells.close()


def test_cells_run_where_the_page_is_and_keep_what_they_made_but_no_history(cells, book):
    assert cells.run("import os\nx = 1\nprint(os.getcwd(), os.environ.get('PWD'))") == (
        [{"kind": "stdout", "text": f"{book.source} {book.source}\n"}], "done"
    )  # fmt: skip
    assert cells.run("x + 1") == ([{"kind": "result", "text": "2"}], "done")
    history = cells.run("get_ipython().history_manager.hist_file")
    assert history == ([{"kind": "result", "text": "':memory:'"}], "done")


def test_outputs_are_text_or_pictures(cells):
    code = (
        "import sys\nfrom IPython.display import HTML, SVG, display, clear_output\n"
        "kernel, odd = get_ipython().kernel, {'name': '\"><b>', 'text': 'odd'}\n"
        "kernel.send_response(kernel.iopub_socket, 'stream', odd)\n"
        "print('\\x1b[31mred\\x1b[0m', file=sys.stderr)\n"
        "display(HTML('<script>alert(1)</script>'))\n"
        "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>'))\n"
        "display({'image/png': 'AAAA\"><b>', 'text/plain': 'a picture'}, raw=True)\n"
        "display({'text/html': '<b>', 'text/plain': 7}, raw=True)\n"
        "handle = display('before', display_id='a')\nhandle.update('after')\n"
        "clear_output()\n"
    )
    outputs, done = cells.run(code)
    assert done == "done"
    assert outputs[0] == {"kind": "stdout", "text": "odd"}  # a stream is one of two
    assert outputs[1] == {"kind": "stderr", "text": "red\n"}
    assert outputs[2] == {"kind": "result", "text": "<IPython.core.display.HTML object>"}
    assert outputs[3]["image"].startswith("data:image/svg+xml;base64,")
    assert outputs[4] == {
        "kind": "result", "image": "data:image/png;base64,AAAAb", "text": "a picture"
    }  # fmt: skip
    assert outputs[5] == {"kind": "result", "text": "7"}
    assert outputs[6:] == [
        {"kind": "result", "text": "'before'", "name": "a"},
        {"kind": "result", "text": "'after'", "name": "a"},
        {"kind": "clear"},
    ]


def test_an_error_is_told_and_the_kernel_goes_on(cells):
    outputs, done = cells.run("1 / 0")
    assert done == "failed"
    assert outputs[-1]["kind"] == "error"
    assert "ZeroDivisionError: division by zero" in text(outputs)
    assert "\x1b" not in text(outputs)
    assert cells.run("def")[1] == "failed"
    assert cells.run("input()")[1] == "failed"
    assert cells.run("print(3)") == ([{"kind": "stdout", "text": "3\n"}], "done")


def test_cells_run_after_what_the_book_starts_with(limited):
    cells = limited(start="print('hidden')\nimport sys\nsys.begun = 3").connect()
    assert cells.run("import sys; sys.begun") == ([{"kind": "result", "text": "3"}], "done")
    cells.close()


def test_a_failing_book_start_is_told_and_keeps_cells_from_running(limited, tmp_path):
    cells = limited(start="open('there').read()").connect()
    for _ in range(2):  # as long as it fails
        outputs, done = cells.run("print(1)")
        assert done == "failed"
        assert [output["kind"] for output in outputs] == ["error"]
        assert text(outputs).startswith("book_start failed: FileNotFoundError: ")
    (tmp_path / "docs" / "there").touch()
    assert cells.run("print(1)") == ([{"kind": "stdout", "text": "1\n"}], "done")
    cells.close()


def test_a_book_start_that_runs_away_is_stopped(limited, tmp_path):
    begun = tmp_path / "docs" / "begun"
    cells = limited(start=f"open('begun', 'w').close()\n{ENDLESS}").connect()
    cells.send(json.dumps({"run": "print(1)"}))
    until(begun.exists)
    cells.send('{"stop": true}')
    assert [cells.receive(), cells.receive()] == [{"ready": True}, {"done": "stopped"}]
    cells.close()


def test_a_cell_that_runs_away_is_stopped(cells):
    loop = "x = 1\nprint('started', flush=True)\nwhile True: pass"
    outputs, done = cells.run(loop, lambda _: cells.send('{"stop": true}'))
    assert (text(outputs), done) == ("started\n", "stopped")
    assert cells.run("x")[0] == [{"kind": "result", "text": "1"}]
    cells.send('{"stop": true}')  # there is nothing to stop
    assert cells.run("x")[0] == [{"kind": "result", "text": "1"}]


def test_a_stop_that_comes_before_the_kernel_has_begun_is_heeded(reader):
    cells = reader.connect()
    for waiting in (True, False):  # the kernel is not there yet, and it is
        cells.send(json.dumps({"run": "while True: pass"}))
        cells.send('{"stop": true}')
        assert not waiting or cells.receive() == {"ready": True}
        while "output" in (told := cells.receive()):
            assert "was never awaited" in told["output"]["text"]  # ipykernel's own call, cut short
        assert told == {"done": "stopped"}
    assert cells.run("print(1)")[1] == "done"
    cells.close()


def test_a_stop_is_not_repeated_to_a_cell_that_has_heard_it(book):
    """A kernel that is interrupted while it tells of an interrupt tells of a bug in IPython."""
    asked = session.Session(book.page("page.html"), Limits(), print)
    before = {"header": {"date": datetime.now(UTC)}}
    asyncio.run(asked.stop())
    after = {"header": {"date": datetime.now(UTC)}}
    assert not asked.was_too_early(before)
    assert asked.was_too_early(after)
    asked.run("print(1)")
    assert not asked.was_too_early(after)


IMMORTAL = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
ENDLESS = "while True: pass"


def run_on(reader):
    """Run a cell that heeds nothing and has started what sleeps for so many seconds."""
    seconds = unique_seconds()
    cells = reader.connect()
    cells.send(json.dumps({"run": IMMORTAL + LEAVERS.format(seconds=seconds) + ENDLESS}))
    assert cells.receive() == {"ready": True}
    assert cells.receive()["output"]["text"] == "on\n"
    return cells, seconds


def test_a_cell_that_heeds_nothing_ends_with_its_page_and_with_what_it_has_started(reader):
    cells, seconds = run_on(reader)
    cells.send('{"stop": true}')
    family = kernels()
    assert family
    cells.connection.shutdown()  # as a browser that is killed
    until(lambda: not any(process.is_running() for process in family) and not sleepers(seconds))
    again = reader.connect()
    assert again.run("print(1)")[1] == "done"
    again.close()


def test_a_page_that_is_closed_at_once_leaves_nothing(reader, server):
    for _ in range(5):
        reader.connect().close()
    cells = reader.connect()
    cells.send('{"run": "print(1)"}')
    cells.close()
    until(lambda: not kernels() and not server.book.tasks)


def test_a_start_that_is_left_half_way_is_finished_and_undone(book, monkeypatch):
    happened = []

    async def leave():
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def start(*_):
            begun.set()
            await go_on.wait()
            happened.append("started")
            return SimpleNamespace(stop_channels=lambda: happened.append("stopped"))

        monkeypatch.setattr(session, "start_kernel", start)
        page = session.Session(book.page("page.html"), Limits(), happened.append)
        serving = asyncio.create_task(page.serve())
        await begun.wait()
        serving.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait([serving])
        assert serving.cancelled()

    asyncio.run(leave())
    assert happened == ["started", "stopped"]


def test_each_page_has_a_kernel_of_its_own(reader):
    one, other = reader.connect(), reader.connect("part/page.html")
    assert one.run("x = 1")[1] == "done"
    assert other.run("import os; print(os.path.basename(os.getcwd()), 'x' in globals())")[0] == [
        {"kind": "stdout", "text": "part False\n"}
    ]
    assert len(kernels()) == 2
    one.close()
    until(lambda: len(kernels()) == 1)
    other.close()


# Malformed messages


@pytest.mark.parametrize(
    "message",
    ["{", "[]", '{"run": 1}', '{"stop": false}', '{"run": "1", "stop": true}', '{"more": 1}',
     '{"key": "another"}', '{"run": "\\ud800"}', "[" * 100_000],
    ids=lambda message: message[:20],
)  # fmt: skip
def test_a_malformed_message_ends_the_connection(reader, message):
    cells = reader.connect()
    cells.send(message)
    assert cells.closing() == live.MALFORMED
    until(lambda: not kernels())


def test_a_message_of_bytes_that_are_no_text_ends_the_connection(reader):
    cells = reader.connect()
    cells.connection.send_binary(b"\xff\xfe\x00")
    assert cells.closing() == live.MALFORMED
    broken = reader.connect()
    broken.connection.send_frame(
        websocket.ABNF(1, 0, 0, 0, websocket.ABNF.OPCODE_TEXT, 1, b"\xff\xfe")
    )
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        broken.closing()
    broken.close()
    until(lambda: not kernels())


def test_a_message_that_is_too_large_ends_the_connection(limited):
    reader = limited(code=1000)
    cells = reader.connect()
    assert cells.run("#" * 900)[1] == "done"
    with suppress(ConnectionError):
        cells.send(json.dumps({"run": "#" * 1000}))
    assert cells.closing() == 1009


def test_runs_do_not_pile_up(reader):
    cells = reader.connect()
    for _ in range(5):
        cells.send('{"run": "import time; time.sleep(1000)"}')
    assert cells.closing() == live.MALFORMED
    until(lambda: not kernels())


# Limits


def test_the_kernels_are_few(limited, monkeypatch):
    reader = limited(kernels=2)
    monkeypatch.setattr(live, "SLOT_SECONDS", 0.1)
    one, two = reader.connect(), reader.connect()
    assert one.run("1")[1] == two.run("1")[1] == "done"
    assert reader.connect().closing() == 4003
    assert len(kernels()) == 2
    monkeypatch.setattr(live, "SLOT_SECONDS", PATIENCE)
    three = reader.connect()
    one.close()  # which makes room
    assert three.run("1")[1] == "done"
    for cells in (two, three):
        cells.close()


def test_an_idle_kernel_ends(limited):
    cells = limited(idle=0.2).connect()
    assert cells.run("import time; time.sleep(0.5)")[1] == "done"  # that is not idle
    assert cells.closing() == 4000
    until(lambda: not kernels())


def test_a_page_that_answers_no_ping_is_gone(limited, monkeypatch):
    monkeypatch.setattr(live, "PING", 0.1)
    cells = limited().connect()
    monkeypatch.setattr(cells.connection, "pong", lambda _: None)
    assert cells.closing() == 1000
    until(lambda: not kernels())


@pytest.mark.parametrize("ends", [False, True], ids=["read", "never read"])
def test_a_page_is_told_no_faster_than_it_reads(ends):
    """If its time ends meanwhile, what Tornado is about to write is left to Tornado."""

    async def tell():
        read = asyncio.Future()
        page = SimpleNamespace(write_message=lambda _: read)
        telling = asyncio.create_task(live.Cells.tell(page, {}))
        await asyncio.sleep(0)
        assert not telling.done()
        if ends:
            telling.cancel()
        else:
            read.set_result(None)
        await asyncio.wait([telling])
        assert (telling.cancelled(), read.cancelled()) == (ends, False)

    asyncio.run(tell())


def test_the_server_holds_few_and_small_messages_of_a_kernel():
    """More of them wait in the kernel, whose memory is bounded."""
    client = session.BoundedKernelClient()
    with closing(client.context.socket(zmq.SUB)) as channel:
        assert channel.rcvhwm * channel.maxmsgsize <= 1 << 28
    client.context.term()


def test_a_kernel_that_does_not_start_is_not_waited_for(limited, monkeypatch, tmp_path):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "hangs.py").write_text("while True: pass")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(starting, "KERNEL_SECONDS", 0.1)
    cells = limited().connect()
    assert cells.closing() == 4001
    until(lambda: not kernels())


def test_a_cell_ends_with_its_time(limited):
    cells = limited(run=0.3).connect()
    cells.send(json.dumps({"run": ENDLESS}))
    assert cells.closing() == 4002
    until(lambda: not kernels())


def test_a_kernel_has_so_much_memory(limited):
    cells = limited(memory=1 << 30).connect()
    outputs, done = cells.run("x = bytearray(2 << 30)")
    assert done == "failed"
    assert "MemoryError" in text(outputs)
    assert cells.run("x = bytearray(1 << 20)")[1] == "done"
    code = "import resource\nresource.getrlimit(resource.RLIMIT_DATA)"
    assert cells.run(code)[0] == [{"kind": "result", "text": f"({1 << 30}, {1 << 30})"}]
    cells.close()


def test_a_kernel_and_what_it_has_started_hold_so_much_memory(limited, monkeypatch):
    """Shared memory is not what a process allocates."""
    monkeypatch.setattr(session, "LOOK", 0.05)
    cells = limited(memory=512 << 20, together=512 << 20).connect()
    share = "import mmap\nx = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): x[i] = 1"
    cells.send(json.dumps({"run": share}))
    cells.receive()
    assert cells.closing() == 4005
    until(lambda: not kernels())


def test_a_kernel_starts_so_many_processes(limited, monkeypatch):
    monkeypatch.setattr(session, "LOOK", 0.05)
    cells = limited(processes=5).connect()
    start = "import subprocess\nx = [subprocess.Popen(['sleep', '1000']) for _ in range({})]"
    assert cells.run(start.format(3))[1] == "done"
    cells.send(json.dumps({"run": start.format(5)}))
    assert cells.closing() == 4005
    until(lambda: not kernels())


def test_what_nobody_has_expected_is_logged(reader, monkeypatch, caplog):
    async def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(session, "start_kernel", fail)
    assert reader.connect().closing() == 4001
    assert "page.md can't be run" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_kernel_that_has_died_can_be_stopped(reader, caplog, monkeypatch):
    stopped, is_alive = threading.Event(), session.BoundedKernelClient.is_alive

    async def is_alive_later(client):  # or the connection is closed before it is asked to stop
        await asyncio.to_thread(stopped.wait, PATIENCE)
        return await is_alive(client)

    cells = reader.connect()
    cells.run("1")
    monkeypatch.setattr(session.BoundedKernelClient, "is_alive", is_alive_later)
    cells.send(json.dumps({"run": "import os; os._exit(1)"}))
    until(lambda: not kernels())
    cells.send('{"stop": true}')
    stopped.set()
    assert cells.closing() == 4001
    assert not caplog.records


@pytest.mark.parametrize(
    "code",
    ["while True: print(100 * 'x')", "print(30_000_000 * 'x')", "while True: display('x')",
     "display({'image/png': 3_000_000 * 'A'}, raw=True)",
     "while True: display({'image/png': 'A', 'text/plain': 100_000 * 'x'}, raw=True)",
     "display('x', display_id=3_000_000 * 'a')"],
)  # fmt: skip
def test_a_cell_that_puts_out_too_much_is_cut_and_stopped(reader, code, monkeypatch):
    monkeypatch.setattr(session, "RECOVERY_SECONDS", PATIENCE)  # not what a busy machine takes
    cells = reader.connect()
    outputs, done = cells.run(code)
    sizes = [sum(map(len, output.values())) for output in outputs]
    assert sum(sizes) <= Limits().output
    assert len(sizes) <= Limits().output // 1000 + 1
    assert done == "cut"
    assert cells.run("print(1)") == ([{"kind": "stdout", "text": "1\n"}], "done")
    cells.close()


class SilentClient:
    """A client of a kernel that has lost a reply, and answers what it is asked after it."""

    def __init__(self):
        self.answers = []

    def kernel_info(self):
        self.answers.append({"parent_header": {"msg_id": "later"}})
        return "later"

    async def get_iopub_msg(self, **_):
        raise Empty

    async def get_shell_msg(self, **_):
        if self.answers:
            return self.answers.pop()
        raise Empty

    async def is_alive(self):
        return True

    async def wait_for_ready(self, _):
        """Hear from the kernel again."""


def test_a_reply_that_a_stop_has_swallowed_is_not_waited_for():
    async def messages():
        return [message async for message in session.outputs_and_reply(SilentClient(), "request")]

    (reply,) = asyncio.run(messages())
    assert session.how_it_ended(reply["content"]) == "stopped"
    assert reply["lost"]


class HastyClient(SilentClient):
    """A client whose replies come before the outputs that the kernel wrote before them."""

    def __init__(self):
        super().__init__()
        self.answers = [{"parent_header": {"msg_id": "request"}, "content": {"status": "ok"}}]
        stream = {"msg_type": "stream", "content": {"name": "stdout", "text": "1"}}
        self.outputs = [stream, {"msg_type": "status", "content": {"execution_state": "idle"}}]

    async def get_iopub_msg(self, **_):
        if self.answers:  # a cell that has been silent for long
            raise Empty
        return {"parent_header": {"msg_id": "request"}, **self.outputs.pop(0)}


def test_a_reply_that_comes_before_its_outputs_does_not_count_them_as_lost():
    async def messages():
        return [message async for message in session.outputs_and_reply(HastyClient(), "request")]

    stream, reply = asyncio.run(messages())
    assert stream["content"]["text"] == "1"
    assert session.how_it_ended(reply["content"]) == "done"
    assert not reply["lost"]


def test_an_output_that_no_server_should_hold_ends_the_kernel(reader, monkeypatch):
    monkeypatch.setattr(session, "RECOVERY_SECONDS", 0.1)
    cells = reader.connect()
    cells.send(json.dumps({"run": f"print({LARGEST} * 'x')"}))
    assert cells.closing() == 4004
    until(lambda: not kernels())


# The command


CONF = "language = 'fr'\nbook_modules = []\nbook_words = {'enter': 'Ouvrir <ici>'}\n"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start the command; its browser is a script that notes how it was called."""
    source, output = write_book(tmp_path)
    (source / "conf.py").write_text(CONF)
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\ntr '\\0' ' ' </proc/$$/cmdline >'{tmp_path}/called.new'\n"
                       f"mv '{tmp_path}/called.new' '{tmp_path}/called'\n")  # fmt: skip
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    processes = []

    def start(*options, ulimit=""):
        command = [sys.executable, "-m", "bookproof", "live", *options, str(source), str(output)]
        if ulimit:
            command = ["sh", "-c", f'ulimit {ulimit}; exec "$@"', "sh", *command]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        processes.append(process)
        process.said = "".join(process.stdout.readline() for _ in range(3))
        address = re.search(r"http://[\d.:]+", process.said)[0]
        process.door = live.Door.__new__(live.Door)
        file = re.search(r"/\S+/live-\d+\.html", process.said)[0]
        process.door.address, process.door.file = address, Path(file)
        process.secret = re.search(r'value="([^"]+)"', process.door.file.read_text())[1]
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_outlives_the_server(start, number):
    process = start("--no-browser")
    reader = Reader(process)
    assert reader.enter()[0] == 200
    cells, seconds = run_on(reader)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2  # the template and its kernel
    process.send_signal(number)
    _, complaints = process.communicate(timeout=PATIENCE)
    assert not psutil.wait_procs(family, PATIENCE)[1]
    until(lambda: not sleepers(seconds))
    cells.connection.shutdown()
    assert not complaints
    if number != signal.SIGKILL:
        assert process.returncode == 0
        assert not process.door.file.exists()


def test_a_lower_limit_of_the_system_is_kept(start):
    reader = Reader(start("--no-browser", ulimit=f"-d {1 << 20}"))
    reader.enter()
    code = "import resource\nresource.getrlimit(resource.RLIMIT_DATA)"
    limits = f"({1 << 30}, {1 << 30})"
    cells = reader.connect()
    assert cells.run(code)[0] == [{"kind": "result", "text": limits}]
    cells.close()


def test_a_terminal_is_not_told_what_to_do(start):
    process = start("--no-browser")
    reader = Reader(process)
    reader.enter()
    assert reader.ask("/%1b%5b2J%0aERROR%c2%9b%e2%80%ae")[0] == 404
    assert reader.ask("/..%2f%1b%5b2J")[0] == 403
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=PATIENCE)
    assert all(line.isprintable() for line in complaints.splitlines())
    assert not [line for line in complaints.splitlines() if line.startswith("ERROR")]
    assert r"\x1b[2J" in complaints


def test_the_secret_is_in_the_file_and_nowhere_else(start, tmp_path):
    process = start()
    door = process.door.file.read_text()
    assert '<html lang="fr">' in door
    assert "<button>Ouvrir &lt;ici&gt;</button>" in door  # the book says it in its own words
    called = tmp_path / "called"
    until(called.exists)
    assert called.read_text().split()[-1] == process.door.file.as_uri()
    reader = Reader(process)
    secrets = {process.secret}
    assert reader.enter()[0] == 200
    secrets |= {re.search(r'value="([^"]+)"', process.door.file.read_text())[1]}
    secrets |= {reader.cookie.partition("=")[2], reader.key}
    for path in (*ROUTES, "/?token=x"):
        said = reader.ask(path)[2]
        assert not [secret for secret in secrets if secret in said]
    Reader(process).ask(f"/?token={process.secret}")  # a fault of theirs, and no reason to log it
    reader.enter("wrong")
    reader.ask(Cookie="book-live-1=x", Host="evil.example")
    process.send_signal(signal.SIGINT)
    rest, complaints = process.communicate(timeout=PATIENCE)
    for said in (process.said, rest, complaints, called.read_text()):
        assert not [secret for secret in secrets if secret in said]


def test_it_listens_on_this_machine_alone_and_a_kernel_has_no_port(start):
    server = start("--no-browser")
    reader = Reader(server)
    assert reader.enter()[0] == 200
    cells = reader.connect()
    assert cells.run("1")[1] == "done"
    process = psutil.Process(server.pid)
    family = process.children(recursive=True)
    assert len(family) >= 2  # the template and its kernel
    listening = [c.laddr for c in process.net_connections() if c.status == "LISTEN"]
    assert listening == [("127.0.0.1", reader.port)]
    for one in family:  # ipykernel takes there what forks print, from those who know a secret
        assert [c.laddr.ip for c in one.net_connections()] in ([], ["127.0.0.1"])
    cells.close()


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (("docs", "nothing"), "there is no index.html in nothing: build the book first"),
        (("nothing", "_build/html"), "there is no folder nothing: name the one with the book's"),
    ],
)
def test_what_is_missing_is_named(tmp_path, monkeypatch, capsys, names, error):
    write_book(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        live.main(names)
    assert ended.value.code == 2
    assert error in capsys.readouterr().err
