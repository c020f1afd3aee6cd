import os
import signal
import urllib.request
from pathlib import Path

import psutil
import pytest
from book_runs import PATIENCE, alive_with, is_alive
from book_runs import until as wait_until
from bs4 import BeautifulSoup
from watchfiles import Change
from watching import CONF, PAGE, Watcher

from bookproof.server import watch

NOTHING = watch.Outcome(0, [], [])


@pytest.fixture
def book(tmp_path):
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.md").write_text(PAGE)
    return tmp_path


@pytest.fixture
def until(book):
    """Start to watch; return a function that waits for a line that holds a word."""
    watcher = Watcher(book)
    watcher.until("built")
    yield watcher.until
    watcher.stop()


def text(book):
    page = Path(book, "_build/html/index.html").read_text()
    return BeautifulSoup(page, "html.parser").get_text()


def test_a_saved_page_is_built_and_reported_if_wrong_and_the_next_save_mends_it(book, until):
    (book / "index.md").write_text(PAGE.replace("1 + 1", "1 + 2"))
    assert "index.md" in until("saved")
    assert "index.md:14" in until("failed in")
    (book / "index.md").write_text(PAGE)
    until("built in")
    assert "print(1 + 1)\n" in text(book)


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("index.md", True),
        ("part/data.csv", True),
        ("_build/html/index.html", False),
        (".git/index", False),
        (".index.md.swp", False),
        ("part/__pycache__/a.pyc", False),
    ],
)
def test_what_counts_as_a_change(tmp_path, monkeypatch, path, counts):
    monkeypatch.chdir(tmp_path)
    sources = watch.Sources(tmp_path / "_build")
    assert sources(Change.modified, str(tmp_path / path)) is counts


def test_it_builds_at_first_and_after_each_change_only(book, monkeypatch):
    monkeypatch.chdir(book)
    change = (Change.modified, str(book / "index.md"))
    built = []
    monkeypatch.setattr(watch, "watch", lambda *_, **__: iter([set(), set(), {change}, set()]))
    monkeypatch.setattr(watch, "warm_up", lambda *_: None)
    monkeypatch.setattr(watch, "build", lambda _: built.append(1) or NOTHING)
    watch.main([".", "_build/html"])
    assert len(built) == 2


@pytest.mark.slow
def test_without_fork_each_build_is_a_process(book, monkeypatch, capfd):
    monkeypatch.chdir(book)
    monkeypatch.setattr(watch, "FORKS", False)
    assert watch.build(["-q", ".", "_build/html"]) == NOTHING
    assert "built in" in capfd.readouterr().out
    assert "print(1 + 1)\n" in text(book)
    (book / "index.md").write_text(PAGE.replace("1 + 1", "1 + 2"))
    outcome = watch.build(["-q", ".", "_build/html"])
    assert outcome.status == 1
    assert [message["place"] for message in outcome.messages] == ["index.md:14"]


# ---- What a build complains of ----

SAID = """\
{here}/docs/a.md:3: WARNING: 'myst' reference target not found: b [myst.xref_missing]
docs/a.md:14: ERROR: the cell does not print what the page says (- page, + cell)
  14 | 2

    -2
    +3

  The cell starts at line 10. Mend the code, or: accept
{here}/x.py:docstring of x.f:2: ERROR: Unexpected indentation. [docutils]
WARNING: the favicon does not exist
"""


def test_messages_are_told_from_each_other_and_from_their_places():
    found = watch.messages(SAID.format(here=Path.cwd()))
    assert [(message["place"], message["level"]) for message in found] == [
        ("docs/a.md:3", "WARNING"),
        ("docs/a.md:14", "ERROR"),
        ("x.py:docstring of x.f:2", "ERROR"),
        ("", "WARNING"),
    ]
    assert found[0]["text"].startswith("'myst' reference target not found: b")
    assert found[1]["text"].endswith(
        "    -2\n    +3\n\n  The cell starts at line 10. Mend the code, or: accept"
    )
    assert found[3]["text"] == "the favicon does not exist"
    assert watch.messages("") == []


def test_what_keeps_sphinx_from_building_is_a_message(book, monkeypatch, capfd):
    monkeypatch.chdir(book)
    (book / "conf.py").write_text("1 / 0\n")
    outcome = watch.build(["-q", ".", "_build/html"])
    assert outcome.status == 2
    assert "conf.py" in outcome.messages[0]["text"]
    assert outcome.messages[0]["level"] == "ERROR"


def test_a_build_that_dies_says_so(book, monkeypatch, capfd):
    monkeypatch.chdir(book)
    (book / "conf.py").write_text("import os\nos._exit(7)\n")
    outcome = watch.build(["-q", ".", "_build/html"])
    assert outcome.status == 7
    assert [message["text"] for message in outcome.messages] == [
        "the build failed with exit status 7; the terminal says more"
    ]


# ---- The process ----


def test_the_browser_is_opened_only_if_asked_for_and_once(book, monkeypatch, capfd):
    monkeypatch.chdir(book)
    change = (Change.modified, str(book / "index.md"))
    opened = []
    monkeypatch.setattr(watch, "watch", lambda *_, **__: iter([set(), {change}]))
    monkeypatch.setattr(watch, "warm_up", lambda *_: None)
    monkeypatch.setattr(watch, "build", lambda _: NOTHING)
    monkeypatch.setattr(watch.webbrowser, "open", opened.append)
    watch.main([".", "_build/html"])
    assert opened == []
    watch.main(["--open", ".", "_build/html"])
    [address] = opened
    assert f"the book is at {address}\n" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_however_it_ends(book, end):
    mark = {"BOOK_TEST": str(book)}
    watcher = Watcher(book, env=os.environ | mark, start_new_session=True)
    watcher.until("built in")
    with urllib.request.urlopen(watcher.address) as answer:
        assert b"Title" in answer.read()
    children = psutil.Process(watcher.process.pid).children(recursive=True)
    assert any("bookproof.server.watched" in child.cmdline() for child in children)
    os.killpg(watcher.process.pid, end)  # as a terminal does
    watcher.process.communicate(timeout=PATIENCE)
    wait_until(lambda: not any(is_alive(child.pid) for child in children))
    assert not alive_with("BOOK_TEST", str(book))
