"""Runs pages in Jupyter kernels through nbclient, several side by side."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import re
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from myst_nb.core.render import strip_ansi
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets.config import Config

from snn_docs.book.compare import Status, Verdict, judge
from snn_docs.book.kernel import KERNEL, environment, socket_folder
from snn_docs.book.optional import question, read_answer, show_records
from snn_docs.book.report import shown_path
from snn_docs.book.trace import READ, START, Trace, read_trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from jupyter_client.client import KernelClient
    from nbformat import NotebookNode

    from snn_docs.book.page import Page

IN_FLIGHT = 4 * (os.cpu_count() or 1)
"""Pages that run at a time: more than processors, since a kernel that starts mostly waits."""
LONGEST = 10_000_000
"""Characters that a page may put out."""
PATIENCE = 60
"""Seconds that a kernel may take to start, and that an output may take to arrive."""
ASK_AGAIN = 1.0
"""Seconds until a kernel that has not answered is asked again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What stopped a page."""

    index: int
    """The cell's place among all cells of the page's notebook."""
    reason: str
    line: int | None = None
    """The line of the page that failed, if that is known."""


@dataclass(frozen=True, slots=True)
class Run:
    """A page that was run: the notebook with its outputs, and a verdict for each cell."""

    page: Page
    notebook: NotebookNode
    verdicts: tuple[Verdict, ...]
    started: float = 0.0
    """When, in seconds since the epoch."""
    seconds: float = 0.0
    failed: bool = False
    trace: Trace | None = None
    """What the outputs depend on; unknown in other languages than Python."""
    missing: frozenset[str] = frozenset()
    """The packages that some cells need, and for lack of which they were not run."""
    kept: bool = False
    """Whether this is how the page ran before, which still holds."""

    @property
    def ok(self) -> bool:
        """Whether the page is right about every cell."""
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def checked(self) -> int:
        """How many outputs were compared and found right."""
        return sum(verdict.status is Status.MATCHES for verdict in self.verdicts)

    @property
    def recorded(self) -> int:
        """How many outputs are records, since their cells were not run."""
        blocks = [v.cell.expected for v in self.verdicts if v.status is Status.RECORDED]
        return sum(block is not None for block in blocks)


def run_pages(
    pages: Sequence[Page], *, warm: bool = True, done: Callable[[Run], None] = lambda _: None
) -> list[Run]:
    """Run pages side by side, in warm kernels where there are any, and judge their cells.

    Each page is reported to ``done`` when it has ended.
    """

    async def run_all() -> list[Run]:
        slots = asyncio.Semaphore(IN_FLIGHT)
        async with asyncio.TaskGroup() as group:  # at Ctrl-C, it waits until all have cleaned up
            tasks = [group.create_task(_run(page, slots, warm=warm, done=done)) for page in pages]
        return [task.result() for task in tasks]

    return asyncio.run(run_all())


def judged(
    page: Page,
    notebook: NotebookNode,
    failure: Failure | None = None,
    missing: frozenset[str] = frozenset(),
) -> tuple[Verdict, ...]:
    """Judge the cells of a page by the outputs in a notebook."""
    verdicts = []
    for cell in page.cells:
        absent = tuple(name for name in cell.requires if name in missing)
        if failure and cell.index > failure.index:
            verdicts.append(Verdict(page, cell, Status.NOT_RUN, ""))
        elif failure and cell.index == failure.index:
            verdicts.append(Verdict(page, cell, Status.FAILED, failure.reason, failure.line))
        elif absent:
            verdicts.append(Verdict(page, cell, Status.RECORDED, "", missing=absent))
        else:
            verdicts.append(judge(page, cell, notebook.cells[cell.index].outputs))
    return tuple(verdicts)


def join_streams(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring chunks of one stream, which a kernel splits at random places."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


async def _run(
    page: Page, slots: asyncio.Semaphore, *, warm: bool, done: Callable[[Run], None]
) -> Run:
    notebook = copy.deepcopy(page.notebook)
    async with slots:
        started = time.time()
        execution = Execution(page, notebook, warm=warm)
        await execution.run()
        seconds = time.time() - started
    if (task := asyncio.current_task()) and task.cancelling():
        raise asyncio.CancelledError  # which nbclient has taken for the kernel's end
    for cell in page.cells:
        notebook.cells[cell.index].outputs = join_streams(notebook.cells[cell.index].outputs)
    failure, missing = execution.failure, execution.missing
    show_records(page, notebook, missing)
    verdicts = judged(page, notebook, failure, missing)
    failed = failure is not None
    run = Run(page, notebook, verdicts, started, seconds, failed, execution.trace, missing)
    done(run)
    return run


class Execution:
    """One run of a page's cells, in a kernel of its own."""

    def __init__(self, page: Page, notebook: NotebookNode, *, warm: bool) -> None:
        self.page, self.notebook, self.warm = page, notebook, warm
        self.index = page.cells[0].index
        self.numbers: dict[int, int] = {}
        self.failure: Failure | None = None
        self.trace: Trace | None = None
        self.missing: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Fill in the outputs, as far as the page comes."""
        seconds = self.page.config.execution_timeout
        try:
            async with self._client() as client:
                await self._cells(client)
        except NoSuchKernel as error:
            self._fail(f"there is no kernel {error.name!r} here; install it, or name another one")
        except CellExecutionError as error:
            self._fail(*self._traceback(error))
        except CellTimeoutError as error:
            lost = "IOPub" in str(error)  # the one word that tells nbclient's two errors apart
            late = f"the cell ran longer than {seconds} s (nb_execution_timeout)"
            self._fail("the kernel has ended the cell, but its output was lost" if lost else late)
        except (DeadKernelError, TimeoutError) as error:
            self._fail(str(error))

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        """Start a kernel with its sockets in a private folder, and end it at the end."""
        config = self.page.config
        with tempfile.TemporaryDirectory(
            prefix="book-", dir=socket_folder(), ignore_cleanup_errors=True
        ) as private:
            manager = AsyncKernelManager(
                kernel_name=kernel_name(self.notebook, warm=self.warm),
                client_factory=PromptKernelClient,
                config=kernel_config(private, self.page.settings.modules),
            )
            client = Client(
                self.notebook,
                numbers=self.numbers,
                km=manager,
                on_cell_execute=self._note,
                timeout=config.execution_timeout,
                allow_errors=config.execution_allow_errors,
                startup_timeout=PATIENCE,
                iopub_timeout=PATIENCE,
                raise_on_iopub_timeout=True,  # a lost output must not pass for none
                record_timing=False,  # timings in the metadata would change the key in the cache
                extra_arguments=["--HistoryManager.hist_file=:memory:"],
            )
            folder = self.page.path.parent.resolve()
            if config.execution_in_temp:
                folder = Path(private, "work")
                folder.mkdir()
            with Path(private, "log").open("w+b") as log:  # noqa: ASYNC230
                try:
                    await client.start(folder, log)
                    yield client
                except DeadKernelError as error:
                    raise DeadKernelError(await _epitaph(client, manager, log)) from error
                finally:
                    await client.end()

    async def _cells(self, client: Client) -> None:
        python = client.nb.metadata.language_info.get("name") == "python"
        if python and any(cell.requires for cell in self.page.cells):
            self.missing = read_answer(await client.ask("", question(self.page)))
        left = {c.index for c in self.page.cells if self.missing.intersection(c.requires)}
        if python:
            await client.ask(START)
        for index, cell in enumerate(self.notebook.cells):
            if index not in left:
                count = client.code_cells_executed + 1
                await client.async_execute_cell(cell, index, execution_count=count)
        if python:
            self.trace = read_trace(await client.ask("", READ))
        client.set_widgets_metadata()

    def _note(self, *, cell_index: int, **_: object) -> None:
        self.index = cell_index

    def _fail(self, reason: str, line: int | None = None) -> None:
        self.failure = Failure(self.index, reason, line)

    def _traceback(self, error: CellExecutionError) -> tuple[str, int | None]:
        """Return the traceback with the page's lines, and that of them which failed."""
        outputs = self.notebook.cells[self.index].outputs
        shown = [output.traceback for output in outputs if output.output_type == "error"]
        # a magic that is not there is told in the stream of errors, and has none
        traceback = shown[-1] if shown else [f"{error.ename}: {error.evalue}"]
        cells = {cell.index: cell for cell in self.page.cells}
        failed: int | None = None

        def place(found: re.Match[str]) -> str:
            nonlocal failed
            cell = cells.get(self.numbers.get(int(found[1]), -1))
            if not cell:
                return found[0]
            code = cell.source.lstrip()  # IPython leaves out empty lines at the start
            line = cell.line + cell.source.removesuffix(code).count("\n") + int(found[2]) - 1
            if line >= cell.end:  # it only looks like one of the page's lines
                return found[0]
            if cell.index == self.index:
                failed = line
            return f"{shown_path(self.page.path)}:{line}"

        text = str(strip_ansi("\n".join(traceback)))
        if self.page.lines:
            text = re.sub(r"Cell In\[(\d+)\], line (\d+)", place, text)
        return text, failed


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
        seconds = PATIENCE if timeout is None else timeout
        end = time.monotonic() + seconds
        while not await self._answers():
            if not await self.is_alive():
                raise RuntimeError("the kernel died before it answered")
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


class Client(NotebookClient):
    """nbclient with a start and an end of its own, since nbclient's catch Ctrl-C and go on."""

    put_out = 0

    def __init__(self, notebook: NotebookNode, *, numbers: dict[int, int], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(notebook, **kwargs)
        self.numbers = numbers
        """Takes in the place of each cell, by the number that the kernel gives it."""

    async def start(self, folder: Path, log: IO[bytes]) -> None:
        """Start the kernel; what it prints outside of cells goes into the log."""
        self.reset_execution_trackers()
        await self.async_start_new_kernel(
            env=environment(), cwd=str(folder), stdout=log, stderr=log
        )
        try:
            kernel: Any = await self.async_start_new_kernel_client()
        except RuntimeError as error:
            raise DeadKernelError(str(error)) from error
        self.nb.metadata["language_info"] = kernel.language_info

    async def ask(self, code: str, expression: str = "None") -> dict[str, Any]:
        """Run code that leaves no trace, and return the value of an expression."""
        client = cast("KernelClient", self.kc)
        request = client.execute(code, silent=True, user_expressions={"answer": expression})
        # a cell's time: what the last one left running may keep the kernel from an answer
        reply = await self.async_wait_for_reply(request, self.nb.cells[-1])
        return dict(reply["content"].get("user_expressions", {}).get("answer", {})) if reply else {}

    async def end(self) -> None:
        """End the kernel at once."""
        if self.kc:
            self.kc.stop_channels()
        if self.km and self.km.has_kernel:
            await cast("AsyncKernelManager", self.km).shutdown_kernel(now=True)

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take an output, but stop a page that never ends to put some out."""
        content = msg["content"]
        if msg["msg_type"] == "execute_input":
            self.numbers[content["execution_count"]] = cell_index
        texts = [content.get("text", ""), *content.get("data", {}).values()]
        self.put_out += sum(len(str(text)) for text in texts)
        if self.put_out > LONGEST and self.task_poll_for_reply:
            self.task_poll_for_reply.cancel()  # to nbclient this means that the kernel died
        return super().process_message(msg, cell, cell_index)


async def _epitaph(client: Client, manager: AsyncKernelManager, log: IO[bytes]) -> str:
    """Say how a kernel ended."""
    if client.put_out > LONGEST:
        return f"the page put out more than {LONGEST} characters"
    status = await manager.provisioner.poll() if manager.provisioner else None
    how = signal.Signals(-status).name if status and status < 0 else f"exit status {status}"
    log.seek(0)
    last = log.read().decode(errors="replace")[-2000:].strip()
    return f"the kernel died: {how}\n{last}".rstrip()


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


def kernel_config(folder: str, modules: Sequence[str]) -> Config:
    """Return the settings of a kernel whose files are in a folder."""
    manager = {"connection_file": os.path.join(folder, "kernel.json")}  # noqa: PTH118
    if sys.platform != "win32":
        # a socket in a private folder: a TCP port is open to every user of the machine
        manager |= {"transport": "ipc", "ip": os.path.join(folder, "k")}  # noqa: PTH118
    warm = {"modules": list(modules)}
    return Config(KernelManager=manager, AsyncKernelManager=manager, WarmProvisioner=warm)
