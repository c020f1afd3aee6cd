"""The Makefile, with a stand-in for Python: what is called, when, and what a user reads."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]

# It notes each call, makes environments and installs nothing. Pip answers Ctrl-C with exit code 1.
PYTHON = r"""#!/bin/sh
printf '%s\n' "$*" >>"$STATE/calls"
pause() {
  trap : INT
  [ ! -e "$STATE/pause-in-$1" ] || { touch "$STATE/pauses"; "$REAL" -c '
import time
try:
    time.sleep(60)
except KeyboardInterrupt:
    raise SystemExit(1)'; } || exit 1
}
case "$*" in
  -c*) exec "$REAL" -c "import sys; VERSION; $2" ;;
  .ci/*) exec "$REAL" "$@" ;;
  "-m venv --clear"*) rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; pause venv ;;
  "-m venv"*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  "-m pip"*)
    env >"$STATE/environment"
    pause pip
    [ ! -e "$STATE/pip-fails" ] ;;
  *) if [ -e "$STATE/fails" ]; then case "$*" in
      *"$(cat "$STATE/fails")"*) exit "$(cat "$STATE/status" 2>/dev/null || echo 1)" ;;
    esac; fi ;;
esac
"""


PARALLEL = "-m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder"


class Clone:
    """A clone of the repository, as far as make sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "本 の 試し" / "repo"
        self.state = folder / "state"
        self.folder.mkdir(parents=True)
        self.state.mkdir()
        shutil.copy(ROOT / "Makefile", self.folder)
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        shutil.copy(ROOT / "constraints.txt", self.folder)
        shutil.copytree(ROOT / ".ci", self.folder / ".ci")
        (self.folder / "engine").mkdir()
        shutil.copy(ROOT / "engine" / "pyproject.toml", self.folder / "engine")
        self.venv = self.folder / ".venv"
        self.python3 = self.python("python3", (3, 12, 1))
        self.environment = {
            "PATH": f"{self.state}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.state),
            "LANG": "C",
            "TERM": "dumb",
            "STATE": str(self.state),
            "REAL": sys.executable,
        }

    def python(self, name: str, version: tuple[int, int, int]) -> Path:
        """Make a stand-in for a Python of that version, found on PATH under that name."""
        dotted = ".".join(map(str, version))
        code = f"sys.version_info, sys.version = {version}, {dotted!r}"
        return self.executable(name, PYTHON.replace("VERSION", code))

    def executable(self, name: str, text: str) -> Path:
        path = self.state / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["make", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def calls(self, start: str) -> list[str]:
        """Return the calls so far that start so, and forget them."""
        path = self.state / "calls"
        calls = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.write_text("", encoding="utf-8")
        return [call for call in calls if call.startswith(start)]

    def interrupt(self, number: signal.Signals, step: str) -> None:
        """Start `make html` and stop it in the middle of a step."""
        pause = self.state / f"pause-in-{step}"
        pause.touch()
        process = self.start("html")
        until = time.monotonic() + 300
        while not (self.state / "pauses").exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.2)
        os.killpg(process.pid, number)
        assert process.wait(timeout=300) != 0
        pause.unlink()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_make_alone_lists_the_targets(clone: Clone) -> None:
    listed = clone.make().stdout
    assert listed == clone.make("help").stdout
    assert re.findall(r"^  make (\S+) ", listed, re.MULTILINE) == [
        "help",
        "html",
        "live",
        "books",
        "watch",
        "test",
        "test-all",
        "coverage",
        "peers",
        "newest",
        "oldest",
        "accept",
        "elsewhere",
        "bench",
        "audit",
        "check",
        "renew",
        "clean",
    ]
    assert not clone.venv.exists()


@pytest.mark.parametrize(
    ("target", "command"),
    [
        (
            "html",
            "-m sphinx -n -W --keep-going -b html -c . -d _build/doctrees docs _build/html",
        ),
        (
            "books",
            (
                "-m sphinx -n -W --keep-going -b html -c . -d _build/doctrees "
                "-D takeaway_books=_build/epub,_build/paper docs _build/html"
            ),
        ),
        ("test", f'{PARALLEL} -m "not slow"'),
        (
            "watch",
            "-m bookproof watch -n -b html -c . -d _build/doctrees docs _build/html",
        ),
        ("accept", "-m bookproof accept docs"),
        ("types", "-m mypy"),
    ],
)
def test_a_target_makes_the_environment_and_runs_its_command(
    clone: Clone, target: str, command: str
) -> None:
    done = clone.make(target)
    assert done.returncode == 0, done.stderr
    assert f".venv/bin/python {command}\n" in done.stdout
    calls = clone.calls("-m")
    assert calls[0] == "-m venv --clear .venv"
    assert calls[1].endswith("--editable ./engine[test] --editable .[book,dev]")
    assert command.replace('"', "") in calls[2:]


def test_what_to_watch_with_can_be_said(clone: Clone) -> None:
    clone.make("watch", "ARGS=--open --port=8080")
    assert clone.calls("-m bookproof watch --open --port=8080 -n -b html -c . ")


def test_books_carry_the_date_of_the_commit_or_the_one_that_is_given(clone: Clone) -> None:
    clone.executable("git", "#!/bin/sh\necho 1700000000\n")
    python = clone.python3.read_text(encoding="utf-8")
    seen = '  *) echo "$SOURCE_DATE_EPOCH" >>"$STATE/dates"; if ['
    clone.executable("python3", python.replace("  *) if [", seen))
    clone.make("books")
    clone.make("books", SOURCE_DATE_EPOCH="1600000000")
    dates = (clone.state / "dates").read_text(encoding="utf-8").split()
    assert dates == ["1700000000"] * 3 + ["1600000000"] * 3


def test_what_is_opened_was_built_just_before(clone: Clone) -> None:
    done = clone.make("live")
    assert done.returncode == 0, done.stderr
    modules = re.findall(r"\.venv/bin/python -m (\w+(?: live)?)", done.stdout)
    assert modules == ["pip", "sphinx", "bookproof live"]
    (clone.state / "fails").write_text("-m sphinx", encoding="utf-8")
    done = clone.make("live")
    assert "bookproof live" in done.stdout, "an output that differs here keeps nobody from reading"
    (clone.state / "status").write_text("2", encoding="utf-8")
    done = clone.make("live")
    assert done.returncode != 0
    assert "bookproof live" not in done.stdout


def test_the_result_and_how_to_look_at_it_are_printed(clone: Clone) -> None:
    assert "_build/html/index.html" in clone.make("html").stdout


def test_nothing_is_installed_twice(clone: Clone) -> None:
    clone.make("test")
    clone.calls("")
    assert clone.make("html").returncode == 0
    assert not clone.calls("-m pip")


@pytest.mark.parametrize("name", ["pyproject.toml", "engine/pyproject.toml", "constraints.txt"])
def test_a_change_of_what_is_wanted_installs_again(clone: Clone, name: str) -> None:
    clone.make("test")
    clone.calls("")
    later = time.time() + 10
    os.utime(clone.folder / name, (later, later))
    clone.make("html")
    venv, pip, *_ = clone.calls("-m")
    assert venv == "-m venv .venv", "what is there is kept"
    assert pip.startswith("-m pip install")


def test_the_versions_are_those_of_record_unless_others_are_named(clone: Clone) -> None:
    clone.make("html")
    clone.make("html", CONSTRAINTS="/dev/null")
    used = [re.search(r"--constraint (\S+)", call)[1] for call in clone.calls("-m pip")]
    assert used == ["constraints.txt", "/dev/null"]


@pytest.mark.parametrize("step", ["venv", "pip"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_install_is_made_anew(
    clone: Clone, number: signal.Signals, step: str
) -> None:
    clone.interrupt(number, step)
    (clone.venv / "half-installed").touch()
    done = clone.make("html")
    assert done.returncode == 0, done.stderr
    assert not (clone.venv / "half-installed").exists()


def test_the_users_settings_do_not_get_in_the_way(clone: Clone) -> None:
    clone.make("html", PIP_USER="1")
    environment = (clone.state / "environment").read_text(encoding="utf-8").splitlines()
    assert {"PIP_USER=0", "PYTHONUTF8=1"} <= set(environment)


def test_a_failed_install_is_tried_again(clone: Clone) -> None:
    (clone.state / "pip-fails").touch()
    assert clone.make("html").returncode != 0
    assert not clone.calls("-m sphinx")
    (clone.state / "pip-fails").unlink()
    assert clone.make("html").returncode == 0
    assert clone.calls("-m pip")


def test_a_python_that_is_gone(clone: Clone) -> None:
    clone.make("html")
    (clone.venv / "bin" / "python").unlink()
    assert clone.make("html").returncode == 0
    assert (clone.venv / "bin" / "python").exists()


def test_a_folder_that_was_moved(clone: Clone) -> None:
    clone.make("html")
    clone.calls("")
    clone.folder = clone.folder.rename(clone.folder.with_name("another place"))
    clone.make("html")
    clone.make("html")
    assert len(clone.calls("-m pip")) == 1


def test_an_old_python_is_refused_and_does_not_cost_the_environment(clone: Clone) -> None:
    clone.make("html")
    (clone.venv / "bin" / "python").unlink()
    done = clone.make("html", f"PYTHON={clone.python('old', (3, 9, 18))}")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert clone.venv.exists()


@pytest.mark.parametrize("part", ["coverage run", "coverage report"])
def test_tests_and_coverage_both_decide(clone: Clone, part: str) -> None:
    (clone.state / "fails").write_text(part)
    assert clone.make("coverage").returncode != 0
    assert ("-m coverage report" in clone.calls("-m coverage")) == (part == "coverage report")


def test_the_slow_tests_run_whatever_the_others_say(clone: Clone) -> None:
    (clone.state / "fails").write_text("-m not slow")
    assert clone.make("test-all").returncode != 0
    assert any(call.endswith("-m slow") for call in clone.calls("-m pytest"))


def test_some_tests_alone_need_no_coverage(clone: Clone) -> None:
    clone.make("test", "ARGS=tests/test_x.py -x")
    assert clone.calls("-m pytest") == ["-m pytest tests/test_x.py -x"]
    clone.make("test", "ARGS=tests/test_x.py -x")
    assert not clone.calls("-m coverage")


def test_other_libraries_have_environments_of_their_own_and_are_all_tried(clone: Clone) -> None:
    (clone.state / "fails").write_text("norse")
    assert clone.make("peers").returncode != 0
    (clone.state / "fails").unlink()
    calls = clone.calls("-m")
    assert calls[0] == "-m venv .venv-peers"
    assert calls[1].endswith("--editable .[book,dev,peers]")
    assert "-m venv .venv-sinabs" in calls
    assert not clone.venv.exists()
    assert clone.make("peers").returncode == 0
    again = clone.calls("-m")
    tests = [call for call in again if call.startswith("-m pytest")]
    checks = [call for call in again if call.startswith("-m bookproof check docs/")]
    assert [len(tests), len(checks), len(again)] == [2, 2, 4]
    files = {path.name for path in (ROOT / "tests" / "neurons" / "peers").glob("test_*.py")}
    patterns = [Path(word).name for call in tests for word in call.split()[2:]]
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in files)


def test_environments_with_other_versions_keep_torch_at_the_one_of_record(clone: Clone) -> None:
    record = clone.folder / "constraints.txt"
    (torch,) = (line for line in record.read_text("utf-8").splitlines() if line[:7] == "torch==")
    pins = {}
    for name in ("newest", "oldest"):
        done = clone.make(name)
        assert done.returncode == 0, done.stderr
        pins[name] = (clone.folder / f".venv-{name}" / "constraints.txt").read_text("utf-8")
        first, *_, cells, examples = clone.calls("-m")
        assert first == f"-m venv .venv-{name}"
        assert cells == "-m bookproof check docs"
        assert examples == "-m pytest --doctest-modules snn_docs"
    assert pins["newest"] == f"{torch}\n"
    (first, *others) = pins["oldest"].splitlines()
    assert first == torch
    assert "matplotlib==3.11" in others
    assert not any(line.startswith("torch==") for line in others)


def test_sinabs_may_have_the_nir_that_it_needs(clone: Clone) -> None:
    clone.make("peers")
    held = {
        name: (clone.folder / f".venv-{name}" / "constraints.txt").read_text("utf-8").splitlines()
        for name in ("peers", "sinabs")
    }
    assert {line.split("==")[0] for line in set(held["peers"]) - set(held["sinabs"])} == {
        "nir",
        "nirtorch",
    }


def test_every_check_is_made_whichever_fails(clone: Clone) -> None:
    clone.executable("node", "#!/bin/sh\nexit 1\n")
    zizmor = "#!/bin/sh\nexit 0\n"
    clone.make("lint")
    (clone.venv / "bin" / "zizmor").write_text(zizmor)
    (clone.venv / "bin" / "zizmor").chmod(0o755)
    clone.calls("")
    (clone.state / "fails").write_text("ruff check")
    assert clone.make("check").returncode != 0
    assert "-m mypy" in clone.calls("-m")
    (clone.state / "fails").unlink()
    assert clone.make("check").returncode == 0
    assert {"-m ruff format --check", "tests/site/page_rules.py"} <= {
        call.strip() for call in clone.calls("")
    }


def test_without_node_the_text_is_skipped_aloud_and_never_in_ci(clone: Clone) -> None:
    clone.executable("node", "#!/bin/sh\nexit 1\n")
    local = clone.make("text")
    assert local.returncode == 0
    assert "skipped: textlint" in local.stdout
    assert clone.make("text", CI="1").returncode != 0


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_tools_are_installed_once(clone: Clone) -> None:
    npm = '#!/bin/sh\necho "npm $*" >>"$STATE/calls"\nmkdir -p node_modules\n'
    clone.executable("npm", npm)
    shutil.copy(ROOT / "package-lock.json", clone.folder)
    clone.make("text")
    assert [call.split()[1] for call in clone.calls("npm")] == ["ci", "run"]
    clone.make("text")
    assert [call.split()[1] for call in clone.calls("npm")] == ["run"]


def test_clean_keeps_the_environment(clone: Clone) -> None:
    clone.make("html")
    (clone.folder / "_build").mkdir()
    clone.make("clean")
    assert clone.venv.exists()
    assert not (clone.folder / "_build").exists()
