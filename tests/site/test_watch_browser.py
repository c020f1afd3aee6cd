"""What a writer sees in the browser beside the editor."""

import pytest
from audit import DESK, PHONE, violations
from book_runs import until
from browsers import in_browser, needs_axe
from live_pages import SETTINGS
from playwright.sync_api import expect
from walking import Keyboard, Listener
from watching import CONF, PAGE, Builds, Watcher, told_of

from bookproof.server.watched import Site

pytestmark = in_browser
LONG = "\n".join(f"## Part {number}\n\n{'Text. ' * 300}\n" for number in range(30))
OTHER = "# Other\n\n" + LONG
STYLE = "body { background: rgb(1, 2, 3); overflow-wrap: anywhere }\n"
FILES = {
    "conf.py": CONF
    + 'html_static_path = ["_static"]\nhtml_css_files = ["own.css"]\n'
    + f'myst_heading_anchors = 2\nlanguage = "ja"\nbook_words = {SETTINGS.words}\n',
    "index.md": PAGE + LONG + "\n```{toctree}\nother\n```\n",
    "other.md": OTHER,
    "_static/own.css": STYLE,
}


@pytest.fixture(scope="module")
def watcher(tmp_path_factory):
    book = tmp_path_factory.mktemp("book")
    (book / "_static").mkdir()
    for name, text in FILES.items():
        (book / name).write_text(text)
    watcher = Watcher(book)
    watcher.until("built in")
    yield watcher
    watcher.stop()


@pytest.fixture
def save(watcher, tmp_path_factory):
    """Save a file and wait for the build; in the end, all files are as they were."""
    book = watcher.folder
    changed = set()

    def save(name, text, end="built in"):
        (book / name).write_text(text)
        changed.add(name)
        return watcher.until(end)

    yield save
    for name in changed:
        if (book / name).read_text() != FILES[name]:
            save(name, FILES[name])


def strict(route):
    """Send a page as a site may that lets nothing run or look in some way but what it serves."""
    answer = route.fetch()
    policy = {"content-security-policy": "default-src 'self'"}
    route.fulfill(response=answer, headers=answer.headers | policy)


@pytest.fixture
def page(browser, watcher):
    context = browser.new_context(viewport={"width": 900, "height": 600}, locale="ja-JP")
    page = context.new_page()
    page.route(lambda url: url.split("#")[0].endswith((".html", "/")), strict)
    page.goto(watcher.address)
    yield page
    context.close()


def top(page, anchor):
    return page.evaluate("id => document.getElementById(id).getBoundingClientRect().top", anchor)


def mark(page):
    """Mark a page, so that one that was loaded anew is told from it."""
    page.evaluate("document.body.dataset.seen = '1'")


def is_marked(page):
    return page.evaluate("document.body.dataset.seen === '1'")


@pytest.mark.parametrize("address", ["", "index.html", "index.html#part-3"])
def test_a_saved_page_is_loaded_where_its_reader_was(page, watcher, save, address):
    page.goto(watcher.address + address)
    page.evaluate("document.getElementById('part-12').scrollIntoView(); scrollBy(0, 123)")
    before = top(page, "part-12")
    assert before == pytest.approx(-123, abs=1)
    height = page.evaluate("document.body.scrollHeight")
    mark(page)
    save("index.md", FILES["index.md"].replace("Part 2\n", f"Part 2\n\n{'New text. ' * 2000}\n"))
    expect(page.locator("#part-2")).to_contain_text("New text.")
    page.wait_for_load_state("load")
    assert not is_marked(page)
    assert page.evaluate("document.body.scrollHeight") > height + 600
    until(lambda: abs(top(page, "part-12") - before) < 2)
    assert page.url == watcher.address + address


def test_a_page_that_is_shown_no_change_stays(page, watcher, save):
    page.goto(f"{watcher.address}other.html")
    mark(page)
    save("index.md", FILES["index.md"].replace("Text.", "Word."))
    save("other.md", OTHER.replace("# Other", "# Another", 1))
    expect(page.get_by_role("heading", name="Another")).to_be_visible()
    assert not is_marked(page)


def test_a_stylesheet_is_put_in_place_of_the_old_one(page, save):
    expect(page.locator("body")).to_have_css("background-color", "rgb(1, 2, 3)")
    mark(page)
    for colour in ("rgb(4, 5, 6)", "rgb(7, 8, 9)"):
        save("_static/own.css", f"body {{ background: {colour} }}\n")
        expect(page.locator("body")).to_have_css("background-color", colour)
    assert is_marked(page)
    assert page.locator("link[rel=stylesheet][href*='own.css']").count() == 1


def test_a_wrong_output_is_shown_in_the_page_until_it_is_mended(page, save):
    report = page.get_by_role("region", name="ビルドの報告")
    expect(report).to_have_count(0)
    said = save("index.md", FILES["index.md"].replace("1 + 1", "1 + 2"), end="failed in")
    expect(report).to_be_visible()
    expect(report.get_by_role("alert")).to_have_text("ビルドで1件の問題が見つかりました。")
    expect(report.locator("code")).to_have_text("index.md:14")
    expect(report.locator("del")).to_have_text("    -2\n")
    expect(report.locator("ins")).to_have_text("    +3\n")
    shown = report.locator("pre").inner_text()
    for line in shown.strip().splitlines():
        assert line in said  # as the terminal shows it
    assert "accept index.md" in shown
    save("index.md", FILES["index.md"])
    expect(report).to_have_count(0)


def test_the_report_can_be_folded_and_scrolled_by_keyboard_and_leaves_the_page_in_reach(page, save):
    wide = f"{{doc}}`{'missing' * 60}`\n\n"
    save("index.md", FILES["index.md"].replace("Text.", wide * 30, 1))
    report = page.get_by_role("region", name="ビルドの報告")
    expect(report).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    box = report.bounding_box()
    assert box["height"] <= 300
    report.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(report.locator("pre").first).to_be_hidden()
    assert report.bounding_box()["height"] < 120
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = page.locator("#part-29").bounding_box()
    assert last["y"] + last["height"] <= report.bounding_box()["y"] + 1


def test_a_hidden_tab_holds_no_connection_and_catches_up(page, save, watcher):
    hide = (
        "value => { Object.defineProperty(document, 'hidden', { value, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')) }"
    )
    mark(page)
    with page.expect_event("requestfailed", lambda request: "/.book/events" in request.url):
        page.evaluate(hide, arg=True)
    save("index.md", FILES["index.md"].replace("Text.", "Word."))
    assert is_marked(page)
    page.evaluate(hide, arg=False)
    expect(page.locator("#part-2")).to_contain_text("Word.")
    assert not is_marked(page)


def test_nothing_of_this_is_in_the_built_book(watcher):
    for path in (watcher.folder / "_build/html").rglob("*.html"):
        assert ".book/" not in path.read_text()
    assert not list((watcher.folder / "_build/html").rglob("watch.js"))


@pytest.fixture(scope="module")
def watched_site(built_site):
    """A site whose builds are told of, without being done."""
    builds = Builds()
    builds.end_one(**SETTINGS.words)
    with told_of(Site(built_site), builds) as port:
        yield f"http://127.0.0.1:{port}/", builds


MESSAGES = [
    {"place": "heaviside.md:5", "level": "warning", "text": f"unknown document: {'missing' * 30}"},
    {"place": "", "level": "error", "text": "expected:\n    -2\ngot:\n    +3\n"},
]


@pytest.fixture(params=[PHONE, DESK])
def watched(browser, watched_site, request):
    """A page of a site, and what tells it of a build."""
    address, builds = watched_site
    context = browser.new_context(viewport={"width": request.param, "height": 844}, locale="ja-JP")
    page = context.new_page()
    page.goto(f"{address}index.html")
    report = page.get_by_role("region", name="ビルドの報告")

    def tell(messages):
        builds.end_one(*messages, **SETTINGS.words)
        expect(report).to_have_count(1 if messages else 0)
        expect(report.locator("pre")).to_have_count(len(messages))
        return report

    yield page, tell
    tell([])
    context.close()


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_with_a_report_and_with_it_gone(watched, scheme):
    page, tell = watched
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("html")).to_have_attribute("data-theme", scheme)
    report = tell(MESSAGES)
    found = {"open": violations(page)}
    report.locator("summary").click()
    expect(report.locator("pre").first).to_be_hidden()
    found["folded"] = violations(page)
    tell([])
    found["gone"] = violations(page)
    assert not {state: lines for state, lines in found.items() if lines}


def test_the_report_is_heard_and_hides_no_stop_of_the_tab_key(watched):
    page, tell = watched
    tell(MESSAGES)
    listener, keys = Listener(page), Keyboard(page)
    said = listener.text(("region", "ビルドの報告"), ("alert", ""))
    assert said == "ビルドで2件の問題が見つかりました。"
    assert not listener.faults()
    there = keys.stops("Tab")
    assert [keys.press("Shift+Tab") for _ in there] == there[::-1]
    assert len([what for what in there if "heaviside.md:5" in what]) == 1
