"""Runs pages in Jupyter kernels through nbclient, several side by side."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import math
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from bookproof import machine
from bookproof.files import shown_path
from bookproof.kernels.start import (
    KERNEL_SECONDS,
    READ,
    START,
    StartError,
    Used,
    kill,
    launch,
    new_manager,
    question,
    read_answer,
    read_used,
    starting,
)
from bookproof.kernels.warm import sockets_folder
from bookproof.outputs import ANSI, join_streams
from bookproof.result import RAN_TOO_LONG, Failure, Run, judged, show_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from jupyter_client.client import KernelClient
    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

    from bookproof.page import Page
    from bookproof.store import Results

UNFOLLOWED = (
    "pages that run in every build: {} ({:.0f} s), since nobody can follow what is read there; a "
    "page can name it (book: depends); if it never changes, conf.py can say so for all pages: "
    "book_complete = True (in _config.yml of Jupyter Book below sphinx: config:)"
)


UNNAMED = "{} uses files that its code does not name; they count as well: {}"


def run_pages(
    pages: Sequence[Page], *, warm: bool = True, done: Callable[[Run], None] = lambda _: None
) -> list[Run]:
    """Run pages side by side, in warm kernels where there are any, and judge their cells.

    Each page is reported to ``done`` when it has ended.
    """

    async def run_all() -> list[Run]:
        # pages may be of several books: the most careful one counts
        chosen = [page.settings.at_once for page in pages if page.settings.at_once]
        most = min(chosen) if chosen else machine.most_at_once()
        slots, share = asyncio.Semaphore(most), max(1, min(most, len(pages)) / machine.processors())

        async def run_one(page: Page) -> Run:
            async with slots:
                return await _run(page, share, warm=warm, done=done)

        async with asyncio.TaskGroup() as group:  # at Ctrl-C, it waits until all have cleaned up
            tasks = [group.create_task(run_one(page)) for page in pages]
        return [task.result() for task in tasks]

    return asyncio.run(run_all())


def run_outdated(
    pages: Sequence[Page],
    results: Results,
    *,
    anew: bool = False,
    log: Callable[[str], object] = lambda _: None,
) -> list[Run]:
    """Return the result of each page, kept or new; each new one is kept as soon as it is there.

    A line tells of each page that has run, why it ran again, and why its result is not kept.
    """
    runs = {
        page: run for page in pages
        if not anew and page.config.execution_mode != "force"
        and (run := results.load(page))
    }  # fmt: skip
    outdated = [page for page in pages if page not in runs]
    if outdated:
        counted = itertools.count(1)

        def done(run: Run) -> None:
            path, why = run.page.path, results.reasons.get(run.page.path)
            rerun = f" (again, since {why})" if why else ""
            kept = f" (not kept: {lost})" if (lost := results.save(run)) else ""
            place = f"[{next(counted)}/{len(outdated)}] {shown_path(path)}"
            log(f"{place}: {run.seconds:.1f} s{rerun}{kept}")

        runs |= zip(outdated, run_pages(outdated, done=done), strict=True)
        for path, files in results.unnamed.items():
            log(UNNAMED.format(shown_path(path), ", ".join(map(shown_path, map(Path, files)))))
        if again := [runs[page].seconds for page in outdated if runs[page].unfollowed]:
            log(UNFOLLOWED.format(len(again), sum(again)))
    return [runs[page] for page in pages]


async def _run(page: Page, share: float, *, warm: bool, done: Callable[[Run], None]) -> Run:
    notebook, started = copy.deepcopy(page.notebook), time.time()
    execution = Execution(page, notebook, warm=warm, share=share)
    await execution.run()
    seconds = time.time() - started
    if (task := asyncio.current_task()) and task.cancelling():
        raise asyncio.CancelledError  # which nbclient has taken for the kernel's end
    for cell in page.cells:
        notebook.cells[cell.index].outputs = join_streams(notebook.cells[cell.index].outputs)
    show_records(page, notebook, execution.missing)
    run = Run(
        page,
        notebook,
        judged(page, notebook, execution.failure, execution.missing),
        started,
        seconds,
        execution.failure,
        execution.used,
        execution.missing,
    )
    done(run)
    return run


class Execution:
    """One run of a page's cells, in a kernel of its own."""

    def __init__(self, page: Page, notebook: NotebookNode, *, warm: bool, share: float) -> None:
        self.page, self.notebook, self.warm, self.share = page, notebook, warm, share
        self.index = page.cells[0].index
        self.failure: Failure | None = None
        self.used: Used | None = None
        self.missing: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Fill in the outputs, as far as the page comes."""
        try:
            async with self._client() as client:
                await self._cells(client)
        except NoSuchKernel as error:
            self.fail(f"there is no kernel {error.name!r} here; install it, or name another one")
        except CellExecutionError as error:
            self.fail(*self._traceback(error))
        except CellTimeoutError as error:
            lost = "IOPub" in str(error)  # the one word that tells nbclient's two errors apart
            limit = self.page.config.execution_timeout
            limits = f"nb_execution_timeout is {limit}, pages to a processor: {self.share:g}"
            self.fail(
                "the kernel has ended the cell, but its output was lost" if lost else
                f"{RAN_TOO_LONG} {self._patience()} s ({limits})"
            )  # fmt: skip
        except (DeadKernelError, TimeoutError, StartError) as error:
            self.fail(str(error))
        except Exception as error:  # noqa: BLE001 (whatever a page does to its kernel is its own)
            reason = str(error).partition("\n")[0]
            self.fail(f"the kernel sent what can't be read: {type(error).__name__}: {reason}")

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        """Start a kernel with its sockets in a private folder, and end it at the end."""
        config = self.page.config
        temporary = tempfile.TemporaryDirectory(
            prefix="book-", dir=sockets_folder(), ignore_cleanup_errors=True
        )
        with temporary as name:
            private = Path(name)
            manager = new_manager(self.page, private, warm=self.warm)
            client = Client(
                self.page,
                self.notebook,
                private,
                km=manager,
                timeout=self._patience(),
                allow_errors=config.execution_allow_errors,
                startup_timeout=KERNEL_SECONDS,
                iopub_timeout=KERNEL_SECONDS,
                raise_on_iopub_timeout=True,  # a lost output must not pass for none
                record_timing=False,  # notebooks to download would differ from build to build
            )
            with (private / "log").open("w+b") as log:
                try:
                    await client.start(log)
                    yield client
                except DeadKernelError as error:
                    raise DeadKernelError(await _how_it_ended(client, manager, log)) from error
                finally:
                    await client.end()

    async def _cells(self, client: Client) -> None:
        python = client.nb.metadata.language_info.get("name") == "python"
        if python and (names := sorted({n for cell in self.page.cells for n in cell.requires})):
            self.missing = read_answer(await client.ask("", question(names)))
        left_out = {c.index for c in self.page.cells if self.missing.intersection(c.requires)}
        if python:
            await client.prepare()
        for cell in self.page.cells:
            if cell.index not in left_out:
                self.index = cell.index
                try:
                    await client.async_execute_cell(self.notebook.cells[cell.index], cell.index)
                except CellExecutionError:
                    with contextlib.suppress(Exception):  # the cell's error is the one to report
                        await self._read_used(client)
                    raise
        client.set_widgets_metadata()
        await self._read_used(client)

    async def _read_used(self, client: Client) -> None:
        """Ask the kernel what the page used, if it is one of Python and still there."""
        if client.nb.metadata.language_info.get("name") == "python":
            self.used = read_used(await client.ask("", READ), client.private)

    def _patience(self) -> int:
        """Return how long a cell may take: the book's time, for each page at its processor."""
        seconds = self.page.config.execution_timeout
        return math.ceil(seconds * self.share) if seconds > 0 else seconds

    def fail(self, reason: str, line: int | None = None) -> None:
        """Say what stopped the page."""
        self.failure = Failure(self.index, reason, line)

    def _traceback(self, error: CellExecutionError) -> tuple[str, int | None]:
        """Return the traceback with the page's lines, and that of them which failed."""
        outputs = self.notebook.cells[self.index].outputs
        shown = [output.traceback for output in outputs if output.output_type == "error"]
        # a magic that is not there is told in the stream of errors, and has none
        traceback = shown[-1] if shown else [f"{error.ename}: {error.evalue}"]
        cells = {self.notebook.cells[c.index].execution_count: c for c in self.page.cells}
        failed: int | None = None

        def place(found: re.Match[str]) -> str:
            nonlocal failed
            cell = cells.get(int(found[1]))
            if not cell:
                return found[0]
            code = cell.source.lstrip()  # IPython leaves out empty lines at the start
            line = cell.line + cell.source.removesuffix(code).count("\n") + int(found[2]) - 1
            if line >= cell.end:  # it only looks like one of the page's lines
                return found[0]
            if cell.index == self.index:
                failed = line
            return f"{shown_path(self.page.path)}:{line}"

        text = ANSI.sub("", "\n".join(traceback))
        if self.page.has_lines:
            text = re.sub(r"Cell In\[(\d+)\], line (\d+)", place, text)
        return text, failed


class Client(NotebookClient):
    """nbclient with a start and an end of its own, since nbclient's catch Ctrl-C and go on."""

    put_out = 0

    def __init__(
        self,
        page: Page,
        notebook: NotebookNode,
        private: Path,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(notebook, **kwargs)
        self.page, self.private = page, private

    async def start(self, log: IO[bytes]) -> None:
        """Start the kernel, and wait until it answers."""
        self.reset_execution_trackers()
        await launch(cast("AsyncKernelManager", self.km), self.page, self.private, log)
        kernel: Any = await self.async_start_new_kernel_client()
        self.nb.metadata["language_info"] = kernel.language_info

    async def prepare(self) -> None:
        """Spread the net, and run the code that the book has its kernels start with."""
        await self.ask(START)
        reply = await self._reply(starting(self.page.settings.start))
        if reply.get("status") == "error":
            raise StartError(f"book_start failed: {reply['ename']}: {reply.get('evalue', '')}")

    async def ask(self, code: str, expression: str = "None") -> dict[str, Any]:
        """Run code that leaves no trace, and return the value of an expression."""
        reply = await self._reply(code, expression)
        return dict(reply.get("user_expressions", {}).get("answer", {}))

    async def _reply(self, code: str, expression: str = "None") -> dict[str, Any]:
        client = cast("KernelClient", self.kc)
        request = client.execute(code, silent=True, user_expressions={"answer": expression})
        # a cell's time: what the last one left running may keep the kernel from an answer
        reply = await self.async_wait_for_reply(request, self.nb.cells[-1])
        return dict(reply["content"]) if reply else {}

    async def end(self) -> None:
        """End the kernel at once."""
        manager = cast("AsyncKernelManager", self.km)
        if self.kc:
            self.kc.stop_channels()
        if manager:  # nbclient lets go of one that has not answered
            await kill(manager)

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take an output, but stop a page that never ends to put some out."""
        content = msg["content"]
        texts = [content.get("text", ""), *content.get("data", {}).values()]
        self.put_out += sum(len(str(text)) for text in texts)
        if self.put_out > self.page.settings.longest and self.task_poll_for_reply:
            self.task_poll_for_reply.cancel()  # to nbclient this means that the kernel died
        return super().process_message(msg, cell, cell_index)


async def _how_it_ended(client: Client, manager: AsyncKernelManager, log: IO[bytes]) -> str:
    """Say how a kernel ended."""
    longest = client.page.settings.longest
    if client.put_out > longest:
        return (
            f"the page put out more than {longest} characters; put out less, or, if it is "
            "meant (an animation, say), let conf.py say more: book_longest_output"
        )
    status = await manager.provisioner.poll() if manager.provisioner else None
    how = signal.Signals(-status).name if status and status < 0 else f"exit status {status}"
    log.seek(0)
    last = log.read().decode(errors="replace")[-2000:].strip()
    return f"the kernel died: {how}\n{last}".rstrip()
