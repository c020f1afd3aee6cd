"""Warm kernels: real ipykernels, forked from a template process that has imported what is slow.

`bookproof.kernels.provisioner` offers them to Jupyter. This module does without Jupyter, so that a
template starts before anything else is imported.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KERNEL = "warm-python3"
FORKS = sys.platform == "linux"
"""Whether a process that has imported much may be forked; elsewhere, system libraries forbid it."""

LONGEST = 70
"""Bytes of a folder that sockets may be in: an address has 103 at most, some of them our own."""
ANSWERS = 4096
TEMPLATE_SECONDS = 60
"""Seconds that a template may take to answer, and to end."""
# The same hashes and the same order of sums on every machine, unless the book wants it otherwise.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# No compiled modules: Python takes one for the source's own if that was saved again within a
# second, with as many bytes.
BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
# the debugger's warning is for debuggers
QUIET = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
PASSING = {
    "PYTHONEXECUTABLE",  # jupyter_client takes it away
    "DOCUTILSCONFIG",  # Sphinx sets it for itself
    # what each shell, terminal, session, make and test has of its own
    "_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "TERM_SESSION_ID", "WINDOWID",
    "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "STY", "TMUX", "TMUX_PANE", "XDG_SESSION_ID",
    "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MAKEFLAGS", "MAKELEVEL", "MFLAGS",
    "MAKE_TERMERR", "MAKE_TERMOUT", "PYTEST_CURRENT_TEST", "PYTEST_VERSION",
    "PYTEST_XDIST_TESTRUNUID", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT",
}  # fmt: skip
"""The variables that are another one from build to build, and that kernels start without."""


def sockets_folder() -> str:
    """Return a folder for temporary files whose name is short enough for sockets."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= LONGEST else "/tmp"  # noqa: S108


class NoKernelError(Exception):
    """A template can't fork a kernel."""


class Template:
    """A template process, seen from outside. It ends with this object, or with this process."""

    def __init__(self, modules: Sequence[str], environment: dict[str, str]) -> None:
        self.folder = tempfile.mkdtemp(prefix="book-", dir=sockets_folder())
        self.address = os.path.join(self.folder, "template")  # noqa: PTH118
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(socket.SOMAXCONN)
            script = Path(__file__).with_name("template.py")
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, str(script), str(listener.fileno()), *modules],
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,  # closes when this process ends, however it ends
                env=environment | QUIET,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for this process, which then ends the template
            )
        self.close = weakref.finalize(self, end_template, self.process, self.folder, os.getpid())

    def is_there(self) -> bool:
        """Whether the process is there; it need not be a child of this one, which may be a fork."""
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(self.address) == 0

    async def fork(self, job: dict[str, Any], streams: Sequence[int]) -> ForkedKernel:
        """Let the template fork a kernel. Raises `NoKernelError` if it can't."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self.address)
            socket.send_fds(connection, [json.dumps(job).encode() + b"\n"], streams)
            connection.setblocking(False)  # noqa: FBT003
            # an answer is short enough to come whole; a second one says that the kernel has ended
            async with asyncio.timeout(TEMPLATE_SECONDS):
                data = await asyncio.get_running_loop().sock_recv(connection, ANSWERS)
        except TimeoutError:
            data = b'{"error": "the template process does not answer"}'
        except OSError:
            data = b""
        except BaseException:
            connection.close()
            raise
        first, _, rest = (data or b'{"error": "the template process has ended"}').partition(b"\n")
        found = json.loads(first)
        if "error" in found:
            connection.close()
            raise NoKernelError(found["error"])
        return ForkedKernel(found["pid"], connection, rest)


def end_template(process: subprocess.Popen[bytes], folder: str, owner: int) -> None:
    """End the process of a template, and remove its folder, unless a fork of its owner asks."""
    if os.getpid() != owner:  # a fork of the owner
        return
    if process.stdin:
        process.stdin.close()
    process.terminate()  # which it heeds as long as it imports, when it has no kernel yet
    try:
        process.wait(TEMPLATE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


class ForkedKernel:
    """A kernel that a template forked, with the part of `subprocess.Popen` that Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, connection: socket.socket, received: bytes) -> None:
        self.pid, self.connection, self._received = pid, connection, received
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status if the kernel has ended."""
        if self.returncode is None:
            try:
                data = self._received or self.connection.recv(ANSWERS)
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            self.connection.close()
            if data:
                self.returncode = json.loads(data)["status"]
            else:  # the template was killed, and the kernel with it, but not what that started
                self.returncode = -signal.SIGKILL
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
        return self.returncode

    def wait(self) -> int:
        """Wait for the kernel's end and return its exit status."""
        while (status := self.poll()) is None:
            time.sleep(0.002)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel and to what it started."""
        if self.poll() is None:
            for send in (os.killpg, os.kill):  # the group is there once the kernel has made it
                with suppress(ProcessLookupError):
                    send(self.pid, number)
                    return


TEMPLATES: dict[tuple[object, ...], Template] = {}


def template(modules: Sequence[str], environment: Mapping[str, str]) -> Template:
    """Return the running template of these modules and this environment, or start one."""
    own = lasting(environment)
    key = (*modules, *sorted(own.items()))
    if key not in TEMPLATES or not TEMPLATES[key].is_there():
        TEMPLATES[key] = Template(modules, own)
    return TEMPLATES[key]


def warm_up(modules: Sequence[str], variables: Mapping[str, str] = ENVIRONMENT) -> None:
    """Start the template that a run of pages needs, so that it is ready sooner."""
    if FORKS:
        template(modules, environment(variables))


def environment(variables: Mapping[str, str] = ENVIRONMENT) -> dict[str, str]:
    """Return the environment in which the kernels of pages start, with a book's own variables."""
    own = {name: str(value) for name, value in variables.items()}
    return lasting(os.environ) | BYTECODE | own


def lasting(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are the same from build to build."""
    # in a test, ipykernel would not capture what is written to file descriptors
    return {name: value for name, value in variables.items()
            if name not in PASSING and not name.startswith("JPY_")}  # fmt: skip
