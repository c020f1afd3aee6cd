"""The Makefile: what is called, in which order, and what a user reads.

Most of it is asked of ``make -n``, which prints what it would run. Where something must have run,
the programs ``true`` and ``false`` stand for a Python with which all goes well, or nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("Makefile", "pyproject.toml", "constraints.txt", ".ci/oldest.py", "engine/pyproject.toml")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


class Clone:
    """A clone of the repository, as far as make sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "本 の 試し" / "repo"
        for name in FILES:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        self.venv = self.folder / ".venv"
        self.programs = folder / "programs"
        self.programs.mkdir()

    def program(self, name: str, text: str) -> Path:
        """Put a shell script before all other programs of that name."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def python(self, stand_in: str | Path) -> None:
        """Let a program be the environment's Python."""
        (self.venv / "bin").mkdir(parents=True, exist_ok=True)
        (self.venv / "bin" / "python").unlink(missing_ok=True)
        (self.venv / "bin" / "python").symlink_to(shutil.which(stand_in) or stand_in)

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env={"PATH": path, "LANG": "C", "TERM": "dumb", "PYTHON": sys.executable} | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def commands(self, *arguments: str) -> list[str]:
        """Return what would be run, line by line."""
        done = self.make("--dry-run", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def install(self, pip: str = "true") -> int:
        """Make an environment whose pip does nothing, or fails; return how that ended."""
        self.python(pip)
        done = self.make(".venv/installed", "PYTHON=true")
        if done.returncode == 0:
            self.python(sys.executable)
        return done.returncode


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_make_alone_lists_the_targets_and_makes_nothing(clone: Clone) -> None:
    """Those of the list are the documented ones, which the test of the documents compares."""
    listed = clone.make().stdout
    assert listed == clone.make("help").stdout
    documented = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"^  make (\S+) ", listed, re.MULTILINE) == documented
    assert not clone.venv.exists()


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["html"], "-m sphinx "),
        (["test", "ARGS=tests/test_x.py"], "-m pytest tests/test_x.py"),
        (["accept", "ARGS=docs/lif.md"], "-m bookproof accept docs/lif.md"),
    ],
)
def test_a_target_makes_the_environment_and_runs_its_command(
    clone: Clone, arguments: list[str], command: str
) -> None:
    venv, pip, run, *_ = (
        line for line in clone.commands(*arguments) if " -m " in line and "sys.exit" not in line
    )
    assert venv.endswith("-m venv --clear .venv")
    assert pip.endswith("--editable './engine[test]' --editable '.[book,dev]'")
    assert run.startswith(f".venv/bin/python {command}")


def test_what_users_have_set_does_not_get_in_the_way_and_books_have_the_commits_date(
    clone: Clone,
) -> None:
    clone.program("git", "echo 1700000000")
    told = 'books: told\ntold: ; +@echo "$$PIP_USER $$PYTHONUTF8 $$SOURCE_DATE_EPOCH"\n'
    (clone.folder / "told.mk").write_text(told, encoding="utf-8")
    ask = ["--dry-run", "-f", "Makefile", "-f", "told.mk", "books"]
    assert "0 1 1700000000\n" in clone.make(*ask, PIP_USER="1", PYTHONUTF8="0").stdout
    assert "0 1 1600000000\n" in clone.make(*ask, SOURCE_DATE_EPOCH="1600000000").stdout


@pytest.mark.parametrize("status", [0, 1, 2])
def test_what_is_opened_was_built_just_before(clone: Clone, status: int) -> None:
    """An output that differs here, with which a build ends with 1, keeps nobody from reading."""
    clone.install()
    clone.python(clone.program("build", f"exit {status}"))
    said = clone.make("--old-file=.venv/installed", "--old-file=.venv/lab", "lab").stdout
    modules = re.findall(r"\.venv/bin/python (?:-m |\S*/)(\w+)", said)
    assert modules == ["sphinx", "lab", "jupyterlab"][: 3 - status]  # it stands for all three


# ---- The environment ----


def installs(commands: list[str]) -> list[str]:
    """Return what makes an environment, and what fills it."""
    return [line for line in commands if " -m venv " in line or " -m pip " in line]


def test_nothing_is_installed_twice(clone: Clone) -> None:
    assert clone.install() == 0
    assert not installs(clone.commands("html"))


@pytest.mark.parametrize("name", ["pyproject.toml", "engine/pyproject.toml", "constraints.txt"])
def test_a_change_of_what_is_wanted_installs_again(clone: Clone, name: str) -> None:
    clone.install()
    later = time.time() + 10
    os.utime(clone.folder / name, (later, later))
    venv, pip = installs(clone.commands("html"))
    assert "--clear" not in venv, "what is there is kept"
    assert '--constraint "$CONSTRAINTS"' in pip


def test_a_failed_install_is_made_anew(clone: Clone) -> None:
    assert clone.install(pip="false") != 0
    venv, _ = installs(clone.commands("html"))
    assert venv.endswith("-m venv --clear .venv")


def test_an_interrupted_install_is_made_anew(clone: Clone) -> None:
    """What says that one is finished is gone before pip begins, and comes after it."""
    clone.install()
    commands = clone.commands("html", "CONSTRAINTS=/dev/null")
    (pip,) = (n for n, line in enumerate(commands) if " -m pip " in line)
    marks = [n for n, line in enumerate(commands) if ".venv/installed" in line]
    assert [n < pip for n in marks] == [True, False]
    assert commands[marks[0]].startswith("rm -f .venv/installed;")


@pytest.mark.parametrize("gone", ["python", "place", "versions"])
def test_another_python_place_or_version_installs_again(clone: Clone, gone: str) -> None:
    clone.install()
    if gone == "python":
        (clone.venv / "bin" / "python").unlink()
    elif gone == "place":
        clone.folder = clone.folder.rename(clone.folder.with_name("another place"))
    assert installs(clone.commands("html", *["CONSTRAINTS=/dev/null"] * (gone == "versions")))


def test_an_old_python_is_refused_and_does_not_cost_the_environment(clone: Clone) -> None:
    clone.install()
    (clone.venv / "bin" / "python").unlink()
    old = f"exec '{sys.executable}' -c \"import sys; sys.version_info = (3, 9, 18); $2\""
    done = clone.make("html", f"PYTHON={clone.program('old', old)}")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert (clone.venv / "installed").exists()


def test_clean_keeps_the_environment(clone: Clone) -> None:
    clone.install()
    (clone.folder / "_build").mkdir()
    assert clone.make("clean").returncode == 0
    assert clone.venv.exists()
    assert not (clone.folder / "_build").exists()


# ---- Environments with other versions ----


def test_other_libraries_have_environments_of_their_own(clone: Clone) -> None:
    commands = clone.commands("peers")
    for name in ("peers", "sinabs"):
        venv, pip = (line for line in installs(commands) if f".venv-{name}" in line)
        assert venv.endswith(f"-m venv .venv-{name}")
        assert pip.endswith(f'--editable ".[book,dev,{name}]"')
    assert not [line for line in commands if ".venv/" in line]
    tests = [line.partition(" -m pytest ")[2] for line in commands if " -m pytest " in line]
    assert (
        len([line for line in commands if " -m bookproof check docs/" in line]) == len(tests) == 2
    )
    files = {path.name for path in (ROOT / "tests" / "neurons" / "peers").glob("test_*.py")}
    patterns = [Path(word).name for line in tests for word in line.split()]
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in files)


@pytest.mark.slow
def test_other_environments_are_held_to_what_must_not_be_another(clone: Clone) -> None:
    """Torch is the one of record everywhere; Sinabs may have the nir that it needs."""
    held = {}
    for name in ("newest", "oldest", "peers", "sinabs"):
        done = clone.make(f".venv-{name}/installed", "install=true")
        assert done.returncode == 0, done.stderr
        text = (clone.folder / f".venv-{name}" / "constraints.txt").read_text(encoding="utf-8")
        held[name] = text.splitlines()
    record = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert held["peers"] == record
    assert {line.split("==")[0] for line in {*record} - {*held["sinabs"]}} == {"nir", "nirtorch"}
    (torch,) = (line for line in record if line.startswith("torch=="))
    assert held["newest"] == [torch]
    assert [line for line in held["oldest"] if line.startswith("torch==")] == [torch]
    assert "matplotlib==3.11" in held["oldest"]


# ---- Tests and checks ----


def test_every_part_is_run_whichever_fails(clone: Clone) -> None:
    parts = ["lint", "types", "workflows", "text", "pages", "records"]
    failing = f".venv/installed: ;\n{' '.join(parts)}: ; @echo $@; false\n"
    (clone.folder / "failing.mk").write_text(failing, encoding="utf-8")
    done = clone.make("-f", "Makefile", "-f", "failing.mk", "check")
    assert done.returncode != 0
    assert done.stdout.split() == parts


def test_without_node_the_text_is_skipped_aloud_and_never_in_ci(clone: Clone) -> None:
    clone.program("node", "exit 1")
    local = clone.make("text")
    assert local.returncode == 0
    assert "skipped: textlint" in local.stdout
    assert clone.make("text", CI="1").returncode != 0


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_tools_are_installed_once(clone: Clone) -> None:
    clone.program("npm", "echo npm called with $1; mkdir -p node_modules")
    shutil.copy(ROOT / "package-lock.json", clone.folder)
    called = [re.findall(r"npm called with (\S+)", clone.make("text").stdout) for _ in range(2)]
    assert called == [["ci", "run"], ["run"]]
