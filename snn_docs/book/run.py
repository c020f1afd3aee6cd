"""Runs pages in Jupyter kernels through nbclient, several side by side."""

from __future__ import annotations

import asyncio
import copy
import os
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_client.manager import AsyncKernelManager
from myst_nb.core.render import strip_ansi
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets.config import Config

from snn_docs.book.compare import Status, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbformat import NotebookNode

    from snn_docs.book.page import Page

TIMEOUT = 60
"""Seconds that one cell may take."""

# the same hashes and the same order of sums on every machine
ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Run:
    """A page that was run: the notebook with its outputs, and a verdict for each cell."""

    page: Page
    notebook: NotebookNode
    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """Whether the page is right about every cell."""
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def checked(self) -> int:
        """How many outputs were compared and found right."""
        return sum(verdict.status is Status.MATCHES for verdict in self.verdicts)


def run_pages(pages: Sequence[Page], timeout: int = TIMEOUT) -> list[Run]:
    """Run pages, as many at a time as there are processors, and judge their cells."""

    async def run_all() -> list[Run]:
        slots = asyncio.Semaphore(os.cpu_count() or 1)
        return await asyncio.gather(*(_run(page, slots, timeout) for page in pages))

    return asyncio.run(run_all())


async def _run(page: Page, slots: asyncio.Semaphore, seconds: int) -> Run:
    notebook = copy.deepcopy(page.notebook)
    async with slots:
        failure = await _execute(page, notebook, seconds)
    for cell in page.cells:
        notebook.cells[cell.index].outputs = join_streams(notebook.cells[cell.index].outputs)
    return Run(page, notebook, tuple(_verdicts(page, notebook, failure)))


async def _execute(page: Page, notebook: NotebookNode, seconds: int) -> tuple[int, str] | None:
    """Fill in the outputs; return the cell that stopped the page, and why."""
    reached = 0

    def remember(*, cell_index: int, **_: object) -> None:
        nonlocal reached
        reached = cell_index

    with tempfile.TemporaryDirectory(prefix="book-") as private:
        client = NotebookClient(
            notebook,
            kernel_manager_class=AsyncKernelManager,
            config=_kernel_config(private),
            timeout=seconds,
            record_timing=False,  # timings in the metadata would change the key in the cache
            shutdown_kernel="immediate",
            on_cell_start=remember,
            resources={"metadata": {"path": str(page.path.parent.resolve())}},
        )
        try:
            await client.async_execute(env=os.environ | ENVIRONMENT)
        except CellExecutionError:
            return reached, _traceback(notebook, reached)
        except CellTimeoutError:
            return reached, f"the cell ran longer than {seconds} s"
        except DeadKernelError:
            return reached, "the kernel died"
    return None


def _traceback(notebook: NotebookNode, index: int) -> str:
    [*_, error] = (o for o in notebook.cells[index].outputs if o.output_type == "error")
    return str(strip_ansi("\n".join(error.traceback)))


def _kernel_config(folder: str) -> Config:
    manager = {"connection_file": os.path.join(folder, "kernel.json")}  # noqa: PTH118
    if sys.platform != "win32":
        # a socket in a private folder: a TCP port is open to every user of the machine
        manager |= {"transport": "ipc", "ip": os.path.join(folder, "k")}  # noqa: PTH118
    return Config({"KernelManager": manager, "AsyncKernelManager": manager})


def _verdicts(page: Page, notebook: NotebookNode, failure: tuple[int, str] | None) -> list[Verdict]:
    verdicts = []
    for cell in page.cells:
        if failure is None or cell.index < failure[0]:
            verdicts.append(judge(page, cell, notebook.cells[cell.index].outputs))
        elif cell.index == failure[0]:
            verdicts.append(Verdict(page, cell, Status.FAILED, failure[1]))
        else:
            verdicts.append(Verdict(page, cell, Status.NOT_RUN, ""))
    return verdicts


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
