"""Warm kernels are real ones: whoever knows their name can use them, with nothing patched."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import nbformat
import pytest
from book_project import cell
from book_runs import PATIENCE, is_alive, run, write
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from traitlets.config import Config

from bookproof.kernels import provisioner, warm
from bookproof.kernels.provisioner import WarmProvisioner
from bookproof.kernels.warm import FORKS
from bookproof.outputs import join_streams
from bookproof.result import outputs_of

pytestmark = pytest.mark.usefixtures("settled")
linux = pytest.mark.skipif(not FORKS, reason="warm kernels need Linux")

# A line that only a kernel prints whose parent is a template.
PARENT = "import os\nprint(open(f'/proc/{os.getppid()}/cmdline').read().split('\\0')[1])"
TEMPLATE = str(Path(warm.__file__).with_name("template.py"))


@pytest.fixture
def manager():
    """Manage a warm kernel of an empty template, and shut it down after the test."""
    manager = KernelManager(
        kernel_name="warm-python3", config=Config(WarmProvisioner={"modules": []})
    )
    yield manager
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


class Session:
    """A client of a kernel, as a person at a console would be."""

    def __init__(self, manager):
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, code, meanwhile=lambda _: None):
        """Run code; tell `meanwhile` what it prints, and return all of it and the reply."""
        texts = []

        def hook(message):
            if message["msg_type"] == "stream":
                texts.append(message["content"]["text"])
                meanwhile(texts[-1])

        reply = self.client.execute_interactive(code, output_hook=hook, timeout=PATIENCE)
        return "".join(texts), reply["content"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stop_channels()


# By name


def test_the_provisioner_and_the_kernelspec_are_installed():
    [entry] = entry_points(group="jupyter_client.kernel_provisioners", name="warm")
    assert entry.load() is WarmProvisioner
    spec = KernelSpecManager().get_kernel_spec(warm.KERNEL)
    assert spec.metadata["kernel_provisioner"]["provisioner_name"] == "warm"
    source = Path(warm.__file__).with_name("kernelspec") / "kernel.json"
    assert json.loads(source.read_text()) == json.loads(
        Path(spec.resource_dir, "kernel.json").read_text()
    )
    python = KernelSpecManager().get_kernel_spec("python3")
    assert spec.argv == python.argv
    assert spec.language == python.language


# ipykernel reads in a thread of its own what C writes; a cell that has ended has it no more.
FROM_C = """\
import ctypes, sys, threading
was_read, write, libc = threading.Event(), sys.stdout.write, ctypes.CDLL(None)
sys.stdout.write = lambda text: (write(text), was_read.set())
libc.puts(b"from C"), libc.fflush(None), was_read.wait(60)
sys.stdout.write = write
"""


@linux
def test_nbclient_knows_it_by_name(monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # by which ipykernel does not capture what C writes
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    codes = [
        PARENT,
        "import asyncio\nawait asyncio.sleep(0, 'top level')",
        "from IPython.display import HTML\nHTML('<b>rich</b>')",
        "handle = display('before', display_id=True)\nhandle.update('after')",
        "%%python\nprint('magic')",
        "!echo shell",
        FROM_C,
        "import numpy\nnumpy.arange(2)",
        "import os\nos.environ['OMP_NUM_THREADS']",
    ]
    cells = [nbformat.v4.new_code_cell(code) for code in codes]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="warm-python3", allow_errors=True).execute()
    outputs = [join_streams(cell.outputs)[-1] for cell in notebook.cells]
    assert outputs[0].text == f"{TEMPLATE}\n"
    assert outputs[1].data["text/plain"] == "'top level'"
    assert outputs[2].data["text/html"] == "<b>rich</b>"
    assert outputs[3].data["text/plain"] == "'after'"
    assert [output.text.strip() for output in outputs[4:7]] == ["magic", "shell", "from C"]
    assert outputs[7].data["text/plain"] == "array([0, 1])"
    assert outputs[8].ename == "KeyError"  # what the book's pages get is not forced on others


@linux
def test_a_manager_starts_interrupts_restarts_and_shuts_it_down(manager):
    manager.start_kernel()
    first = manager.provisioner.pid
    with Session(manager) as session:
        assert session.run(PARENT)[0] == f"{TEMPLATE}\n"
        assert session.run("x = 1\nprint(os.getpid())")[0] == f"{first}\n"
        loop = "print('started', flush=True)\nwhile True: pass"
        _, reply = session.run(loop, meanwhile=lambda _: manager.interrupt_kernel())
        assert reply["ename"] == "KeyboardInterrupt"
        assert session.run("print(x)")[0] == "1\n"
    manager.restart_kernel()
    second = manager.provisioner.pid
    assert not is_alive(first)
    with Session(manager) as session:
        assert session.run("print('x' in globals())")[0] == "False\n"
    manager.restart_kernel(now=True)
    third = manager.provisioner.pid
    assert len({first, second, third}) == 3
    assert manager.is_alive()
    assert asyncio.run(manager.provisioner.get_provisioner_info())["pid"] == third
    manager.shutdown_kernel()
    assert not is_alive(second)
    assert not is_alive(third)
    assert not manager.is_alive()


@linux
def test_a_killed_one_has_ended_when_that_returns(manager, monkeypatch):
    """Jupyter looks again only after 0.1 s, for which each page would wait."""
    manager.start_kernel()
    with monkeypatch.context() as patch:
        patch.setattr(warm.ForkedKernel, "send_signal", lambda *_: None)
        patch.setattr(provisioner, "ENDS", 0.01)
        asyncio.run(manager.provisioner.kill())  # a kernel that the system holds
    assert manager.provisioner.process.returncode is None
    asyncio.run(manager.provisioner.kill())
    assert manager.provisioner.process.returncode == -signal.SIGKILL


@linux
def test_a_kernel_may_be_warm_after_an_ordinary_one_and_the_other_way_round(
    manager, tmp_path, caplog
):
    (tmp_path / "zmq.py").touch()
    manager.start_kernel(cwd=str(tmp_path))
    assert isinstance(manager.provisioner.process, subprocess.Popen)
    assert "an ordinary kernel instead of a warm one: " in caplog.text
    (tmp_path / "zmq.py").unlink()
    manager.restart_kernel(now=True)
    assert isinstance(manager.provisioner.process, warm.ForkedKernel)
    with Session(manager) as session:
        loop = "print('started', flush=True)\nwhile True: pass"
        _, reply = session.run(loop, meanwhile=lambda _: manager.interrupt_kernel())
        assert reply["ename"] == "KeyboardInterrupt"
        assert session.run("import os\nprint(os.getcwd())")[0] == f"{tmp_path}\n"
    (tmp_path / "zmq").mkdir()
    (tmp_path / "zmq" / "__init__.py").touch()
    manager.restart_kernel(now=True)
    assert isinstance(manager.provisioner.process, subprocess.Popen)


@linux
@pytest.mark.parametrize("reads", [True, False])
def test_who_reads_its_output_or_has_another_command_gets_an_ordinary_one(manager, caplog, reads):
    if not reads:
        manager.kernel_spec.argv = [sys.executable, "-c", "", "{connection_file}"]
    manager.start_kernel(**{"stdout": subprocess.PIPE} if reads else {})
    assert isinstance(manager.provisioner.process, subprocess.Popen)
    assert not caplog.records


@linux
@pytest.mark.parametrize("stream", ["file", "number", None])
def test_what_it_writes_outside_of_cells_goes_where_the_client_says(
    manager, tmp_path, stream, capfd
):
    with (tmp_path / "log").open("w+") as log:
        chosen = {"file": log, "number": log.fileno()}.get(stream)
        manager.start_kernel(stderr=chosen)
        with Session(manager) as session:
            session.run("import os, sys\nos.write(int(sys.__stderr__.fileno()), b'deep\\n')")
        log.seek(0)
        assert ("deep\n" in log.read()) == bool(stream)
    assert ("deep\n" in capfd.readouterr().err) == (not stream)


# Without forks


def test_where_processes_cannot_be_forked_an_ordinary_kernel_does_the_same(
    tmp_path, monkeypatch, caplog
):
    code = (
        "import os, sys\nnames = sorted(set(os.environ) - {'JPY_PARENT_PID'})\n"
        "print(os.getcwd(), hash('a'), os.environ['OMP_NUM_THREADS'], sys.argv[0], names)\n"
        "print(sys.orig_argv[:4], len(sys.orig_argv))"
    )
    path = write(tmp_path, cell(code), cell("1 / 0", "ZeroDivisionError: division by zero",
                                            ":tags: [raises-exception]"))  # fmt: skip
    [forked] = run(path)
    monkeypatch.setattr(warm, "FORKS", False)
    monkeypatch.setattr(warm, "Template", None)
    monkeypatch.setattr(warm, "TEMPLATES", {})
    warm.warm_up(())
    [ordinary] = run(path)
    assert outputs_of(ordinary.notebook) == outputs_of(forked.notebook)
    assert ordinary.used.asked == forked.used.asked
    assert not caplog.records


@linux
def test_where_a_template_is_of_no_use_an_ordinary_kernel_does_the_work_with_a_warning(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "odd.py").write_text("1 / 0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    [done] = run(write(tmp_path, cell("print(1)", 1)), modules=["odd"])
    assert done.ok
    reason = "importing odd raises ZeroDivisionError('division by zero')"
    assert f"an ordinary kernel instead of a warm one: {reason}" in caplog.text
