import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from mystnb import FRONT_MATTER
from watchfiles import Change

from snn_docs.book import watch

CONF = """\
extensions = ["myst_nb", "snn_docs.book"]
exclude_patterns = ["_build"]
html_theme = "basic"
book_modules = []
"""
PAGE = FRONT_MATTER + "# Title\n\n```{code-cell}\nprint(1 + 1)\n```\n\n```{testoutput}\n2\n```\n"


@pytest.fixture
def book(tmp_path):
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.md").write_text(PAGE)
    return tmp_path


@pytest.fixture
def until(book):
    """Start to watch; return a function that waits for a line that holds a word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "snn_docs.book.watch", "-q", ".", "_build/html"],
        cwd=book,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def until(word):
        said = []
        for line in process.stdout:
            said.append(line)
            if word in line:
                return "".join(said)
            if word != "saved" and line.startswith(("built in", "failed in")):
                break
        pytest.fail(f"the watcher built or ended without saying {word!r}, but: {said}")

    until("built")
    yield until
    process.send_signal(signal.SIGINT)  # Ctrl-C
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest


def text(book):
    page = Path(book, "_build/html/index.html").read_text()
    return BeautifulSoup(page, "html.parser").get_text()


def test_a_saved_page_is_built_again(book, until):
    (book / "index.md").write_text(PAGE.replace("1 + 1", "1 + 2").replace("\n2\n", "\n3\n"))
    assert "index.md" in until("saved")
    until("built in")
    assert "print(1 + 2)\n" in text(book)
    assert "3\n" in text(book)


def test_a_wrong_page_is_reported_and_the_next_save_mends_it(book, until):
    (book / "index.md").write_text(PAGE.replace("1 + 1", "1 + 2"))
    assert "index.md:14" in until("failed in")
    (book / "index.md").write_text(PAGE)
    until("built in")
    assert "print(1 + 1)\n" in text(book)


def test_a_module_beside_the_page_counts(book, until):
    (book / "helper.py").write_text("A = 2\n")
    until("built in")
    (book / "index.md").write_text(PAGE.replace("1 + 1", "__import__('helper').A"))
    until("built in")
    (book / "helper.py").write_text("A = 3\n")
    assert "index.md:14" in until("failed in")
    (book / "helper.py").write_text("A = 2\n")
    until("built in")


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
    monkeypatch.setattr(watch, "warm_up", lambda _: None)
    monkeypatch.setattr(watch, "build", lambda _: built.append(1) or [])
    watch.main([".", "_build/html"])
    assert len(built) == 2


@pytest.mark.parametrize(("saved", "times"), [("book/run.py", 1), ("neurons.py", 0)])
def test_a_saved_engine_begins_anew(book, monkeypatch, saved, times):
    monkeypatch.chdir(book)
    change = (Change.modified, str(Path(watch.__file__).parents[1] / saved))
    begun = []
    monkeypatch.setattr(watch, "watch", lambda *_, **__: iter([{change}]))
    monkeypatch.setattr(watch, "warm_up", lambda _: None)
    monkeypatch.setattr(watch, "build", lambda _: [])
    monkeypatch.setattr(watch.os, "execv", lambda _, command: begun.append(command))
    watch.main([".", "_build/html"])
    anew = [sys.executable, "-m", "snn_docs.book.watch", ".", "_build/html"]
    assert begun == [anew] * times


def test_without_fork_each_build_is_a_process(book, monkeypatch, capfd):
    monkeypatch.chdir(book)
    monkeypatch.setattr(watch, "FORKS", False)
    assert watch.build(["-q", ".", "_build/html"]) == []
    assert "built in" in capfd.readouterr().out
    assert "print(1 + 1)\n" in text(book)
