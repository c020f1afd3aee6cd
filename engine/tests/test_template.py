"""The template process: what it forks, what it refuses to fork, and that nothing outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from book_project import cell, needs
from book_runs import alive_with, is_alive, printed, run, template, until, write

from bookproof.kernels import warm
from bookproof.kernels.libraries import USUAL

pytestmark = [
    pytest.mark.usefixtures("settled"),
    pytest.mark.skipif(not warm.FORKS, reason="warm kernels need Linux"),
]
ALL = [*USUAL, "numpy.random"]
MANY_THREADS = {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "4"}


def end_of(forked):
    """Wait for the end of a kernel, but not for ever; return its exit status."""
    until(lambda: forked.poll() is not None)
    return forked.wait()


@pytest.fixture
def start():
    """Start a template; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(*modules, **environment):
            started = warm.Template(modules, warm.environment() | environment)
            stack.callback(started.close)
            return started

        yield start


@pytest.fixture(scope="module")
def shared():
    """A template for the tests that leave it as it was."""
    shared = warm.Template((), warm.environment())
    yield shared
    shared.close()


@pytest.fixture
def fork(tmp_path):
    """Let a template fork a kernel, and wait until it has begun; it ends with the test."""
    kernels = []

    def fork(parent, *, argv=None, cwd=tmp_path, wait=True):
        file = tmp_path / f"{len(kernels)}.json"
        sockets = ["-f", str(file), "--transport=ipc", f"--ip={file.with_suffix('')}"]
        job = {"argv": argv or sockets, "env": dict(os.environ), "cwd": str(cwd)}
        with (tmp_path / "stdout").open("w") as out, (tmp_path / "stderr").open("w") as err:
            forked = asyncio.run(parent.fork(job, [out.fileno(), err.fileno()]))
        kernels.append(forked)
        if wait and not argv:
            until(file.exists)
        return forked

    yield fork
    for forked in kernels:
        forked.send_signal(signal.SIGKILL)
        end_of(forked)


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """Write a module that a template can import."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return lambda name, text: (folder / f"{name}.py").write_text(text)


class TestKernels:
    """What a template forks."""

    def test_its_exit_status_comes_back(self, shared, fork):
        for number in (signal.SIGTERM, signal.SIGKILL):
            forked = fork(shared)
            assert forked.poll() is None
            os.kill(forked.pid, number)
            assert end_of(forked) == -number
            assert forked.poll() == -number
            assert not is_alive(forked.pid)

    def test_it_can_be_killed_before_it_has_begun(self, shared, fork):
        for _ in range(5):
            forked = fork(shared, wait=False)
            forked.send_signal(signal.SIGKILL)
            assert end_of(forked) == -signal.SIGKILL

    def test_it_writes_where_it_is_told(self, shared, fork, tmp_path):
        assert end_of(fork(shared, argv=["--help"])) == 0
        assert "--ipython-dir" in (tmp_path / "stdout").read_text()
        assert (tmp_path / "stderr").read_text() == ""

    def test_it_has_a_session_a_folder_and_a_parent(self, shared, fork, tmp_path):
        forked = fork(shared)
        assert os.getsid(forked.pid) == os.getpgid(forked.pid) == forked.pid
        assert Path(f"/proc/{forked.pid}/cwd").readlink() == tmp_path
        assert Path(f"/proc/{forked.pid}/fd/0").readlink() == Path(os.devnull)
        assert f"PPid:\t{shared.process.pid}\n" in Path(f"/proc/{forked.pid}/status").read_text()

    def test_it_keeps_nothing_open_that_belongs_to_others(self, shared, fork):
        others = [fork(shared) for _ in range(3)]
        forked = fork(shared)
        sockets = Path("/proc/net/unix").read_text().splitlines()
        numbers = {line.split()[6] for line in sockets if line.endswith(shared.address)}
        assert len(numbers) == 5  # the one that listens, and a connection for each kernel
        held = {str(file.readlink()) for file in Path(f"/proc/{forked.pid}/fd").iterdir()}
        assert not held & {f"socket:[{number}]" for number in numbers}
        assert [other.poll() for other in others] == [None, None, None]

    @needs("torch", "matplotlib")
    def test_what_one_does_to_itself_no_later_one_sees(self, tmp_path):
        change = (
            "import os, random, sys, warnings\nimport numpy as np, torch\n"
            "import matplotlib.pyplot as plt\n"
            "os.chdir('/')\nos.environ['BOOK'] = '1'\nsys.path.insert(0, 'nowhere')\n"
            "random.seed(1)\nnp.random.seed(1)\ntorch.manual_seed(1)\n"
            "torch.set_default_dtype(torch.float64)\ntorch.set_num_threads(3)\n"
            "plt.rcParams['lines.linewidth'] = 9\nplt.switch_backend('agg')\n"
            "warnings.simplefilter('ignore')\nsys.modules['antigravity'] = os\n"
            "print(torch.rand(1), np.random.rand(), random.random())"
        )
        look = (
            "import os, random, sys, warnings\nimport numpy as np, torch\n"
            "import matplotlib.pyplot as plt\n"
            "print(os.path.basename(os.getcwd()), 'BOOK' in os.environ, 'nowhere' in sys.path,"
            " 'antigravity' in sys.modules, torch.get_default_dtype(), torch.get_num_threads(),"
            " plt.rcParams['lines.linewidth'], plt.get_backend(), plt.isinteractive(),"
            " warnings.filters)\n"
            "print(torch.rand(1), np.random.rand(), random.random())"
        )
        first = write(tmp_path, cell(look), name="a.md")
        second = write(tmp_path, cell(change), name="b.md")
        before, seeded, after = (
            printed(run(page, modules=ALL)[0])[0].splitlines() for page in (first, second, first)
        )
        start = f"{tmp_path.name} False False False torch.float32 1 1.5 module://matplotlib_inline"
        assert before[0] == after[0]
        assert before[0].startswith(start)
        assert len({before[1], seeded[0], after[1]}) == 3

    def test_it_has_what_an_import_set_in_the_environment(self, tmp_path, write_module):
        write_module("sets", "import os\nos.environ['SET'] = os.environ['PYTHONHASHSEED'] = '7'")
        code = "import os, sets\nos.environ['SET'], os.environ['PYTHONHASHSEED']"
        assert run(write(tmp_path, cell(code, ("7", "7"))), modules=["sets"])[0].ok

    @needs("torch", "matplotlib")
    def test_it_computes_with_all_its_threads(self, tmp_path, monkeypatch):
        """A kernel forked after a large operation would hang here."""
        for name, value in MANY_THREADS.items():
            monkeypatch.setitem(warm.ENVIRONMENT, name, value)
        code = (
            "import torch, numpy as np\na, b = torch.ones(999, 999), np.ones((999, 999))\n"
            "print((a @ a)[5, 5].item(), a.sum().item(), (b @ b)[5, 5])"
        )
        path = write(tmp_path, cell(code, "999.0 998001.0 999.0"))
        assert all(done.ok for done in run(path, path, modules=USUAL))
        tasks = Path(f"/proc/{template(USUAL).process.pid}/task")
        assert len(list(tasks.iterdir())) == 1  # the imports ran no operation

    @pytest.mark.parametrize(
        "modules", [[], pytest.param(USUAL, marks=needs("torch", "matplotlib"))]
    )
    def test_nothing_is_left_to_import_until_it_answers(self, tmp_path, modules):
        code = (
            "import os, sys\nfrom bookproof.kernels import template\n"
            "folder, *modules = sys.argv[1:]\nassert template.prepare(modules)[0] == ''\n"
            "before = set(sys.modules)\n"
            "template.become_kernel(['-f', f'{folder}/kernel.json', '--transport=ipc',"
            " f'--ip={folder}/k', '--HistoryManager.hist_file=:memory:'])\n"
            "with open(f'{folder}/late', 'w') as late:\n"
            "    print(*set(sys.modules) - before, file=late)\n"
            "os._exit(0)"
        )
        subprocess.run([sys.executable, "-c", code, tmp_path, *modules], check=True)
        assert (tmp_path / "late").read_text().split() == []


class TestEnds:
    """However a template, or who asked it, ends: no kernel is left."""

    def test_of_a_connection(self, shared, fork):
        forked, other = fork(shared), fork(shared)
        forked.connection.shutdown(socket.SHUT_RDWR)
        until(lambda: not is_alive(forked.pid))
        assert other.poll() is None

    def test_of_the_standard_input(self, start, fork):
        parent = start()
        kernels = [fork(parent) for _ in range(2)]
        os.kill(kernels[0].pid, signal.SIGSTOP)
        parent.process.stdin.close()
        assert parent.process.wait() == 0
        until(lambda: not any(is_alive(forked.pid) for forked in kernels))
        assert [forked.poll() for forked in kernels] == [-signal.SIGKILL] * 2

    def test_of_the_standard_input_before_all_is_imported(self, start, write_module, tmp_path):
        waits = f"import os\nwhile not os.path.exists({str(tmp_path / 'closed')!r}): pass"
        write_module("long", waits)
        parent = start("long", BOOK_TEST="early")
        until(lambda: alive_with("BOOK_TEST", "early"))
        parent.process.stdin.close()
        (tmp_path / "closed").touch()
        assert parent.process.wait() == 0
        until(lambda: not alive_with("BOOK_TEST", "early"))

    def test_of_the_template_by_force(self, start, fork):
        parent = start()
        kernels = [fork(parent) for _ in range(2)]
        os.kill(kernels[0].pid, signal.SIGSTOP)  # as good as one that holds Python's lock
        parent.process.kill()
        until(lambda: not any(is_alive(forked.pid) for forked in kernels))
        assert [forked.poll() for forked in kernels] == [-signal.SIGKILL] * 2
        with pytest.raises(warm.NoKernelError, match="the template process has ended"):
            fork(parent)

    def test_of_the_object(self, start, fork):
        parent = start()
        forked = fork(parent)
        parent.close()
        assert parent.process.returncode == 0
        until(lambda: not is_alive(forked.pid))
        assert not Path(parent.folder).exists()

    def test_of_whoever_asks_before_the_answer(self, shared, fork):
        for words in (b"", b"{", b'{"argv": ['):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(shared.address)
                connection.sendall(words)
        assert fork(shared).poll() is None


class TestRefusals:
    """What a template says it can't do; it goes on doing the rest."""

    def test_a_folder_that_is_not_there(self, shared, fork, tmp_path):
        with pytest.raises(warm.NoKernelError, match=r"No such file or directory: .*missing"):
            fork(shared, cwd=tmp_path / "missing")
        assert fork(shared).poll() is None

    @pytest.mark.parametrize("name", ["zmq.py", "zmq.abi3.so", "zmq/__init__.py"])
    def test_a_folder_with_a_module_that_an_imported_one_hides(self, shared, fork, tmp_path, name):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        with pytest.raises(warm.NoKernelError, match=r"zmq.* is in the place of a module"):
            fork(shared)

    def test_not_a_folder_with_other_modules(self, shared, fork, tmp_path):
        for name in ("helper.py", "json.py", "zmq.txt", "zmq/data.csv", "zmq_too.py"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        assert fork(shared).poll() is None
        (tmp_path / "zmq" / "__init__.py").touch()
        with pytest.raises(warm.NoKernelError, match=f"^{tmp_path}/zmq is in the place of"):
            fork(shared)

    def test_a_module_that_leaves_threads(self, start, fork, write_module):
        begin = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
        write_module("worker", f"import threading\n{begin}")
        with pytest.raises(warm.NoKernelError, match="after importing worker, 2 threads run"):
            fork(start("worker"))

    @needs("torch", "matplotlib")
    def test_a_module_that_runs_a_large_operation(self, start, fork, write_module):
        write_module("large", "import torch\ntorch.ones(999, 999) @ torch.ones(999, 999)")
        with pytest.raises(warm.NoKernelError, match="threads run instead of 1"):
            fork(start("large", **MANY_THREADS))

    @pytest.mark.parametrize(
        ("source", "trouble"),
        [
            ("print('hello')", "prints 'hello\\n'"),
            ("import os; os.write(2, b'deep')", "prints 'deep'"),
            ("import warnings; warnings.warn('old')", "UserWarning: old"),
            ("1 / 0", "raises ZeroDivisionError('division by zero')"),
            ("import sys; sys.exit(3)", "raises SystemExit(3)"),
            ("import nosuch", """raises ModuleNotFoundError("No module named 'nosuch'")"""),
        ],
    )
    def test_a_module_that_prints_or_fails(self, start, fork, write_module, source, trouble):
        write_module("odd", source)
        with pytest.raises(warm.NoKernelError, match=re.escape(trouble)) as told:
            fork(start("json", "odd"))
        assert str(told.value).startswith("importing odd ")

    def test_a_module_that_ends_the_process(self, start, fork, write_module):
        write_module("deadly", "import os; os._exit(3)")
        with pytest.raises(warm.NoKernelError, match="the template process has ended"):
            fork(start("deadly"))

    def test_a_module_that_never_ends(self, start, fork, write_module, monkeypatch):
        write_module("endless", "import threading\nthreading.Event().wait()")
        parent = start("endless")
        monkeypatch.setattr(warm, "TEMPLATE_SECONDS", 0.1)
        with pytest.raises(warm.NoKernelError, match="the template process does not answer"):
            fork(parent)
        monkeypatch.undo()
        parent.close()
        assert parent.process.returncode == -signal.SIGTERM

    def test_a_module_that_never_ends_and_does_not_listen(
        self, start, write_module, monkeypatch, tmp_path
    ):
        deaf = (
            f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen({str(tmp_path / 'begun')!r}, 'w')"
        )
        write_module("deaf", f"import signal, threading\n{deaf}\nthreading.Event().wait()")
        parent = start("deaf")
        until((tmp_path / "begun").exists)
        monkeypatch.setattr(warm, "TEMPLATE_SECONDS", 0.1)
        parent.close()
        assert parent.process.returncode == -signal.SIGKILL

    def test_a_cache_that_an_import_looks_for_and_makes_does_not_count_as_changed(
        self, start, fork, write_module, tmp_path
    ):
        cache = tmp_path / "cache"
        write_module(
            "cached",
            f"try: open({str(cache)!r})\nexcept OSError: open({str(cache)!r}, 'w').close()",
        )
        parent = start("cached")
        fork(parent)
        cache.write_text("another")
        with pytest.raises(warm.NoKernelError, match="cache has changed since it was imported"):
            fork(parent)

    def test_a_module_of_the_project_that_was_saved_since(
        self, start, fork, write_module, tmp_path
    ):
        write_module("own", "A = 1")
        parent = start("own")
        fork(parent)
        write_module("own", "A = 2")
        with pytest.raises(warm.NoKernelError, match=r"own\.py has changed since it was imported"):
            fork(parent)
        (tmp_path / "modules" / "own.py").unlink()
        with pytest.raises(warm.NoKernelError, match=r"own\.py has changed since"):
            fork(parent)

    def test_not_a_module_that_starts_a_process(self, start, fork, write_module, tmp_path):
        begin = "import subprocess\np = subprocess.Popen('cat', stdin=subprocess.PIPE)\n"
        write_module("helper", f"{begin}open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid))")
        parent = start("helper")
        first, ended = fork(parent), fork(parent)
        ended.send_signal(signal.SIGKILL)
        end_of(ended)
        fork(parent)  # by then, the template has ended what that one left
        helper = int((tmp_path / "pid").read_text())
        assert is_alive(helper)
        os.kill(helper, signal.SIGKILL)
        assert fork(parent).poll() is None
        assert first.poll() is None
