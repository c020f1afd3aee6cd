"""The command line itself: what it understands, and what it says of itself."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from book_project import cell, page

from bookproof import commands
from bookproof.__main__ import main


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Watch what is asked for, instead of doing it."""
    seen = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(commands, "execute", lambda options: seen.append(options) or 7)
    return seen


@pytest.mark.parametrize(
    "arguments", [[], ["chekc"], ["check", "--fast"], ["accept", "--anew"], ["run"]]
)
def test_what_it_does_not_understand_is_refused(capsys, arguments, asked):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m bookproof" in capsys.readouterr().err
    assert not asked


@pytest.mark.parametrize(
    ("arguments", "anew"),
    [(["check"], False), (["check", "--anew"], True), (["accept"], False)],
)
def test_what_is_asked_for(asked, arguments, anew):
    assert main(arguments) == 7
    [options] = asked
    assert options.command == arguments[0]
    assert [str(path) for path in options.paths] == ["docs"]
    assert options.anew is anew


@pytest.mark.slow
def test_the_exit_status_is_that_of_the_process(tmp_path):
    command = [sys.executable, "-m", "bookproof", "check", "missing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "no such page or folder: missing\n"
    assert done.stdout == ""


@pytest.mark.slow
def test_ctrl_c_keeps_what_has_run(book):
    book.write("a.md", page(cell("print(1)", 1)))
    book.write("b.md", page(cell("import time\ntime.sleep(600)")))
    command = [sys.executable, "-m", "bookproof", "check", "."]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert re.match(r"\[1/2\] a\.md: ", first)
    assert rest.endswith("\ninterrupted; the outputs of pages that have ended are kept\n")
    assert "Traceback" not in rest
    assert process.returncode == 130
    assert [path.name.partition("-")[0] for path in Path("_build/.book").iterdir()] == ["a"]
