"""Live cells in the reader's hands, and a stranger's page open in the same browser."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import threading
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from audit import CHROMIUM, DESK, PHONE, violations
from book_project import cell
from book_project import page as write_page
from book_runs import until
from browsers import in_browser, needs_axe
from live_pages import DOCS, PAGE, SETTINGS, Cell, opened, unfold
from live_servers import kernels, served
from playwright.sync_api import expect, sync_playwright

from bookproof.kernels.warm import FORKS
from bookproof.server import live
from bookproof.words import WORDS

EVIL = "evil.example"
# What a page may not do, tried from another origin. Each attempt tells whether it came through.
ATTACKS = {
    "reads a page": "fetch(`${at}/if_pytorch.html`, { credentials: 'include' })"
    ".then(() => true, () => false)",
    "posts": "fetch(`${at}/_live/enter`, { method: 'POST', credentials: 'include', body: 'a' })"
    ".then(() => true, () => false)",
    "opens the websocket": "new Promise((done) => { const socket ="
    " new WebSocket(`${at.replace('http', 'ws')}/_live/cells/if_pytorch.html`);"
    " socket.onopen = () => done(true); socket.onerror = () => done(false) })",
    "loads a script": "new Promise((done) => { const script = document.createElement('script');"
    " script.onload = () => done(true); script.onerror = () => done(false);"
    " script.src = `${at}/_live/live.js`; document.head.append(script) })",
    "frames a page": "new Promise((done) => { const frame = document.createElement('iframe');"
    " frame.onload = () => { try { done(Boolean(frame.contentDocument?.body.innerHTML)) }"
    " catch { done(frame.contentWindow.length > 0) } };"
    " frame.src = `${at}/if_pytorch.html`; document.body.append(frame) })",
}

pytestmark = [
    *in_browser,
    pytest.mark.skipif(not FORKS, reason="these tests look for the forks of a template"),
]


@pytest.fixture(scope="module")
def server(own_site):
    with served(live.Book(DOCS, own_site, SETTINGS)) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server):
    """A page with cells."""
    with opened(browser, server) as page:
        page.goto(f"{server.door.address}/{PAGE}")
        unfold(page)
        yield page
    until(lambda: not kernels(SETTINGS.modules))


def test_the_book_says_everything_in_japanese():
    assert SETTINGS.words.keys() == WORDS.keys()
    for name, label in SETTINGS.words.items():
        assert re.search("[ぁ-んァ-ヶ一-龠]", label), name
        assert ("{n}" in label) == ("{n}" in WORDS[name]), name


def test_the_site_itself_knows_nothing_of_live_cells(built_site):
    for path in built_site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "live.js" not in text
        assert "book-live" not in text


# The door


def test_the_file_leads_in_and_leaves_no_trace(browser, server):
    context = browser.new_context()
    page = context.new_page()
    secret, key, requests = server.secret, server.door.key, []
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108 (it marks what it is given)
    page.goto(server.door.file.as_uri())
    page.wait_for_url(f"{server.door.address}/")
    page.goto(f"{server.door.address}/{PAGE}")
    [cookie] = [c for c in context.cookies() if c["name"].startswith("book-live")]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["expires"] == -1
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("localStorage.getItem('book-live')") == key
    for hidden in (secret, server.secret, key, cookie["value"]):
        assert hidden not in page.content()
        for request in requests:
            assert hidden not in request.url
            assert hidden not in request.headers.get("referer", "")
    [posted] = [request for request in requests if request.method == "POST"]
    assert secret in posted.post_data
    places = page.context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]
    assert places[-1]["url"] == f"{server.door.address}/{PAGE}"
    for place in places:
        assert not urlsplit(place["url"]).query
        assert not urlsplit(place["url"]).fragment
    context.close()


# A stranger's page in the same browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        """Leave the test's output alone."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The port of a stranger's server."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "index.html").write_text("<!doctype html><title>elsewhere</title><body></body>")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", EVIL])
def test_a_strangers_page_gets_nothing(browser, server, elsewhere, host):
    """Another port of this host is the same site to a browser: the cookie comes along."""
    with opened(browser, server) as page:
        assert page.evaluate(f"(at) => {ATTACKS['opens the websocket']}", server.door.address)
        stranger = page.context.new_page()
        stranger.goto(f"http://{host}:{elsewhere}/")
        came = {
            name: stranger.evaluate(f"(at) => {attack}", server.door.address)
            for name, attack in ATTACKS.items()
        }
        assert came == dict.fromkeys(ATTACKS, False)


@contextmanager
def small_book(browser, folder):
    """Open a book of one page with two cells."""
    shown = '<div class="cell cell-{}"><div class="cell_input"><pre>{}</pre></div></div>'
    codes = ("print(6 * 7)", "print(7 * 8)")
    cells = "".join(shown.format(number, code) for number, code in enumerate(codes, 1))
    html = f"<html lang=ja><head><link rel=icon href='data:,'></head><body>{cells}</body></html>"
    (folder / "html").mkdir()
    (folder / "html" / "index.html").write_text(f"<!doctype html>{html}")
    (folder / "index.md").write_text(write_page(*map(cell, codes)))
    book = live.Book(folder, folder / "html", replace(SETTINGS, modules=()))
    with served(book) as server, opened(browser, server) as page:
        yield server, page


def test_who_opens_the_server_beside_the_door_is_told_the_way_in(browser, tmp_path):
    """As after another start on the same port: the cookie may be good, but there is no key."""
    with small_book(browser, tmp_path) as (_, page):
        page.evaluate("localStorage.clear()")
        Cell(page, 1).press("run")
        Cell(page, 1).says("locked")


# Cells


def test_what_a_cell_prints_is_what_the_book_has(page):
    assert not kernels(SETTINGS.modules)  # who only reads needs none
    cell = Cell(page, 4)
    booked = cell.box.locator(".cell_output pre").first.inner_text()
    cell.press("run")
    cell.says("done")
    expect(cell.output).to_have_text(booked)
    for before in (1, 2, 3):  # they were run first
        booked = Cell(page, before).box.locator(".cell_output:not(.live-output)")
        assert not [output for output in booked.all() if output.is_visible()]
    drawing = Cell(page, 6)
    drawing.press("run")
    drawing.says("done")
    picture = drawing.output.get_by_role("img", name=SETTINGS.words["figure"].format(n=6))
    assert picture.evaluate("e => e.decode().then(() => e.naturalWidth)") > 100


def test_a_cell_does_not_run_after_one_that_failed(page):
    Cell(page, 1).write("1 / 0")
    cell = Cell(page, 2)
    cell.press("run")
    cell.says("failed_before", 1)
    expect(Cell(page, 1).output).to_contain_text("ZeroDivisionError")
    expect(cell.output).to_have_count(0)
    Cell(page, 1).press("run")
    Cell(page, 1).says("failed", 1)
    Cell(page, 1).press("reset")
    cell.press("run")
    cell.says("done")


def test_a_cell_runs_again_before_a_later_one_only_if_it_says_something_else(browser, tmp_path):
    sent = []
    with small_book(browser, tmp_path) as (_, page):
        page.on(
            "websocket",
            lambda socket: socket.on("framesent", lambda message: sent.append(json.loads(message))),
        )

        def runs(cell):
            """Return what was sent to be run until this cell has run."""
            sent.clear()
            cell.press("run")
            cell.says("done")
            return [message["run"] for message in sent if "run" in message]

        first, later = Cell(page, 1), Cell(page, 2)
        assert runs(first) == ["print(6 * 7)"]
        first.press("edit")
        assert runs(later) == ["print(7 * 8)"]
        first.editor.fill("print(6)")
        assert runs(later) == ["print(6)", "print(7 * 8)"]
        first.editor.press("End")
        first.editor.press("1")
        first.editor.press("Backspace")
        assert runs(later) == ["print(7 * 8)"]
        first.editor.fill("broken")
        first.press("run")
        first.says("failed", 1)
        first.editor.fill("print(6)")
        assert runs(later) == ["print(6)", "print(7 * 8)"]


def test_what_is_written_while_a_cell_runs_has_not_run(browser, tmp_path):
    with small_book(browser, tmp_path) as (_, page):
        cell, later = Cell(page, 1), Cell(page, 2)
        os.mkfifo(tmp_path / "gate")
        cell.write("print(open('gate').read())")
        cell.press("run")
        cell.says("running")
        cell.editor.fill("print('written')")
        (tmp_path / "gate").write_text("read")  # where it waits
        cell.says("done")
        expect(cell.output).to_have_text("read\n")
        later.press("run")
        later.says("done")
        expect(cell.output).to_have_text("written\n")


def test_a_runaway_cell_is_stopped_and_restarted(page):
    cell = Cell(page, 1)
    cell.write("print('on', flush=True)\nwhile True: pass")
    expect(cell.button("stop")).to_have_attribute("aria-disabled", "true")
    cell.press("run")
    expect(cell.output).to_have_text("on\n")
    expect(cell.button("run")).to_have_attribute("aria-disabled", "true")
    cell.press("stop")
    cell.says("stopped")
    expect(cell.output).to_have_text("on\n")
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    cell.editor.fill(f"{deaf}print('deaf', flush=True)\nwhile True: pass")
    cell.press("run")
    expect(cell.output).to_have_text("deaf\n")
    cell.press("stop")
    cell.press("restart")
    cell.says("restarted")
    until(lambda: not kernels(SETTINGS.modules))
    cell.editor.fill("print('again')")
    cell.press("run")
    expect(cell.output).to_have_text("again\n")
    cell.says("done")


def test_an_output_can_do_nothing_in_the_page(page):
    cell = Cell(page, 1)
    script = "<script>parent.hacked = window.hacked = 1</script>"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="hacked = 1">{script}</svg>'
    cell.write(
        "from IPython.display import HTML, SVG, Javascript, display\n"
        f"print('''{script}<img src=x onerror=hacked=1>''')\n"
        f"display(HTML('''{script}'''), Javascript('window.hacked = 1'), SVG('''{svg}'''))\n"
        f"raise ValueError('''{script}''')"
    )
    cell.press("run")
    cell.says("failed", 1)
    assert "<script>" in cell.output.inner_text()
    assert cell.output.locator("*").evaluate_all("all => all.map(e => e.localName)") == [
        "pre", "pre", "pre", "img", "pre",
    ]  # fmt: skip
    assert page.evaluate("window.hacked") is None


def test_a_carriage_return_writes_a_line_anew(page):
    cell = Cell(page, 1)
    cell.write("import sys\nfor i in range(3): sys.stdout.write(f'\\r{i} of 3')\nprint('\\nend')")
    cell.press("run")
    cell.says("done")
    expect(cell.output).to_have_text("2 of 3\nend\n", use_inner_text=True)


def test_a_record_is_not_run_before_a_cell_that_needs_no_other_package(browser, server):
    with opened(browser, server) as page:
        page.goto(f"{server.door.address}/peers.html")
        absent = [c["absent"] for c in json.loads(page.locator("#book-live").inner_text())["cells"]]
        if True not in absent:
            pytest.skip("all packages of the book are here")
        first = absent.index(True)
        number = absent.index(False, first) + 1
        cell = Cell(page, number)
        unfold(page)
        cell.press("run")
        cell.says("done")
        assert Cell(page, first + 1).box.locator(".live-output").count() == 0


def test_cells_that_a_page_leaves_out_or_that_should_fail_keep_no_other_from_running(
    browser, tmp_path
):
    shown = '<div class="cell cell-{}"><div class="cell_input"><pre>{}</pre></div>{}</div>'
    failure = '<div class="cell_output"><div class="output traceback"><pre></pre></div></div>'
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "index.html").write_text(
        "<!doctype html><html><head><link rel=icon href='data:,'></head><body>"
        + shown.format(2, '<span class="linenos">1 </span>print(x)\n', "")
        + shown.format(3, "1 / 0\n", failure)
        + shown.format(5, "x += 1; print(x)\n", "")
        + shown.format(6, "print(x, 'of a page that was saved since')\n", "")
        + "</body></html>"
    )
    (tmp_path / "index.md").write_text(
        write_page(
            cell("x = 5", head=":tags: [remove-cell]"),
            cell("print(x)"),
            cell("1 / 0", head=":tags: [raises-exception]"),
            cell("x += 1; print(x)", head=":tags: [remove-cell]"),
            cell("x += 1; print(x)"),
            cell("print(x, 'now')"),
        )
    )
    settings = replace(SETTINGS, modules=())
    with (
        served(live.Book(tmp_path, tmp_path / "html", settings)) as server,
        opened(browser, server) as page,
    ):
        Cell(page, 4).press("run")
        Cell(page, 4).says("done")
        expect(Cell(page, 1).output).to_have_text("5\n")
        expect(Cell(page, 2).output).to_contain_text("ZeroDivisionError")
        expect(Cell(page, 3).output).to_have_text("7\n")  # not the one before, which reads alike
        expect(Cell(page, 4).output).to_have_text("7 of a page that was saved since\n")


def test_cells_that_another_folds_away_with_its_own_code_are_cells_of_their_own(browser, tmp_path):
    shown = '<div class="cell cell-{}">{}<div class="cell_input"><pre>{}</pre></div></div>'
    codes = ("x = 5", "print(x)", "print(x + 1)")
    inner = shown.format(1, "", codes[0]) + shown.format(2, "", codes[1])
    outer = shown.format(3, inner, codes[2])
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "index.html").write_text(
        f"<!doctype html><html><head><link rel=icon href='data:,'></head><body>{outer}</body>"
    )
    (tmp_path / "index.md").write_text(write_page(*map(cell, codes)))
    settings = replace(SETTINGS, modules=())
    with (
        served(live.Book(tmp_path, tmp_path / "html", settings)) as server,
        opened(browser, server) as page,
    ):
        Cell(page, 3).press("run")
        Cell(page, 3).says("done")
        expect(Cell(page, 2).output).to_have_text("5\n")
        expect(Cell(page, 3).output).to_have_text("6\n")


def buttons(cell):
    """Return which buttons are seen and heard."""
    return [button.inner_text() for button in cell.bar.get_by_role("button").all()]


ALL = [SETTINGS.words[name] for name in ("run", "stop", "restart", "edit", "reset")]


def test_a_cell_has_one_button_until_it_has_the_focus_or_has_run(browser, tmp_path):
    with small_book(browser, tmp_path) as (_, page):
        cell, other = Cell(page, 1), Cell(page, 2)
        assert buttons(cell) == buttons(other) == ALL[:1]
        cell.button("run").focus()
        assert buttons(cell) == ALL
        page.keyboard.press("Tab")
        expect(cell.button("stop")).to_be_focused()
        other.button("run").focus()
        assert (buttons(cell), buttons(other)) == (ALL[:1], ALL)
        cell.box.locator("pre").first.click()  # on the code
        assert (buttons(cell), buttons(other)) == (ALL, ALL[:1])
        cell.press("run")
        cell.says("done")
        other.button("run").focus()
        assert buttons(cell) == ALL
        cell.press("reset")
        other.button("run").focus()
        assert buttons(cell) == ALL[:1]


def test_a_kernel_that_ends_is_told_and_the_next_run_begins_anew(page):
    cell = Cell(page, 1)
    cell.write("import os\nos._exit(1)")
    cell.press("run")
    cell.says("died")
    cell.press("reset")
    Cell(page, 2).press("run")
    Cell(page, 2).says("done")


@pytest.mark.parametrize("width", [320, DESK])
def test_live_pages_fit_the_screen(browser, server, width):
    with opened(browser, server, width=width) as page:
        page.goto(f"{server.door.address}/{PAGE}")
        cell = Cell(page, 5)
        cell.press("run")
        cell.says("done")
        Cell(page, 3).press("edit")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for shown in (cell.output, cell.bar, Cell(page, 3).editor):
            box = shown.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        for button in cell.bar.get_by_role("button").all():
            assert button.bounding_box()["height"] >= 24


CELLS = "div.cell:has(.live-bar)"


@needs_axe
@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_axe_finds_nothing_whatever_a_cell_does(browser, own_site, width, scheme):
    found = {}
    with (
        served(live.Book(DOCS, own_site, SETTINGS)) as server,
        opened(browser, server, width=width, scheme=scheme) as page,
    ):
        page.goto(f"{server.door.address}/rounding.html")
        unfold(page)
        drawing, cell = Cell(page, 1), Cell(page, 2)
        found["no cell has run"] = violations(page)
        cell.press("run")
        cell.says("done")
        expect(drawing.output.get_by_role("img")).to_be_visible()
        found["run"] = violations(page, CELLS)
        cell.write(f"print('{9 * 'wide '}')\n1 / 0  # {99 * '-'}")
        cell.press("run")
        cell.says("failed", 2)
        found["failed"] = violations(page, CELLS)
        cell.editor.fill("while True: pass")
        cell.press("run")
        cell.says("running")
        found["running"] = violations(page, CELLS)
        cell.press("stop")
        cell.says("stopped")
        found["stopped"] = violations(page, CELLS)
        server.stop()
        cell.says("lost")
        found["lost"] = violations(page)
    assert not {state: lines for state, lines in found.items() if lines}
