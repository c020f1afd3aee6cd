"""The server beside the editor: what it serves, to whom, and what it tells."""

import http.client
import io
import json
import shutil
import sys
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from snn_docs.book import serve

HTML = "<!doctype html><html><head><title>{}</title></head><body></body></html>"
SCRIPT = b'<script type="module" src="/.book/watch.js?since=%d"></script></head>'


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "html"
    (folder / "part").mkdir(parents=True)
    (folder / "index.html").write_text(HTML.format("Home"))
    (folder / "part/page.html").write_text(HTML.format("頁"), encoding="utf-8")
    (folder / "style.css").write_text("p {}")
    (tmp_path / "secret.html").write_text("secret")
    return folder


@pytest.fixture
def site(folder):
    return serve.Site(folder)


@pytest.fixture
def server(site):
    with serve.listen(site, 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server):
    def ask(path, method="GET", **headers):
        with closing(http.client.HTTPConnection("127.0.0.1", server.server_port)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    return ask


def events(server, since):
    """Yield what the server tells."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port)) as connection:
        connection.request("GET", f"/.book/events?since={since}")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "text/event-stream"
        for line in answer:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


@pytest.mark.parametrize("path", ["/", "/index.html", "/part/page.html", "/?q=1"])
def test_pages_get_the_script_on_their_way_only(site, folder, ask, path):
    name = "part/page.html" if "part" in path else "index.html"
    before = (folder / name).read_bytes()
    status, body, headers = ask(path)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert body == before.replace(b"</head>", SCRIPT % site.stamp)
    assert (folder / name).read_bytes() == before


def test_other_files_are_sent_as_they_are_and_never_kept(ask):
    status, body, headers = ask("/style.css")
    assert (status, body) == (200, b"p {}")
    assert headers["Cache-Control"] == "no-store"
    stamp = headers["Last-Modified"]
    status, body, _ = ask("/style.css", **{"If-Modified-Since": stamp})
    assert (status, body) == (200, b"p {}")
    status, body, headers = ask("/.book/watch.js")
    assert status == 200
    assert headers["Content-Type"].startswith("text/javascript")


def test_a_page_that_is_not_there_yet_waits_for_it(site, ask):
    status, body, _ = ask("/later.html")
    assert status == 404
    assert SCRIPT % site.stamp in body


@pytest.mark.parametrize("path", ["/../secret.html", "/%2e%2e/secret.html", "//secret.html"])
def test_what_lies_around_the_book_is_not_served(ask, path):
    assert b"secret" not in ask(path)[1]


def test_folders_are_not_listed(ask):
    status, body, _ = ask("/part/")
    assert status == 404
    assert b"page.html" not in body
    assert ask("/part/", "HEAD")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_done_but_reading(ask, method):
    status, _, headers = ask("/", method)
    assert status == 501
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/", "/style.css", "/.book/watch.js", "/.book/events?since=0"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{}", "127.0.0.1", "[::1]:{}", ""])
def test_another_host_is_refused(server, ask, host, method, path):
    """A site can let its name lead to this machine, and then read what the server sends it."""
    status, body, _ = ask(path, method, Host=host.format(server.server_port))
    assert status == 403
    assert b"Home" not in body
    assert b"p {}" not in body


@pytest.mark.parametrize("hosts", [("127.0.0.1:{}", "a.example"), ("a.example", "127.0.0.1:{}")])
def test_who_names_two_hosts_names_none(server, hosts):
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port)) as connection:
        connection.putrequest("GET", "/", skip_host=True)
        for host in hosts:
            connection.putheader("Host", host.format(server.server_port))
        connection.endheaders()
        assert connection.getresponse().status == 403


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}"])
def test_this_host_is_served(server, ask, host):
    assert ask("/", Host=host.format(server.server_port))[0] == 200


def test_it_listens_to_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"


def test_other_sites_cannot_take_it_into_their_pages(ask):
    _, _, headers = ask("/")
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_another_port_is_taken_where_the_one_asked_for_is_not_free(site, server):
    with serve.listen(site, server.server_port) as second:
        assert second.server_port != server.server_port
        assert second.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("since", ["", "x", "-1", "1.5"])
def test_events_since_nothing_are_refused(ask, since):
    assert ask(f"/.book/events?since={since}")[0] == 400


def test_events_tell_which_files_a_build_changed_and_what_it_complained_of(server, site, folder):
    told = events(server, site.stamp)
    first = next(told)
    assert (first["changed"], first["messages"]) == ([], [])
    (folder / "style.css").write_text("p { color: red }")
    (folder / "index.html").touch()
    site.note_build([{"place": "a.md:3", "level": "ERROR", "text": "wrong"}])
    second = next(told)
    assert second["changed"] == ["style.css"]
    assert second["messages"] == [{"place": "a.md:3", "level": "ERROR", "text": "wrong"}]
    assert int(second["stamp"]) > int(first["stamp"])
    (folder / "part/page.html").unlink()
    (folder / "new.html").write_text("new")
    site.note_build([])
    third = next(told)
    assert third["changed"] == ["new.html", "part/page.html"]
    assert third["messages"] == []
    told.close()


def test_who_comes_late_learns_what_was_missed(server, site, folder):
    stamp = site.stamp
    for name in ("style.css", "new.html"):
        (folder / name).write_text(name)
        site.note_build([])
    assert next(events(server, stamp))["changed"] == ["new.html", "style.css"]
    assert next(events(server, site.stamp))["changed"] == []


def test_a_tab_of_an_earlier_server_loads_everything_anew(site):
    again = serve.Site(site.folder)
    assert again.state(site.stamp)["changed"] == ["index.html", "part/page.html", "style.css"]


def test_a_tab_that_was_closed_is_noticed(server, site, monkeypatch):
    monkeypatch.setattr(serve, "HEARTBEAT", 0.01)
    done = []
    send = serve.Handler._send_events  # noqa: SLF001 (it has no end that is seen from outside)

    def send_and_tell(handler, since):
        try:
            send(handler, since)
        finally:
            done.append(sys.exc_info()[0])

    monkeypatch.setattr(serve.Handler, "_send_events", send_and_tell)
    monkeypatch.setattr(server, "daemon_threads", False)  # so that closing it waits for them
    told = events(server, site.stamp)
    next(told)
    told.close()
    server.server_close()
    [error] = done
    assert issubclass(error, ConnectionError)


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError])
def test_only_a_fault_of_its_own_is_told(ask, monkeypatch, capfd, error):
    def fail(_):
        raise error

    monkeypatch.setattr(serve.Handler, "do_GET", fail)
    with pytest.raises(http.client.RemoteDisconnected):
        ask("/")
    assert (error.__name__ in capfd.readouterr().err) == (error is ValueError)


def test_files_may_go_while_it_looks(site, folder, monkeypatch):
    read_bytes = Path.read_bytes

    def read_or_find_gone(path):
        if path.name == "style.css":
            path.unlink()
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read_or_find_gone)
    stamp = site.stamp
    site.note_build([])
    assert site.state(stamp)["changed"] == ["style.css"]
    shutil.rmtree(folder)
    site.note_build([])
    assert "index.html" in site.state(stamp)["changed"]


def test_it_ends_with_the_builds(folder, capsys):
    build = json.dumps([]) + "\n"
    serve.main(str(folder), "0", io.StringIO(build))
    assert capsys.readouterr().out.strip().isdecimal()
