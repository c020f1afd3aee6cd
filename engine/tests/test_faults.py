"""Whatever goes wrong, a run ends, says so, and leaves no process and no half result.

What a cell can do to its page is in `test_run`, what happens to a template in `test_template`, and
to results that are kept in `test_store`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from book_project import CONF, cell, settle_environment
from book_runs import (
    PATIENCE,
    alive_with,
    is_alive,
    printed,
    run,
    statuses,
    template,
    until,
    write,
)

from bookproof.compare import Status
from bookproof.kernels.warm import FORKS
from bookproof.page import read_page
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results

pytestmark = pytest.mark.usefixtures("settled")
linux = pytest.mark.skipif(not FORKS, reason="warm kernels need Linux")

MARK = "BOOK_TEST_MARK"
CHILD = (
    "import os, subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
)


def wait(name):
    """Code that says that it is there, and waits until the test lets it go on."""
    return (
        "import os, time\nfrom pathlib import Path\n"
        f"Path('tmp').write_text(str(os.getpid()))\nPath('tmp').rename('{name}.there')\n"
        "while not Path('go').exists(): time.sleep(0.005)"
    )


@pytest.fixture
def start():
    """Start something beside the test."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit


# Kernels and templates


@linux
def test_a_template_that_is_killed_ends_the_run_and_the_next_has_another(tmp_path, start):
    code = f"{CHILD}\nopen('child', 'w').write(str(child.pid))\n{wait('page')}\nchild.kill()"
    paths = [write(tmp_path / name, cell(code), cell("1", 1)) for name in "ab"]
    there = [path.with_name("page.there") for path in paths]
    ran = start(run, *paths)
    until(lambda: all(file.exists() for file in there))
    killed = template().process
    killed.kill()
    for done in ran.result():
        assert statuses(done) == [Status.FAILED, Status.NOT_RUN]
        assert done.verdicts[0].got == "the kernel died: SIGKILL"
    assert not any(is_alive(int(file.read_text())) for file in there)
    children = [int(path.with_name("child").read_text()) for path in paths]
    until(lambda: not any(map(is_alive, children)))
    for path in paths:
        path.with_name("go").touch()
    assert all(done.ok for done in run(*paths))
    assert template().process.pid != killed.pid


def test_a_page_may_fork_and_have_pools_and_threads(tmp_path):
    forks = (
        "import os, warnings\n"
        "warnings.simplefilter('ignore')  # 3.12 and newer: a kernel has threads\n"
        "pid = os.fork()\nif not pid:\n    os._exit(7)\nos.waitpid(pid, 0)[1] >> 8"
    )
    pool = (
        "from concurrent.futures import ProcessPoolExecutor as Pool\nimport multiprocessing as mp\n"
        "with Pool(1, mp.get_context({})) as pool:\n    print(*pool.map(abs, [-1, 2]))"
    )
    thread = "from threading import Thread\nt = Thread(target=print, args=[1])\nt.start()\nt.join()"
    gather = "import asyncio\nawait asyncio.gather(*(asyncio.sleep(0, n) for n in range(2)))"
    bodies = [
        cell(forks, 7),
        cell(pool.format("'fork'"), "1 2"),
        cell(pool.format("'spawn'"), "1 2"),
        cell(thread, 1),
        cell(gather, [0, 1]),
    ]
    done = run(*(write(tmp_path, body, name=f"{n}.md") for n, body in enumerate(bodies)))
    assert [printed(one) for one in done if not one.ok] == []


# Builds


class Build:
    """Checks a book in a process of its own."""

    def __init__(self, folder, **environment):
        self.folder, self.mark = folder, str(uuid.uuid4())
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bookproof", "check", "."],
            cwd=folder,
            env=os.environ | {MARK: self.mark} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def started(self):
        """Return the processes that it has started."""
        return set(alive_with(MARK, self.mark)) - {self.process.pid}

    def end(self):
        """Wait for its end, and for that of all that it started; return its status and words."""
        said, messages = self.process.communicate(timeout=PATIENCE)
        until(lambda: not self.started())
        return self.process.returncode, said, messages


def write_book(folder):
    """Write a book with a page that ends soon, and one that waits with a process of its own."""
    write(folder, cell("print('soon')", "soon"), name="soon.md")
    write(folder, cell(f"{CHILD}\n{wait('slow')}\nchild.kill()"), cell("'膜'"), name="slow.md")
    (folder / "conf.py").write_text(CONF)


@pytest.fixture
def slow_book(tmp_path):
    write_book(tmp_path)
    return tmp_path


def read_pages(folder):
    return [read_page(path, find_settings(path)) for path in sorted(folder.rglob("*.md"))]


def check(folder):
    """Check the books in a folder in this process."""
    return run_outdated(read_pages(folder), Results())


def kept(folder):
    """Return the pages whose results are kept; there are no others, and nothing half-written."""
    results = Results()
    names = [page.path.stem for page in read_pages(folder) if results.load(page)]
    there = [file.name.split("-")[0] for file in folder.glob("_build/.book/*.json")]
    assert sorted(there) == names, results.reasons
    return names


def when_it_has_started_a_process(build):
    until(build.started)


def when_a_page_runs(build):
    until((build.folder / "slow.there").exists)


def when_a_result_is_kept(build):
    until(lambda: list(build.folder.glob("_build/.book/soon-*.json")))


STOPS = {
    "killed soon": (signal.SIGKILL, lambda _: time.sleep(0.5)),
    "killed when it has started a process": (signal.SIGKILL, when_it_has_started_a_process),
    "killed when a page runs": (signal.SIGKILL, when_a_page_runs),
    "killed when a result is kept": (signal.SIGKILL, when_a_result_is_kept),
    "interrupted when it has started a process": (signal.SIGINT, when_it_has_started_a_process),
    "interrupted when a page runs": (signal.SIGINT, when_a_page_runs),
    "terminated when a page runs": (signal.SIGTERM, when_a_page_runs),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Stop builds at these moments, and check each book again; return what came of it all."""
    folder = tmp_path_factory.mktemp("stopped")

    def stop(name):
        number, wait_for = STOPS[name]
        write_book(folder / name)
        with Build(folder / name) as build:
            wait_for(build)
            build.process.send_signal(number)
            return *build.end(), kept(folder / name)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        settle_environment(patch, tmp_path_factory.getbasetemp())
        ended = dict(zip(STOPS, pool.map(stop, STOPS), strict=True))
        for name in STOPS:
            (folder / name / "go").touch()
        again = check(folder)
    return {
        name: (*ended[name], [done.ok for done in again if done.page.path.parent.name == name])
        for name in STOPS
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", STOPS)
def test_a_build_that_is_stopped_leaves_nothing_behind_and_the_next_is_right(stopped, name):
    status, _, messages, left, again = stopped[name]
    number, _ = STOPS[name]
    assert status == (130 if number == signal.SIGINT else -number)
    assert ("interrupted; " in messages) == (number == signal.SIGINT)
    assert "Traceback" not in messages
    assert left in ([], ["soon"])
    assert again == [True, True]


@pytest.mark.slow
def test_two_builds_at_once_are_both_right(slow_book):
    with Build(slow_book) as one, Build(slow_book) as two:
        until(lambda: len(one.started()) > 1 and len(two.started()) > 1)
        (slow_book / "go").touch()
        for build in (one, two):
            status, said, messages = build.end()
            assert status == 0, messages
            assert "outputs that match: 1, wrong cells: 0" in said
    assert kept(slow_book) == ["soon"]


@pytest.mark.slow
def test_any_place_and_any_locale_will_do(tmp_path):
    folder = tmp_path / "部 分" / "膜電位の本"
    write(folder, cell("print('膜電位')", "膜電位"), cell("print('閾値')", 1), name="頁 一.md")
    (folder / "conf.py").write_text(CONF)
    # not LC_ALL, by which Python itself does not start if .venv lies in a Japanese folder
    with Build(folder, LANG="C", LC_ALL="", LC_CTYPE="", PYTHONUTF8="") as build:
        status, said, messages = build.end()
    assert status == 1, messages
    assert "頁 一.md:22: the cell does not print what the page says" in said
    assert "    +閾値\n" in said
    assert "outputs that match: 1, wrong cells: 1" in said
