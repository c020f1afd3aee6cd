"""How a page's kernel is started, and what it is asked: what it lacks, what the page used."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from traitlets.config import Config

from bookproof.kernels.warm import KERNEL, environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbformat import NotebookNode

    from bookproof.page import Page

KERNEL_SECONDS = 60
"""Seconds that a kernel may take to start, and an output to come."""
ASK_AGAIN = 1.0
"""Seconds until a kernel that has not answered is asked again."""
START_VARIABLE = "BOOKPROOF_START"
"""The variable that gives a command of the user's the code that kernels start with."""
OPTIONS = ["--HistoryManager.hist_file=:memory:", "--ipython-dir={}/ipython"]
"""What a kernel's command line says: that a user's configuration and history of IPython are not its
own, `{}` being a private folder."""
_FILE = Path(__file__).with_name("net.py")
_CODE = f"compile({_FILE.read_text(encoding='utf-8')!r}, {str(_FILE)!r}, 'exec')"
START = f"(lambda box: exec({_CODE}, box) or box['start']())({{'__name__': 'bookproof.net'}})"
"""Code that spreads the net; it leaves no name behind."""
READ = (
    "(lambda box: __import__('sys').audit('bookproof.used', box) or "
    "__import__('json').dumps(box))({})"
)
"""An expression that says what was used so far: by an event, since no page can take a hook away."""


class PromptKernelClient(AsyncKernelClient):
    """A kernel's client that is ready as soon as the kernel is, where Jupyter's waits for silence.

    Silence of 0.2 s, since what a kernel had to say before could be taken for a cell's output.
    nbclient does not take it: it looks at the request that each message belongs to.
    """

    language_info: Mapping[str, Any]

    def _context_default(self) -> Any:  # noqa: ANN401
        context = super()._context_default()
        context.reconnect_ivl = 10  # ms: a kernel's sockets are not there yet
        return context

    async def wait_for_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Wait until the kernel answers, and until its outputs arrive here."""
        seconds = KERNEL_SECONDS if timeout is None else timeout
        end = time.monotonic() + seconds
        while not await self._answers():
            if not await self.is_alive():
                raise DeadKernelError("the kernel died before it answered")
            if time.monotonic() > end:
                raise TimeoutError(f"the kernel did not answer within {seconds} s")

    async def _answers(self) -> bool:
        """Ask the kernel what it is, and listen for a while."""
        request = self.kernel_info()
        try:
            async with asyncio.timeout(ASK_AGAIN):
                reply = await self._recv_reply(request)
                state = ""
                while state != "idle":
                    message = await self.get_iopub_msg()
                    state = message["content"].get("execution_state", "")
        except TimeoutError:
            return False
        self._handle_kernel_info_reply(reply)
        self.language_info = reply["content"]["language_info"]
        return True


class StartError(Exception):
    """The code that a book has its kernels start with failed."""


def starting(code: str) -> str:
    """Return code that runs a book's own as a module of its own: it leaves no name behind."""
    box = {"__name__": "book_start"}
    return f"exec(compile({code!r}, 'book_start', 'exec'), {box!r})"


def kernel_name(notebook: NotebookNode, *, warm: bool) -> str:
    """Return the name of a page's kernel: of the warm one, where the page wants this Python."""
    name = notebook.metadata.get("kernelspec", {}).get("name", "python3")
    return KERNEL if warm and _is_this_python(name) else str(name)


@cache
def _is_this_python(name: str) -> bool:
    """Whether a kernel is an ordinary one of this Python, as ipykernel installs it."""
    spec = KernelSpecManager().get_kernel_spec(name)
    start, *rest = spec.argv
    here = start in {"python", "python3", "python{}.{}".format(*sys.version_info), sys.executable}
    plain = not spec.env and "kernel_provisioner" not in spec.metadata
    return here and plain and rest == ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


SETS = re.compile(r"environ(b?\[[^]\n]*\]\s*=(?!=)|\.(update|setdefault|pop)\b)|putenv|"
                  r"^\s*%(set_)?env\s+\w+[ =]", re.MULTILINE)  # fmt: skip
"""Code that sets a variable of the environment."""


def new_manager(
    page: Page,
    private: Path,
    *,
    warm: bool = True,
) -> AsyncKernelManager:
    """Return the manager of a kernel for a page, with its sockets and files in a private folder."""
    manager = {"connection_file": str(private / "kernel.json")}
    if sys.platform != "win32":
        # a socket in a private folder: a TCP port is open to every user of the machine
        manager |= {"transport": "ipc", "ip": str(private / "k")}
    # MPLBACKEND, OMP_NUM_THREADS and the like count when a module is imported, and not after
    sets = any(SETS.search(cell.source) for cell in page.cells)
    modules = [] if sets else list(page.settings.modules)
    return AsyncKernelManager(
        kernel_name=kernel_name(page.notebook, warm=warm),
        client_factory=PromptKernelClient,
        config=Config(KernelManager=manager, WarmProvisioner={"modules": modules}),
    )


async def launch(manager: AsyncKernelManager, page: Page, private: Path, log: IO[bytes]) -> None:
    """Start a page's kernel in the page's folder, or in a fresh one.

    What it prints outside of cells goes into the log.
    """
    folder = page.path.parent.resolve()
    if page.config.execution_in_temp:
        folder = private / "work"
        folder.mkdir()
    (private / "ipython").mkdir()
    # as a shell in this folder has them
    variables = {"PWD": str(folder)} | dict(page.settings.environment)
    await manager.start_kernel(
        extra_arguments=[option.format(private) for option in OPTIONS],
        env=environment(variables),
        cwd=str(folder),
        stdout=log,
        stderr=log,
    )


async def kill(manager: AsyncKernelManager) -> None:
    """Kill a kernel, if it is there, and what it has started.

    Workers in sessions of their own do not end with it. A template sees to that for its own
    kernels, also where they have lost track of it themselves.
    """
    if not manager.has_kernel:
        return
    started: list[psutil.Process] = []
    if pid := getattr(manager.provisioner, "pid", None):
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(pid).children(recursive=True)
    try:
        await manager.shutdown_kernel(now=True)
    finally:
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@dataclass(frozen=True, slots=True)
class Used:
    """What a page used."""

    files: Mapping[str, str] = field(default_factory=dict)
    """What it opened and listed, and the modules that it loaded, each with its stamp then."""
    written: tuple[str, ...] = ()
    """The files that it made or emptied before it read them, and the folders that it made."""
    asked: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    """The commands and addresses: the event, the cell's number in the kernel, and the words."""
    modules: tuple[str, ...] = ()
    """The first names of the modules that were loaded."""


def read_used(answer: Mapping[str, Any], own: Path) -> Used | None:
    """Read a kernel's answer to `READ`; another Python has none, nor a page that tampers with it.

    ``own`` is a folder that was made for this kernel alone: what lies there, nobody finds again.
    """
    try:
        found = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
        asked = [(str(event), int(cell), tuple(words)) for event, cell, words in found["asked"]]
        if found["python"] != [sys.prefix, sys.version]:
            return None  # nobody here knows which packages another one has
        return Used(
            dict(found["used"]),
            (*found["written"], str(own.resolve())),
            tuple(asked),
            tuple(found["modules"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError, SyntaxError):
        return None


def question(names: Sequence[str]) -> str:
    """Return an expression for those packages that can't be imported. It imports none of them."""
    find = "__import__('importlib.util').util.find_spec"
    return f"[name for name in {list(names)!r} if not {find}(name)]"


def missing(names: Sequence[str]) -> list[str]:
    """Return those packages that can't be imported here."""
    return list(eval(question(names)))  # noqa: S307


def read_answer(answer: Mapping[str, Any]) -> frozenset[str]:
    """Read a kernel's answer to `question`."""
    return frozenset(ast.literal_eval(answer["data"]["text/plain"]))
