"""Whatever a page has asked of its surroundings makes it run again when the answer is another one.

Also what it asks without opening a file: Python tells nobody of that.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest
from book_project import CONF, cell, page

from bookproof import inputs
from bookproof.__main__ import main
from bookproof.page import read_page
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results


def outcome(book, name="page"):
    """What run_outdated finds for a page of the book, in a session of its own."""
    path = book.folder / f"{name}.md"
    [done] = run_outdated([read_page(path, find_settings(path))], Results())
    assert not done.failure, done.verdicts
    return "".join(verdict.got for verdict in done.verdicts)


def relink(book):
    (book.folder / "link.csv").unlink()
    (book.folder / "link.csv").symlink_to("b.csv")


def remove(name):
    return lambda book: (book.folder / name).unlink()


def write(name, text):
    return lambda book: book.write(name, text)


def database(name, value):
    def change(book):
        with sqlite3.connect(book.folder / name) as connection:
            connection.execute("create table if not exists t (x)")
            connection.execute("insert into t values (?)", [value])
        connection.close()

    return change


def write_beside(folder, text):
    """Write a file that is no part of the book."""

    def change(_):
        place = Path(folder() if callable(folder) else folder).expanduser()
        place.mkdir(exist_ok=True)
        (place / "bookproof-test").write_text(text)

    return change


OPENS = "try: print(open('{}').read())\nexcept OSError: print('none')"
# What a page does, and what changes then. At first, there are a.csv, b.csv, link.csv that leads to
# the first, kept.py and a folder `data`; the variable `MODE` is "one".
CHANGES = {
    "os.path.exists, and it comes": ("import os\nos.path.exists('new.csv')", write("new.csv", "1")),
    "os.path.exists, and it goes": ("import os\nos.path.exists('b.csv')", remove("b.csv")),
    "os.path.isdir": (
        "import os\nos.path.isdir('data')",
        lambda book: shutil.rmtree(book.folder / "data"),
    ),
    "os.path.getsize": ("import os\nos.path.getsize('a.csv')", write("a.csv", "1,2,3")),
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
    "os.environ by its items": (
        "import os\n[value for name, value in os.environ.items() if name.startswith('ABS')]",
        {"ABSENT": "there"},
    ),
    "a variable of Python's own": ("__debug__", {"PYTHONOPTIMIZE": "1"}),
    "TZ": ("import time\ntime.localtime(0).tm_hour", {"TZ": "JST-9"}),
    "LC_ALL": ("import locale\nlocale.setlocale(locale.LC_ALL, '')", {"LC_ALL": "C.utf8"}),
    "sqlite3 by an address": (
        (
            "import sqlite3\nbase = sqlite3.connect('file:a.db?mode=ro', uri=True)\n"
            "base.execute('select * from t').fetchall()"
        ),
        database("a.db", 2),
    ),
    "sqlite3 by ATTACH": (
        (
            "import sqlite3\nbase = sqlite3.connect(':memory:')\n"
            "_ = base.execute(\"attach 'file:a.db' as other\")\n"
            "base.execute('select * from other.t').fetchall()"
        ),
        database("a.db", 2),
    ),
    "the folder for temporary files": (
        (
            "import tempfile\nfrom pathlib import Path\n"
            "Path(tempfile.gettempdir(), 'bookproof-test').read_text()"
        ),
        write_beside(tempfile.gettempdir, "2"),
    ),
    "a file of the user's own": (
        "from pathlib import Path\nPath('~/.config/bookproof-test').expanduser().read_text()",
        write_beside("~/.config", "2"),
    ),
    "%env": ("%env MODE", {"MODE": "two"}),
    "a variable by which a package is steered": (
        "import gadget\ngadget.own",
        {"GADGET_MODE": "two"},
    ),
    "one of those that a package looks for": ("import gadget\ngadget.all_own", {"GADGET_X": "1"}),
    "a variable that a package sets unless it is there": (
        "import gadget, os\ngadget.settle()\nos.environ['ABSENT']",
        {"ABSENT": "there"},
    ),
    "what a module of the book's own reads, though a package asks it to": (
        "import gadget, own\ngadget.call(own.read)",
        {"MODE": "two"},
    ),
}


GADGET = """\
import os
mode, own, short = map(os.environ.get, ("MODE", "GADGET_MODE", "MPLBACKEND"))
all_own = [name for name in os.environ if name.startswith("GADGET_")]
def look(): os.environ.get("MODE")
def settle(): os.environ.setdefault("ABSENT", "none")
def call(function): return function()
"""


@pytest.fixture
def asked(book, monkeypatch, tmp_path_factory):
    """A book with what `CHANGES` ask for."""
    packages = tmp_path_factory.mktemp("installed")
    folders = (*inputs.installed_folders(), str(packages))
    monkeypatch.setattr(inputs, "installed_folders", lambda: folders)
    (packages / "gadget.py").write_text(GADGET)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    for name in ("GADGET_MODE", "GADGET_X", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    book.write("own.py", "import os\ndef read(): return os.environ['MODE']\n")
    for name in ("a.csv", "b.csv", "parts/__init__.py", "data/x.csv"):
        book.write(name, name[:1])
    book.write("parts/__init__.py", "")
    link = book.folder / "link.csv"
    link.symlink_to("a.csv")
    os.utime(link, (1000, 1000), follow_symlinks=False)  # it was not changed while a page ran
    database("a.db", 1)(book)
    monkeypatch.setenv("HOME", str(book.folder.with_name(f"{book.folder.name}-home")))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is another one now
    Path.home().mkdir()
    for folder in (tempfile.gettempdir, "~/.config"):
        write_beside(folder, "1")(book)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setenv("MODE", "one")
    monkeypatch.delenv("ABSENT", raising=False)
    return book


@pytest.fixture
def happens(asked, monkeypatch):
    """What does to the book what a case says: it sets variables, or changes files."""

    def do(change):
        if isinstance(change, dict):
            for name, value in change.items():
                monkeypatch.setenv(name, value)
        else:
            change(asked)

    return do


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_page_has_asked_makes_it_run_again(asked, ran, happens, what):
    code, change = CHANGES[what]
    asked.write("page.md", page(cell(code)))
    before = outcome(asked)
    assert outcome(asked) == before
    assert ran.take() == ["page"]
    happens(change)
    after = outcome(asked)
    assert ran.take() == ["page"]
    assert after != before


BY_C = """\
import ctypes
c = ctypes.CDLL(None)
f = c.open({}.encode(), 577, 420)
_ = c.write(f, b'1', 1)
c.close(f)
open({}).read()"""
SHELLS = ("COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "_")
# What a page does, and what may change without a run.
FREE = {
    "what each shell sets": (
        "import os\nlen([*os.environ.items()])",
        dict.fromkeys(SHELLS, "other"),
    ),
    "a package that reads a variable": ("import gadget\ngadget.mode", {"MODE": "two"}),
    "a package that reads one when it is called": ("import gadget\ngadget.look()", {"MODE": "two"}),
    "a package that goes through all variables": ("import gadget", {"ABSENT": "there"}),
    "a device": ("open('/dev/null').read()", lambda _: Path("/dev/null").write_text("1")),
    "the processes of the machine": ("import os\nlen(os.listdir('/proc')) > 1", {}),
    "a file that C code writes in a folder of the page's own": (
        "import tempfile\nname = tempfile.mkdtemp() + '/own'\n" + BY_C.format("name", "name"),
        {},
    ),
    "a temporary file": (
        (
            "import tempfile\nwith tempfile.NamedTemporaryFile('w') as f:\n"
            "    print(file=f, flush=True)\n    open(f.name).read()"
        ),
        {},
    ),
    "a module that the page writes": (
        "from pathlib import Path\n_ = Path('mine.py').write_text('')\nimport mine",
        {},
    ),
    "a module that nobody looked for": ("import yaml", write("later.py", "")),
    "a variable that nobody read": ("import os\nos.environ['MODE']", {"ABSENT": "there"}),
    "a Makefile's variable": ("1", {"PYTHON": "python3.12"}),
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
def test_what_no_page_has_asked_makes_none_run(asked, ran, happens, what):
    code, change = FREE[what]
    asked.write("page.md", page(cell(code)))
    outcome(asked)
    happens(change)
    outcome(asked)
    assert ran.take() == ["page"]


# What names alone can't tell: such a page runs once more, and then no more.
ONCE_MORE = {
    "a folder that is made unless it is there": (
        "import os\nos.makedirs('data', exist_ok=True)",
        lambda book: shutil.rmtree(book.folder / "data"),
    ),
    "a file that C code writes": (BY_C.format("'own'", "'own'"), {}),
    "a file that the page writes at once": (
        (
            "import os\nfrom pathlib import Path\n_ = Path('new').write_text('1')\n"
            "os.replace('new', 'own')\nopen('own').read()"
        ),
        {},
    ),
    "a database that the page makes": (
        (
            "import sqlite3\nbase = sqlite3.connect('own.db')\n"
            "_ = base.execute('create table if not exists t (x)')\nbase.commit()\n"
            "sqlite3.connect('own.db').execute('select * from t').fetchall()"
        ),
        {},
    ),
    "a file that was only looked for": (
        "import os\nos.path.exists('a.csv')",
        write("a.csv", "other"),
    ),
    "a variable that the page has set": (
        "import os\nos.environ['MODE'] = '3'\nos.environ['MODE']",
        {"MODE": "two"},
    ),
}


@pytest.mark.parametrize("what", ONCE_MORE)
def test_what_only_a_watch_could_tell_runs_a_page_once_more(asked, ran, happens, what):
    code, change = ONCE_MORE[what]
    asked.write("page.md", page(cell(code)))
    outcome(asked)
    outcome(asked)
    happens(change)
    for _ in range(2):  # one that makes what it names is kept when it finds that there
        outcome(asked)
    ran.take()
    outcome(asked)
    assert ran.take() == []


def test_a_page_that_works_in_a_folder_of_its_own_is_kept(asked, ran):
    """What C code writes there is gone when the page has ended."""
    asked.write("conf.py", f"{CONF}nb_execution_in_temp = True\n")
    asked.write("page.md", page(cell(BY_C.format("'own'", "'own'"))))
    outcome(asked)
    outcome(asked)
    assert ran.take() == ["page"]


def replace(name, text):
    """Put an old file in the place of another one, as `mv` does."""

    def change(book):
        book.write("older", text).replace(book.folder / name)

    return change


def copy_over(name, text):
    """Write an old file's contents and times over those of another one, as `cp -p` does."""
    return lambda book: shutil.copy2(book.write("older", text), book.folder / name)


EXISTS = "import os\nprint(os.path.exists('{}'))"
TRIES = "try:\n    import later\n    print('there')\nexcept ImportError:\n    print('not')"
VALUE = "import value\nprint(value.x)"
# What a page asks, and what changes while it goes on.
MEANWHILE = {
    "data, by mv": (OPENS.format("a.csv"), replace("a.csv", "other")),
    "data, by cp -p": (OPENS.format("a.csv"), copy_over("a.csv", "other")),
    "a module, by mv": (VALUE, replace("value.py", "x = 'other'")),
    "a module, by cp -p": (VALUE, copy_over("value.py", "x = 'other'")),
    "a file that goes": (OPENS.format("a.csv"), remove("a.csv")),
    "os.path.exists, and it comes": (EXISTS.format("new.csv"), write("new.csv", "1")),
    "os.path.exists, and it goes": (EXISTS.format("a.csv"), remove("a.csv")),
    "a size": ("import os\nprint(os.path.getsize('a.csv'))", replace("a.csv", "other")),
    "a listing": ("import os\nprint(os.listdir('data'))", write("data/y.csv", "1")),
    "a module that comes": (TRIES, write("later.py", "")),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_what_changes_while_a_page_runs_makes_it_run_again(asked, ran, what):
    code, change = MEANWHILE[what]
    asked.write("value.py", "x = 'first'")
    asked.write("page.md", page(cell(code), cell("_ = open('gate').read()")))
    os.mkfifo(asked.folder / "gate")
    os.utime(asked.folder / "gate", (1000, 1000))

    def meet(do):
        with (asked.folder / "gate").open("w"):  # here it waits until the page has come so far
            do(asked)

    def ask(do):
        threading.Thread(target=meet, args=[do], daemon=True).start()
        return outcome(asked)

    before = ask(change)
    after = ask(lambda _: None)
    assert before != after
    assert ran.take() == ["page", "page"]


BOOK_OF_MODULES = f"{CONF}book_modules = ['reader']\n"


@pytest.fixture
def reader(book, monkeypatch, tmp_path_factory):
    """A module that the template imports, and that then reads a file and a variable."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "data.txt").write_text("1")
    (folder / "reader.py").write_text(
        "import os\nfrom pathlib import Path\n"
        "text = Path(__file__).with_name('data.txt').read_text() + os.environ.get('MODE', '')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    book.write("conf.py", BOOK_OF_MODULES)
    book.write("page.md", page(cell("import reader\nprint(reader.text)")))
    return folder


def test_a_file_that_a_module_of_the_template_reads_counts(book, ran, reader):
    assert outcome(book) == "1\n"
    (reader / "data.txt").write_text("2")  # the template is still there
    assert [outcome(book), outcome(book)] == ["2\n", "2\n"]
    assert ran.take() == ["page", "page"]


def test_a_variable_that_a_module_of_the_template_reads_counts(book, ran, reader, monkeypatch):
    assert outcome(book) == "1\n"
    monkeypatch.setenv("MODE", "a")
    assert [outcome(book), outcome(book)] == ["1a\n", "1a\n"]
    assert ran.take() == ["page", "page"]


def test_why_a_page_runs_again_is_told(book, capsys):
    book.write("data.txt", "1")
    book.write("page.md", page(cell("print(open('data.txt').read())", 1)))
    book.write("shell.md", page(cell("!true")))
    main(["check", "."])
    first = capsys.readouterr().err
    assert "page.md: " in first
    assert "again" not in first
    assert "shell.md: " in first
    assert "(not kept: the cell at line 10 starts a process: true)\n" in first
    assert "\npages that run in every build: 1 (" in first
    book.write("data.txt", "1\n")
    main(["check", "."])
    assert "(again, since data.txt has changed)" in capsys.readouterr().err
    book.edit("page.md", "print(", "print( ")
    main(["check", "."])
    assert "(again, since its cells, or what it declares, have changed)" in capsys.readouterr().err
    book.write("conf.py", f"{CONF}book_start = 'pass'\n")
    main(["check", "."])
    assert "(again, since book_start changed)" in capsys.readouterr().err
