"""The server beside the editor: what it serves, to whom, and what it tells."""

import http.client
import io
import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from book_runs import until
from watching import Builds, told_of

from bookproof.server import pages, watched
from bookproof.words import WORDS

HTML = "<!doctype html><html><head><title>{}</title></head><body></body></html>"
SCRIPT = '<script type="module" src="/.book/watch.js"></script>\n</head>'


def data(page):
    """Return what a page tells its script."""
    return json.loads(re.search(r'id="book-watch-data">(.*?)</script>', page.decode())[1])


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
    return watched.Site(folder)


@pytest.fixture
def builds():
    return Builds()


@pytest.fixture
def server(site, builds):
    """Serve the site in another thread; return the port."""
    with told_of(site, builds) as port:
        yield port


@pytest.fixture
def ask(server):
    def ask(path, method="GET", **headers):
        with closing(http.client.HTTPConnection("127.0.0.1", server)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    return ask


def changed(before, after):
    """Return the files of which one of two states has none, or another one."""
    return sorted({name for name, _ in before["files"].items() ^ after["files"].items()})


def events(port):
    """Yield what the server tells."""
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", "/.book/events")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "text/event-stream"
        for line in answer:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


@pytest.mark.parametrize("path", ["/%00", "/page.html%00", "/%00.html"])
def test_a_name_that_no_file_can_have_is_a_wrong_request(ask, path, caplog):
    assert ask(path)[0] == 400
    assert not caplog.records


@pytest.mark.parametrize("path", ["/", "/index.html", "/part/page.html", "/?q=1"])
def test_pages_get_the_script_on_their_way_only(site, folder, ask, path):
    name = "part/page.html" if "part" in path else "index.html"
    before = (folder / name).read_bytes()
    status, body, headers = ask(path)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=UTF-8"
    start, _, end = before.decode().partition("</head>")
    assert body.decode().startswith(start)
    assert body.decode().endswith(SCRIPT + end)
    assert data(body) == {"files": site.files, "words": WORDS}
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


def test_a_page_that_is_not_there_yet_waits_for_it(ask):
    status, body, _ = ask("/later.html")
    assert status == 404
    assert "later.html" not in data(body)["files"]
    assert SCRIPT in body.decode()
    assert WORDS["no_page"] in body.decode()


@pytest.mark.parametrize("path", ["/../secret.html", "/%2e%2e/secret.html", "//secret.html"])
def test_what_lies_around_the_book_is_not_served(ask, path):
    assert b"secret" not in ask(path)[1]


@pytest.mark.parametrize(("path", "status"), [("/part", 301), (f"/{5000 * 'a'}", 404)])
def test_no_path_is_answered_with_a_fault(ask, capfd, path, status):
    assert ask(path)[0] == status
    assert capfd.readouterr().err == ""


def test_folders_are_not_listed(ask):
    status, body, _ = ask("/part/")
    assert status == 404
    assert b"<a" not in body
    assert b"page.html" not in body.partition(b"</head>")[2]
    assert ask("/part/", "HEAD")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_done_but_reading(ask, method):
    status, _, headers = ask("/", method)
    assert status == 405
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/", "/style.css", "/.book/watch.js", "/.book/events"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{}", "127.0.0.1", "[::1]:{}"])
def test_another_host_is_refused(server, ask, host, method, path):
    """A site can let its name lead to this machine, and then read what the server sends it."""
    status, body, _ = ask(path, method, Host=host.format(server))
    assert status == 403
    assert b"Home" not in body
    assert b"p {}" not in body


@pytest.mark.parametrize("hosts", [("127.0.0.1:{}", "a.example"), ("a.example", "127.0.0.1:{}")])
def test_who_names_two_hosts_names_none(server, hosts):
    with closing(http.client.HTTPConnection("127.0.0.1", server)) as connection:
        connection.putrequest("GET", "/", skip_host=True)
        for host in hosts:
            connection.putheader("Host", host.format(server))
        connection.endheaders()
        assert connection.getresponse().status in {400, 403}


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}"])
def test_this_host_is_served(server, ask, host):
    assert ask("/", Host=host.format(server))[0] == 200


def test_it_listens_to_this_machine_alone(server):
    listening = [c.laddr for c in psutil.Process().net_connections() if c.status == "LISTEN"]
    assert ("127.0.0.1", server) in listening
    assert {ip for ip, port in listening if port == server} == {"127.0.0.1"}


def test_other_sites_cannot_take_it_into_their_pages(ask):
    _, _, headers = ask("/")
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_another_port_is_taken_where_the_one_asked_for_is_not_free(site, server):
    with pages.listen(server) as second:
        assert second.getsockname()[0] == "127.0.0.1"
        assert second.getsockname()[1] != server


def test_events_tell_what_a_build_made_and_what_it_complained_of(server, folder, builds):
    told = events(server)
    first = next(told)
    assert first["files"].keys() == {"index.html", "part/page.html", "style.css"}
    assert first["messages"] == []
    (folder / "style.css").write_text("p { color: red }")
    (folder / "index.html").touch()
    builds.end_one({"place": "a.md:3", "level": "ERROR", "text": "wrong"})
    second = next(told)
    assert changed(first, second) == ["style.css"]
    assert second["messages"] == [{"place": "a.md:3", "level": "ERROR", "text": "wrong"}]
    (folder / "part/page.html").unlink()
    (folder / "new.html").write_text("new")
    builds.end_one()
    third = next(told)
    assert changed(second, third) == ["new.html", "part/page.html"]
    assert third["messages"] == []
    told.close()


def test_who_comes_late_learns_what_was_missed(server, site, folder, ask):
    shown = data(ask("/")[1])
    for name in ("style.css", "new.html"):
        (folder / name).write_text(name)
        site.note_build([])
    assert changed(shown, next(events(server))) == ["new.html", "style.css"]
    assert changed(data(ask("/")[1]), next(events(server))) == []


def test_a_tab_of_an_earlier_server_learns_what_has_changed_since(site, folder, ask):
    shown = data(ask("/")[1])
    (folder / "style.css").write_text("p { color: red }")
    with told_of(watched.Site(site.folder), Builds()) as port:
        assert changed(shown, next(events(port))) == ["style.css"]


def test_a_tab_that_was_closed_is_noticed(server, site):
    told = events(server)
    next(told)
    assert len(site.tabs) == 1
    told.close()
    until(lambda: not site.tabs)


def test_files_may_go_while_it_looks(site, folder, monkeypatch):
    read_bytes = Path.read_bytes

    def read_or_find_gone(path):
        if path.name == "style.css":
            path.unlink()
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read_or_find_gone)
    site.note_build([])
    assert site.files.keys() == {"index.html", "part/page.html"}
    shutil.rmtree(folder)
    site.note_build([])
    assert site.files == {}


def test_it_ends_with_the_builds(folder, capsys):
    build = json.dumps({"messages": []}) + "\n"
    watched.main(str(folder), "0", io.StringIO(build))
    assert capsys.readouterr().out.strip().isdecimal()
