"""Whatever a page has asked of its surroundings makes it run again when the answer is another one.

Also what it asks without opening a file: Python tells nobody of that.
"""

from __future__ import annotations

import os
import shutil

import pytest
from book_project import cell, page

from bookproof import run as runs
from bookproof.__main__ import main
from bookproof.page import read_page
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results


def outcome(book, name="page"):
    """What run_outdated finds for a page of the book, in a session of its own."""
    path = book.folder / f"{name}.md"
    [done] = run_outdated([read_page(path, find_settings(path))], Results())
    assert not done.failed, done.verdicts
    return "".join(verdict.got for verdict in done.verdicts)


def relink(book):
    (book.folder / "link.csv").unlink()
    (book.folder / "link.csv").symlink_to("b.csv")


def remove(name):
    return lambda book: (book.folder / name).unlink()


def write(name, text):
    return lambda book: book.write(name, text)


OPENS = "try: print(open('{}').read())\nexcept OSError: print('none')"
# What a page does, and what changes then. At first, there are a.csv, b.csv, link.csv that leads to
# the first, kept.py and a folder `data`; the variable `MODE` is "one".
CHANGES = {
    "os.path.exists, and it comes": ("import os\nos.path.exists('new.csv')", write("new.csv", "1")),
    "os.path.exists, and it goes": ("import os\nos.path.exists('b.csv')", remove("b.csv")),
    "Path.exists": ("from pathlib import Path\nPath('new.csv').exists()", write("new.csv", "1")),
    "Path.is_file": ("from pathlib import Path\nPath('b.csv').is_file()", remove("b.csv")),
    "os.path.isdir": (
        "import os\nos.path.isdir('data')",
        lambda book: shutil.rmtree(book.folder / "data"),
    ),
    "os.access": ("import os\nos.access('new.csv', os.R_OK)", write("new.csv", "1")),
    "os.path.getsize": ("import os\nos.path.getsize('a.csv')", write("a.csv", "1,2,3")),
    "Path.stat": ("from pathlib import Path\nPath('a.csv').stat().st_size", write("a.csv", "12")),
    "open, and it comes": (OPENS.format("new.csv"), write("new.csv", "1")),
    "open, and it goes": (OPENS.format("b.csv"), remove("b.csv")),
    "a link that is read": ("open('link.csv').read()", relink),
    "a link that is resolved": (
        "from pathlib import Path\nPath('link.csv').resolve().name",
        relink,
    ),
    "find_spec": (
        "from importlib.util import find_spec\nbool(find_spec('later'))",
        write("later.py", ""),
    ),
    "try: import": (
        "try:\n    import later\n    print('there')\nexcept ImportError:\n    print('not')",
        write("later.py", ""),
    ),
    "try: import of a part": (
        "import parts\ntry:\n    import parts.later\n    print(1)\nexcept ImportError: print(2)",
        write("parts/later.py", ""),
    ),
    "a module that hides another": ("import yaml\nyaml.__name__", write("yaml.py", "__name__ = 1")),
    "os.environ": ("import os\nos.environ['MODE']", {"MODE": "two"}),
    "os.environ.get": ("import os\nos.environ.get('ABSENT', 'none')", {"ABSENT": "there"}),
    "os.getenv": ("import os\nos.getenv('MODE')", {"MODE": "two"}),
    "in os.environ": ("import os\n'ABSENT' in os.environ", {"ABSENT": "there"}),
}


@pytest.fixture
def asked(book, monkeypatch):
    """A book with what `CHANGES` ask for."""
    for name in ("a.csv", "b.csv", "parts/__init__.py", "data/x.csv"):
        book.write(name, name[:1])
    book.write("parts/__init__.py", "")
    link = book.folder / "link.csv"
    link.symlink_to("a.csv")
    os.utime(link, (1000, 1000), follow_symlinks=False)  # it was not changed while a page ran
    monkeypatch.setenv("MODE", "one")
    monkeypatch.delenv("ABSENT", raising=False)
    return book


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_page_has_asked_makes_it_run_again(asked, ran, monkeypatch, what):
    code, change = CHANGES[what]
    asked.write("page.md", page(cell(code)))
    before = outcome(asked)
    assert outcome(asked) == before
    assert ran.take() == ["page"]
    if isinstance(change, dict):
        for name, value in change.items():
            monkeypatch.setenv(name, value)
    else:
        change(asked)
    after = outcome(asked)
    assert ran.take() == ["page"]
    assert after != before


# What a page does, and what may change without a run.
FREE = {
    "a file that was only looked for": (
        "import os\nos.path.exists('a.csv')",
        write("a.csv", "other"),
    ),
    "a module that nobody looked for": ("import yaml", write("later.py", "")),
    "a variable that nobody read": ("import os\nos.environ['MODE']", {"ABSENT": "there"}),
    "a variable that the page has set": (
        "import os\nos.environ['MODE'] = '3'\nos.environ['MODE']",
        {"MODE": "two"},
    ),
    "a file that the page makes unless it is there": (
        "from pathlib import Path\nif not Path('own').exists(): Path('own').write_text('1')",
        {},
    ),
    "the folder of a page that makes one": (
        "import os\nos.makedirs('out/part', exist_ok=True)\nopen('out/part/x', 'w').write('1')",
        {},
    ),
    "a touched file": (
        "open('a.csv').read()",
        lambda book: os.utime(book.folder / "a.csv", (1, 1)),
    ),
}


@pytest.mark.parametrize("what", FREE)
def test_what_no_page_has_asked_makes_none_run(asked, ran, monkeypatch, what):
    code, change = FREE[what]
    asked.write("page.md", page(cell(code)))
    outcome(asked)
    if isinstance(change, dict):
        for name, value in change.items():
            monkeypatch.setenv(name, value)
    else:
        change(asked)
    outcome(asked)
    assert ran.take() == ["page"]


FAILS = [
    "import os\nos.stat('nothing')",
    "import os\nos.path.getsize('nothing')",
    "from pathlib import Path\nPath('nothing').stat()",
    "from pathlib import Path\nPath('nothing').resolve(strict=True)",
    "import os\nos.environ['NOTHING']",
    "try:\n    open('nothing')\nexcept OSError:\n    import os\n    os.stat('nothing')",
    "import nothing_like_that",
]


def test_the_errors_of_a_page_that_is_watched_are_those_of_one_that_is_not(book, monkeypatch):
    cells = [cell(code, head=":tags: [raises-exception]") for code in FAILS]
    path = book.write("page.md", page(*cells))
    settings = find_settings(path)
    [watched] = runs.run_pages([read_page(path, settings)])
    assert watched.trace
    monkeypatch.setattr(runs, "START", "")
    [free] = runs.run_pages([read_page(path, settings)])
    assert not free.trace
    assert [c.get("outputs") for c in watched.notebook.cells] == [
        c.get("outputs") for c in free.notebook.cells
    ]


def test_why_a_page_runs_again_is_told(book, capsys):
    book.write("data.txt", "1")
    book.write("page.md", page(cell("print(open('data.txt').read())", 1)))
    book.write("shell.md", page(cell("!true")))
    main(["check", "."])
    first = capsys.readouterr().err
    assert "page.md: " in first
    assert "again" not in first
    assert " (not kept: it can't be followed everywhere: a process, os.forkpty)" in first
    book.write("data.txt", "1\n")
    main(["check", "."])
    assert "(again, since data.txt has changed)" in capsys.readouterr().err
    book.edit("page.md", "print(", "print( ")
    main(["check", "."])
    assert "(again, since its cells have changed)" in capsys.readouterr().err
