"""Pages run in real kernels, side by side, and stop at the first error."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from book_project import cell, settle_environment
from book_runs import (
    HOLDS_THE_LOCK,
    LEAVERS,
    SECONDS,
    SEGFAULT,
    printed,
    run,
    sleepers,
    statuses,
    unique_seconds,
    until,
    write,
)
from nbformat.v4 import new_output

from bookproof import machine
from bookproof import run as runs
from bookproof.compare import Status
from bookproof.kernels import start as starting
from bookproof.kernels.warm import FORKS
from bookproof.outputs import join_streams
from bookproof.page import read_page
from bookproof.report import describe, shown_path
from bookproof.run import run_pages
from bookproof.settings import Settings

pytestmark = pytest.mark.usefixtures("settled")
linux = pytest.mark.skipif(not FORKS, reason="warm kernels need Linux")

FAILED, NOT_RUN, MATCHES, SILENT = Status.FAILED, Status.NOT_RUN, Status.MATCHES, Status.SILENT


# Pages


def test_outputs_are_compared_and_counted(tmp_path):
    body = cell("x = 1"), cell("print(x)", 1), cell("x + 1", 2), cell("x", 2), cell("'膜電位'")
    [done] = run(write(tmp_path, *body, cell("x = 1", 1)))
    right, wrong = [SILENT, MATCHES, MATCHES], [Status.DIFFERS, Status.UNEXPECTED, Status.MISSING]
    assert statuses(done) == right + wrong
    assert done.checked == 2
    assert not done.ok
    assert not done.failure
    assert done.seconds > 0


def test_runs_come_in_the_order_of_the_pages_and_are_told_as_they_end(tmp_path):
    wait = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)"
    late = write(tmp_path, cell(f"{wait}\nprint('late')", "late"), name="late.md")
    soon = write(tmp_path, cell("print('soon')", "soon"), name="soon.md")
    told = []

    def tell(done):
        told.append(done.page.path)
        (tmp_path / "go").touch()

    assert [done.page.path for done in run(late, soon, done=tell)] == [late, soon]
    assert told == [soon, late]


def test_the_page_itself_is_left_as_it_was(tmp_path):
    page = read_page(write(tmp_path, cell("print(1)", 1)), Settings(modules=()))
    [done] = run_pages([page])
    assert page.notebook.cells[1].outputs == []
    assert done.notebook.cells[1].outputs[0].text == "1\n"
    assert done.notebook.cells[1].execution_count == 1
    assert done.notebook.metadata.language_info.name == "python"


# What kernels are given


def test_every_kernel_starts_in_the_same_way(tmp_path):
    code = (
        "import os, pathlib, sys\n"
        "print(pathlib.Path.cwd().name, hash('膜電位'), os.environ['OMP_NUM_THREADS'],"
        " os.environ['MKL_NUM_THREADS'], os.environ['PYTHONHASHSEED'])"
    )
    pages = [write(tmp_path, cell(code), name=f"部 分/{name}.md") for name in "ab"]
    one, two, cold = (printed(done) for done in run(*pages) + run(pages[0], warm=False))
    assert one == two == cold
    folder, _, *fixed = one[0].rsplit(" ", 4)
    assert folder == "部 分"
    assert fixed == ["1", "1", "0"]


def test_sockets_are_in_a_private_folder_that_goes_with_the_kernel(tmp_path):
    code = "from ipykernel.connect import get_connection_file\nprint(get_connection_file())"
    see = f"{code}\nimport json\nprint(open(get_connection_file()).read())"
    look = (
        "import os, pathlib\nfolder = pathlib.Path(get_connection_file()).parent\n"
        "print(folder.stat().st_mode & 0o077, *sorted(p.name for p in folder.glob('k-*')))"
    )
    [done] = run(write(tmp_path, cell(see), cell(look)))
    file, _, info = printed(done)[0].partition("\n")
    info = json.loads(info)
    assert info["transport"] == "ipc"
    assert Path(info["ip"]).parent == Path(file).parent
    assert printed(done)[1] == "0 k-1 k-2 k-3 k-4 k-5"
    assert not Path(file).parent.exists()


def test_windows_has_no_such_sockets(tmp_path, monkeypatch):
    page = read_page(write(tmp_path, cell("1")))

    def options():
        return starting.new_manager(page, tmp_path).config["KernelManager"]

    assert options()["transport"] == "ipc"
    monkeypatch.setattr(starting.sys, "platform", "win32")
    assert set(options()) == {"connection_file"}


def test_a_folder_for_temporary_files_may_have_any_name(tmp_path, monkeypatch):
    folder = tmp_path / f"仮 {50 * '置'}"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    page = write(tmp_path, cell("import tempfile\nprint(tempfile.gettempdir())", folder))
    assert [done.ok for done in run(page) + run(page, warm=False)] == [True, True]


def test_a_page_can_run_in_a_folder_that_is_removed(tmp_path):
    code = "import os\nopen('beside', 'w').close()\nprint(os.getcwd(), os.listdir())"
    [done] = run(write(tmp_path, cell(code), front="mystnb: {execution_in_temp: true}\n"))
    folder, _, names = printed(done)[0].partition(" ")
    assert names == "['beside']"
    assert not Path(folder).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


@pytest.fixture
def install_kernel(tmp_path, monkeypatch):
    """Let a kernel be found by its name."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    def install(name, argv, **other):
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": "python", **other}
        (folder / "kernel.json").write_text(json.dumps(spec))

    return install


def test_the_kernel_is_warm_where_the_page_wants_this_python(tmp_path, install_kernel):
    launch = ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    install_kernel("mine", launch)
    install_kernel("elsewhere", ["/opt/python", *launch[1:]])
    install_kernel("more", [*launch, "--debug"])
    install_kernel("env", launch, env={"A": "1"})
    install_kernel(
        "own", launch, metadata={"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
    )
    notebook = read_page(write(tmp_path, cell("1"))).notebook
    for name in ("python3", "mine", "elsewhere", "more", "env", "own", None):
        notebook.metadata.kernelspec = {"name": name} if name else {}
        ordinary = name or "python3"
        chosen = "warm-python3" if name in {"python3", "mine", None} else name
        assert starting.kernel_name(notebook, warm=True) == chosen
        assert starting.kernel_name(notebook, warm=False) == ordinary


# What stops a page


@pytest.mark.parametrize(
    ("head", "front"),
    [(":tags: [raises-exception]", ""), ("", "mystnb: {execution_allow_errors: true}\n")],
    ids=["of a cell", "of a page"],
)
def test_an_error_that_is_meant_is_an_output(tmp_path, head, front):
    meant = cell("1 / 0", "ZeroDivisionError: division by zero", head)
    [done] = run(write(tmp_path, meant, cell("print(2)", 2), front=front))
    assert done.ok
    assert not done.failure


def test_an_error_is_told_with_the_lines_of_the_page(tmp_path):
    body = cell("def fail():\n    1\n    return 1 / 0"), cell("2\n\nfail()")
    [done] = run(path := write(tmp_path, *body))
    assert done.verdicts[1].line == 18  # the line of the failing cell, not that of the function
    got = done.verdicts[1].got
    assert f"{shown_path(path)}:18\n" in got
    assert f"{shown_path(path)}:12, in fail()\n" in got
    assert "Cell In" not in got
    assert "\x1b" not in got


# Cells that fail, and the line within the cell.
LINES = {
    "1\n\nx =": 3,
    "1\ndef f(:": 2,
    "\n\n1 / 0": 3,
    "\n\nx =": 3,
    "x = [\n    1,\n    1 / 0,\n]": 3,
    "def f(n):\n    return 1 / n + f(n - 1)\nf(1)": 2,
    "%time 1 / 0": 1,
    "'Cell In[9], line 1'\nraise ValueError('Cell In[9], line 1')": 2,
    "1 / 0  # Cell In[1], line 99": 1,
    "raise ValueError('Cell In[2], line 2')": 1,  # where the fence is that closes the cell
    "get_ipython().run_cell('\\n' * 90 + '1 / 0').raise_error()": 1,
    "get_ipython().execution_count = 9\n1 / 0": 2,
}
# Cells that fail, and a part of what is told.
# ipykernel reads what is written to descriptor 2, and may not have when the process ends
LAST_WORDS = """\
import os, sys
os.write(sys.stderr._original_stdstream_copy, b"last words")
os._exit(0)"""
REASONS = {
    "%nosuch": "UsageError: Line magic function `%nosuch` not found.",
    "%%nosuch\n1": "UsageError: Cell magic `%%nosuch` not found.",
    "import sys\nsys.exit('over')": "SystemExit: over",
    "input()": "StdinNotImplementedError",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "import os\nos._exit(3)": "the kernel died: exit status 3",
    "import os\nos.kill(os.getpid(), 9)": "the kernel died: SIGKILL",
    SEGFAULT: "the kernel died: SIGSEGV",
    LAST_WORDS: "exit status 0\nlast words",
}
# Cells that never end, and one that leaves something running that does not.
ENDLESS = ["while True: pass", HOLDS_THE_LOCK, "import time\ntime.sleep(1000)"]
RUNS_ON = "import asyncio, time\nasyncio.get_event_loop().call_soon(time.sleep, 1000)\nNone"


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """The runs of pages with one of these cells each, and with one before and one after it."""
    with pytest.MonkeyPatch.context() as patch:
        settle_environment(patch, tmp_path_factory.getbasetemp())
        folder = tmp_path_factory.mktemp("failing")
        pages = {
            code: write(folder, cell("x = 0"), cell(code), cell("2"), name=f"{number}.md")
            for number, code in enumerate([*LINES, *REASONS])
        }
        for code in ENDLESS:
            name = f"endless-{len(pages)}.md"
            pages[code] = write(folder, cell(code), cell("2"), name=name, front=SECONDS.format(1))
        pages[RUNS_ON] = write(folder, cell(RUNS_ON), name="on.md", front=SECONDS.format(1))
        patch.setattr(machine, "processors", lambda: 4)
        patch.setattr(machine, "memory", lambda: 8 * machine.HELD)
        return dict(zip(pages, run(*pages.values()), strict=True))


@pytest.mark.parametrize("code", LINES)
def test_the_line_of_an_error_is_that_of_the_page(failing, code):
    assert statuses(failing[code]) == [SILENT, FAILED, NOT_RUN]
    assert failing[code].verdicts[1].line == 13 + LINES[code]


@pytest.mark.parametrize("code", REASONS)
def test_whatever_stops_a_cell_is_told_and_stops_its_page_alone(failing, code):
    assert statuses(failing[code]) == [SILENT, FAILED, NOT_RUN]
    assert REASONS[code] in failing[code].verdicts[1].got
    assert failing[code].failure


@pytest.mark.parametrize("code", ENDLESS)
def test_a_cell_that_runs_too_long_is_stopped(failing, code):
    assert statuses(failing[code]) == [FAILED, NOT_RUN]
    reason = "2 s (nb_execution_timeout is 1, pages to a processor: 2)"
    assert failing[code].verdicts[0].got == f"the cell ran longer than {reason}"


def test_a_page_that_has_a_processor_to_itself_has_the_books_time(tmp_path):
    [alone] = run(write(tmp_path, cell(ENDLESS[0]), front=SECONDS.format(1)))
    assert alone.verdicts[0].got == (
        "the cell ran longer than 1 s (nb_execution_timeout is 1, pages to a processor: 1)"
    )
    assert "Give the cell more time (nb_execution_timeout" in describe(alone.verdicts[0])


def test_a_book_says_how_many_pages_run_at_once(tmp_path):
    one = Settings(modules=(), at_once=1)
    pages = [write(tmp_path, cell("print(1)", 1), name=f"{name}.md") for name in "abc"]
    runs = run_pages([read_page(path, one) for path in pages])
    spans = sorted((done.started, done.started + done.seconds) for done in runs)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_what_runs_on_after_the_last_cell_is_stopped_as_well(failing):
    assert statuses(failing[RUNS_ON]) == [FAILED]
    assert "the cell ran longer than 2 s" in failing[RUNS_ON].verdicts[0].got


# How a page may end: as it should, or its kernel exits, is killed or takes too long.
ENDS = ["1", "os._exit(1)", "os.kill(os.getpid(), 9)", "while True: pass"]


@pytest.mark.slow
@linux
def test_no_process_outlives_its_page(tmp_path):
    leavers = [unique_seconds() for _ in ENDS]
    pages = [
        write(
            tmp_path,
            cell(LEAVERS.format(seconds=seconds), "on"),
            cell(end),
            name=f"{seconds}.md",
            front=SECONDS.format(5),
        )
        for seconds, end in zip(leavers, ENDS, strict=True)
    ]
    assert all(statuses(done)[0] is MATCHES for done in run(*pages))
    until(lambda: not any(map(sleepers, leavers)))


@linux
def test_a_page_keeps_what_it_has_started_while_others_end(tmp_path):
    seconds = unique_seconds()
    wait = (
        "while not os.path.exists('other'): pass\n"
        "while os.path.exists('/proc/' + open('other').read()): pass\n"
        "len(subprocess.run(seen, capture_output=True).stdout.split())"
    )
    page = write(tmp_path, cell(LEAVERS.format(seconds=seconds), "on"), cell(wait, 3))
    tell = "import os\nopen('new', 'w').write(str(os.getpid()))\nos.rename('new', 'other')"
    other = write(tmp_path, cell(tell), name="other.md")
    assert all(done.ok for done in run(page, other))


@pytest.mark.slow
@linux
def test_no_process_outlives_a_build_that_is_killed(tmp_path):
    seconds = unique_seconds()
    write(tmp_path, cell(LEAVERS.format(seconds=seconds)), cell("while True: pass"))
    command = [sys.executable, "-m", "bookproof", "check", "page.md"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as build:
        until(lambda: len(sleepers(seconds)) == 3)
        build.kill()
    until(lambda: not sleepers(seconds))


@pytest.mark.slow
@linux
def test_what_an_ordinary_kernel_has_started_ends_with_its_page(tmp_path):
    seconds = unique_seconds()
    child = (
        f"import subprocess\n_ = subprocess.Popen(['sleep', '{seconds}1'], start_new_session=True)"
    )
    path = write(tmp_path, cell(child), cell("while True: pass"), front=SECONDS.format(3))
    [done] = run(path, warm=False)
    assert statuses(done)[1] is FAILED
    until(lambda: not sleepers(seconds))


def test_output_without_end_is_stopped(tmp_path):
    loops = ["while True: print('膜電位' * 100)", "while True: display('膜電位' * 100)"]
    most = cell("print('1' * 999)", "1" * 999)
    settings = Settings(modules=(), longest=1000)
    paths = [write(tmp_path, most, cell(loop), name=f"{n}.md") for n, loop in enumerate(loops)]
    for done in run_pages([read_page(path, settings) for path in paths]):
        assert statuses(done) == [MATCHES, FAILED]
        assert done.verdicts[1].got == (
            "the page put out more than 1000 characters; put out less, or, if it is meant (an "
            "animation, say), let conf.py say more: book_longest_output"
        )


def run_with(kernel, folder, *cells):
    """Run a page in the kernel of this name."""
    path = write(folder, *cells)
    path.write_text(path.read_text().replace("python3", kernel))
    return run(path)[0]


def test_a_kernel_that_is_not_there_is_told(tmp_path):
    done = run_with("nobody-has-this", tmp_path, cell("1", 1), cell("2", 2))
    assert statuses(done) == [FAILED, NOT_RUN]
    reason = "there is no kernel 'nobody-has-this' here; install it, or name another one"
    assert done.verdicts[0].got == reason


def test_a_kernel_that_does_not_start_is_told_with_its_last_words(tmp_path, install_kernel):
    install_kernel("dies", [sys.executable, "-c", "import sys; sys.exit('no licence')"])
    done = run_with("dies", tmp_path, cell("1", 1))
    assert statuses(done) == [FAILED]
    assert done.verdicts[0].got == "the kernel died: exit status 1\nno licence"


def test_a_kernel_that_starts_slowly_is_asked_again(tmp_path, install_kernel, monkeypatch):
    monkeypatch.setattr(starting, "ASK_AGAIN", 0.02)  # so that the first answers come too late
    start = "from ipykernel.kernelapp import launch_new_instance as start; start()"
    install_kernel("slow", [sys.executable, "-c", start, "-f", "{connection_file}"])
    assert run_with("slow", tmp_path, cell("print(1)", 1)).ok


def test_a_kernel_that_never_answers_is_given_up(tmp_path, install_kernel, monkeypatch):
    monkeypatch.setattr(starting, "ASK_AGAIN", 0.02)
    monkeypatch.setattr(runs, "KERNEL_SECONDS", 0)
    install_kernel("deaf", [sys.executable, "-c", "import threading; threading.Event().wait()"])
    done = run_with("deaf", tmp_path, cell("print(1)", 1))
    assert statuses(done) == [FAILED]
    assert done.verdicts[0].got == "the kernel did not answer within 0 s"


def test_a_page_that_is_interrupted_is_not_told_to_have_ended(tmp_path):
    endless = write(tmp_path, cell("while True: pass", 1), name="endless.md")
    soon = write(tmp_path, cell("print('soon')", "soon"), name="soon.md")
    told = []

    def interrupt(done):
        told.append(done.page.path)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(endless, soon, done=interrupt)
    assert told == [soon]


# Streams


def test_neighbouring_chunks_of_one_stream_are_joined():
    def stream(text, name="stdout"):
        return new_output("stream", name=name, text=text)

    figure = new_output("display_data", data={"image/png": ""})
    chunks = [stream("a"), stream("b"), stream("c", "stderr"), stream("d"), figure, stream("e")]
    joined = [stream("ab"), stream("c", "stderr"), stream("d"), figure, stream("e")]
    assert join_streams(chunks) == joined


def test_what_a_page_prints_in_many_pieces_is_one_output(tmp_path):
    code = "import sys\nfor n in range(3):\n    print(n)\n    sys.stdout.flush()"
    [done] = run(write(tmp_path, cell(code, "0\n1\n2")))
    assert done.ok
    assert [output.text for output in done.notebook.cells[1].outputs] == ["0\n1\n2\n"]


def test_an_output_that_is_lost_is_not_taken_for_none(tmp_path, monkeypatch):
    class Losing(runs.Client):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options | {"iopub_timeout": 1})

        def process_message(self, *_):
            return None

    monkeypatch.setattr(runs, "Client", Losing)
    [lost] = run(write(tmp_path, cell("print(1)")))
    [verdict] = lost.verdicts
    assert verdict.status is FAILED
    assert verdict.got == "the kernel has ended the cell, but its output was lost"


def test_a_page_that_breaks_its_kernels_messages_fails_alone(tmp_path):
    broken = write(
        tmp_path, cell("import json\njson.dumps = lambda *_, **__: chr(123)\nprint(1)", 1)
    )
    right = write(tmp_path, cell("print(1)", 1), name="right.md")
    one, other = run(broken, right)
    assert FAILED in statuses(one)
    assert other.ok
