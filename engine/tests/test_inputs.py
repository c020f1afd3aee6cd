"""What code names: each name leads to files, and comes to lead to others when they come."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bookproof.inputs import Look, is_followed, names_of, python_of, variables

FILES = {
    "data.csv": "1",
    "data/a.csv": "1",
    "data/part_1.csv": "1",
    "data/b/c.txt": "1",
    "script.py": "open('from_script.txt')",
    "from_script.txt": "1",
    "helper.py": "import package.inner",
    "helper.json": "1",
    "package/__init__.py": "",
    "package/inner.py": "from . import deeper\nopen('data.csv')",
    "package/deeper.py": "",
    "package/other.py": "",
    "package/table.txt": "",
    "matplotlibrc": "",
    "_build/made.csv": "",
}
DATA = ["data", "data/a.csv", "data/b", "data/b/c.txt", "data/part_1.csv"]
PACKAGE = ["package", "package/__init__.py", "package/table.txt"]
# What a cell has, and the files that it names, besides matplotlibrc.
NAMED = {
    "1": [],
    "'''data.csv'''": [],
    "x = 'data.csv'": ["data.csv"],
    "x = b'data.csv'": ["data.csv"],
    "x = './data.csv'": ["data.csv"],
    "!cat data.csv": ["data.csv"],
    "%%bash\ncat data.csv": ["data.csv"],
    "x = 'sqlite:data.csv?mode=ro'": ["data.csv"],
    "x = 'data'": DATA,
    "x = 'data/*.csv'": ["data/a.csv", "data/part_1.csv"],
    "x = f'data/{y}.csv'": [*DATA, "data.csv"],  # by its pieces
    "x = f'data/{y}'": DATA,
    "x = f'data/part_{n}'": ["data/part_1.csv"],
    "x = 'data/part_%d.csv' % n": ["data/part_1.csv"],
    "x = 'data/part_' + n": ["data/part_1.csv"],
    "x = name + '.csv'": ["data.csv"],
    "%run script.py": ["script.py", "from_script.txt"],
    "open('helper.json')": ["helper.json"],
    "import_module('helper.attribute')": [
        "helper.py",
        *PACKAGE,
        "package/inner.py",
        "package/deeper.py",
    ],
    "import helper": ["helper.py", *PACKAGE, "package/inner.py", "package/deeper.py"],
    "from package import deeper": [*PACKAGE, "package/deeper.py"],
    "import_module('package.other')": [*PACKAGE, "package/other.py"],
    "not python ( 'data.csv'": [],
    "x = '/proc/cpuinfo /dev/null ~ . .. /'": [],
    "x = '\\0data.csv'": [],
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def named(folder, *cells, root=None):
    found = Look().follow(cells, folder, root or folder).files
    return sorted(os.path.relpath(file, folder) for file in found)


@pytest.mark.parametrize("cell", NAMED)
def test_what_a_cell_names(folder, cell):
    assert set(named(folder, cell)) == {*NAMED[cell], "matplotlibrc"}


def test_what_comes_is_named_too(folder):
    cells = ("import later\nx = 'data/*.csv', 'new.txt'",)
    before = named(folder, *cells)
    for name in ("later.py", "data/new.csv", "new.txt"):
        (folder / name).write_text("")
    assert set(named(folder, *cells)) - set(before) == {"later.py", "data/new.csv", "new.txt"}


def test_from_the_books_own_folder_only_what_looks_like_a_file_is_named(folder):
    page = folder / "data"
    assert named(page, "x = 'package'", root=folder) == []
    assert named(page, "x = 'package/other.py'", root=folder) == ["../package/other.py"]


def test_of_a_folder_with_too_many_files_its_names_count(folder, monkeypatch):
    monkeypatch.setattr("bookproof.inputs.MOST", 3)
    assert named(folder, "x = 'data'") == ["data", "matplotlibrc"]


@pytest.mark.parametrize(
    ("code", "name", "counts"),
    [
        ("os.getenv('MODE')", "MODE", True),
        ("x = 'BOOK_'", "BOOK_MODE", True),
        ("x = 'ABS'", "ABSENT", True),
        ("import gadget", "GADGET_MODE", True),
        ("1", "MPLBACKEND", True),
        ("1", "PYTHONHASHSEED", True),
        ("1", "PYTHON", False),
        ("1", "MODE", False),
    ],
)
def test_which_variables_count(code, name, counts):
    words = Look().follow((code,), Path("/nowhere"), Path("/nowhere")).words
    assert (name in variables(words, {name: "1"})) is counts


def test_a_command_is_followed_if_each_word_leads_somewhere(folder):
    assert is_followed(["cat", "-n", "data.csv"], str(folder))
    assert is_followed(["sh", "-c", "cat data.csv | sort"], str(folder))
    for words in ([], ["cat"], ["cat", "gone.csv"], ["nobody-has-this", "data.csv"]):
        assert not is_followed(words, str(folder))


def test_magics_are_read_as_what_they_call():
    assert python_of("x = 1") == "x = 1"
    assert "data.csv" in names_of(python_of("x = !cat data.csv")).texts
