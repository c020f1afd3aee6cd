"""What runs behind one open page: a kernel that takes a cell at a time, within limits."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from base64 import b64encode
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

import psutil
from myst_nb.core.render import strip_ansi

from bookproof.kernels.private import private_folder
from bookproof.kernels.start import (
    PromptKernelClient,
    kill,
    launch,
    new_manager,
    start_failure,
    starting,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Mapping,
    )

    from jupyter_client.manager import AsyncKernelManager

    from bookproof.page import Page

# Why a session ends. WebSockets leave the numbers from 4000 on to applications; live.js knows them.
IDLE, DIED, LATE, FULL, CUT, GREEDY, LOCKED = range(4000, 4007)
SILENCE = 1.0
"""Seconds without an output after which it is asked whether the kernel is still there."""
REPLY = 0.1
"""Seconds that a reply may come later than the last output."""
LARGEST = 1 << 25
"""Bytes of a message from a kernel; one that is larger ends the session."""
WAITING = 8
"""Messages from a kernel that may wait here; more wait there, in the kernel's own memory."""
RECOVERY_SECONDS = 5
"""Seconds in which a kernel's outputs must come again after a flood of them."""
LOOK = 1.0
"""Seconds after which it is looked again at what a kernel and its processes use together."""
NO_REPLY = {"status": "error", "ename": "KeyboardInterrupt"}
"""What stands for a reply that a stop has kept from being written."""
COST = 1000
"""Characters that an output counts besides its own, for its element on the page."""
PICTURES = ("image/png", "image/jpeg", "image/gif")


@dataclass(frozen=True)
class Limits:
    """What one reader may use of this machine."""

    kernels: int = 4
    memory: int = 4 << 30
    """Bytes that a kernel, and each process that it starts, may allocate; kept on Linux only."""
    together: int = 6 << 30
    """Bytes that they may hold together, shared memory too."""
    processes: int = 100
    """Processes that they may be."""
    run: float = 600
    """Seconds that a cell may run."""
    idle: float = 1800
    """Seconds that a kernel waits for the next cell."""
    code: int = 200_000
    """Bytes of a message that asks for something."""
    output: int = 2_000_000
    """Characters that a cell may put out, pictures included."""


class EndError(Exception):
    """A session ends, for one of the reasons above."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Session:
    """Runs the cells of one page, in turn. It tells what comes of them as JSON can hold it."""

    def __init__(
        self, page: Page, limits: Limits, tell: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        self.page, self.limits, self.tell = page, limits, tell
        self.asked: asyncio.Queue[str] = asyncio.Queue(1)
        self.manager: AsyncKernelManager | None = None
        self.stopped: datetime | None = None
        """When the cell that was asked for last was told to stop."""

    def run(self, code: str) -> None:
        """Ask for a run. Raises `asyncio.QueueFull` if one is waiting already."""
        self.asked.put_nowait(code)
        self.stopped = None

    async def stop(self) -> None:
        """Interrupt what runs or is about to: before it has begun, a kernel ignores interrupts."""
        self.stopped = datetime.now(UTC)
        if self.manager:
            await self.manager.interrupt_kernel()

    async def serve(self) -> None:
        """Start a kernel and run cells in it, until this is cancelled or raises `EndError`."""
        async with _kernel(self.page, self.limits) as (self.manager, client):
            await self.tell({"ready": True})
            pid = self.manager.provisioner.pid  # type: ignore[union-attr]
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._serve(client))
                    group.create_task(_watch(pid, self.limits))
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None

    async def _serve(self, client: BoundedKernelClient) -> None:
        begun = False
        while True:
            async with at_most(self.limits.idle, IDLE):
                code = await self.asked.get()
            async with at_most(self.limits.run, LATE):
                begun = begun or await self._begin(client)
                if begun:
                    await self._run(client, code)

    async def _begin(self, client: BoundedKernelClient) -> bool:
        """Run the `book_start`; if it fails, say so in the place of the cell that was asked for."""
        start = self.page.settings.start
        if not start or client.language_info.get("name") != "python":
            return True
        request = client.execute(starting(start), silent=True, allow_stdin=False)
        reply: Mapping[str, Any] = {}
        async for reply in outputs_and_reply(client, request):  # noqa: B007 (the last is kept)
            pass
        if failure := start_failure(reply["content"]):
            if (how := how_it_ended(reply["content"])) == "failed":  # who has stopped it knows
                await self.tell({"output": {"kind": "error", "text": failure}})
            await self.tell({"done": how})
        return not failure

    async def _run(self, client: BoundedKernelClient, code: str) -> None:
        request = client.execute(code, allow_stdin=False)
        room, cut = self.limits.output, False
        async for message in outputs_and_reply(client, request):
            if message["msg_type"] == "execute_reply":
                cut = cut or message["lost"]
                await self.tell({"done": "cut" if cut else how_it_ended(message["content"])})
            elif message["msg_type"] == "execute_input" and self.was_too_early(message):
                await self.stop()
            elif not cut and (output := _output(message)):
                room -= COST + sum(map(len, output.values()))
                if room < 0:  # keep what fits
                    cut = True
                    output = {"kind": output["kind"], "text": output.get("text", "")[:room]}
                    await self.stop()
                await self.tell({"output": output})

    def was_too_early(self, began: Mapping[str, Any]) -> bool:
        """Tell whether the stop came before the cell had begun, and was ignored.

        One that came later has worked: another would hit the kernel while it tells of the first.
        """
        return self.stopped is not None and self.stopped < began["header"]["date"]


@asynccontextmanager
async def at_most(seconds: float, code: int) -> AsyncIterator[None]:
    """End the session if something takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise EndError(code) from error


@asynccontextmanager
async def _kernel(
    page: Page, limits: Limits
) -> AsyncIterator[tuple[AsyncKernelManager, BoundedKernelClient]]:
    """Start a kernel as a page's build does, and end it, however this ends.

    No cell has run in it: it starts in the page's folder and with the book's environment, and the
    `book_start` runs before the first cell. Before each cell, live.js sends those above it that
    have not run as they now read. Nothing is undone but by another kernel.
    """
    with private_folder() as private:
        manager = new_manager(page, private, client=BoundedKernelClient)
        start = asyncio.ensure_future(start_kernel(manager, page, private, limits))
        try:
            # left half-way, a start would leave things behind: so it is not, and is soon done
            client = await asyncio.shield(start)
            yield manager, client
        finally:
            await asyncio.wait([start])
            if not start.exception():
                start.result().stop_channels()
            await kill(manager)


async def _watch(pid: int, limits: Limits) -> None:
    """Raise `EndError` once a kernel, with all that it has started, uses too much.

    The system keeps no such limits: those it knows are of a process, or of a user.
    """
    while True:
        await asyncio.sleep(LOOK)
        processes, held = await asyncio.to_thread(_use, pid)
        if processes > limits.processes or held > limits.together:
            raise EndError(GREEDY)


def _use(pid: int) -> tuple[int, int]:
    """Count a kernel's processes and the bytes that they hold; what several share counts once."""
    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        kernel = psutil.Process(pid)
        family = [kernel, *kernel.children(recursive=True)]
    held = 0
    for process in family:
        with suppress(psutil.Error):
            memory = process.memory_full_info()
            held += getattr(memory, "pss", memory.uss)
    return len(family), held


async def start_kernel(
    manager: AsyncKernelManager, page: Page, private: Path, limits: Limits
) -> BoundedKernelClient:
    """Start a kernel, and return its client as soon as it answers."""
    with Path(os.devnull).open("wb") as nowhere:  # noqa: ASYNC230
        await launch(manager, page, private, nowhere)
    _bound_memory(manager, limits.memory)
    client: Any = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready()
    except (RuntimeError, TimeoutError) as error:
        client.stop_channels()
        raise EndError(DIED) from error
    return client  # type: ignore[no-any-return]


class BoundedKernelClient(PromptKernelClient):
    """A client that takes no message of a size to worry about, nor many at a time."""

    def _context_default(self) -> Any:  # noqa: ANN401
        context = super()._context_default()
        context.maxmsgsize = LARGEST
        context.rcvhwm = WAITING
        return context


def _bound_memory(manager: AsyncKernelManager, size: int) -> None:
    """Let a kernel, and each that it starts, allocate no more: it then has a `MemoryError`."""
    if sys.platform == "linux":
        import resource  # noqa: PLC0415

        pid = manager.provisioner.pid  # type: ignore[union-attr]
        set_before = resource.prlimit(pid, resource.RLIMIT_DATA)
        size = min([size, *(limit for limit in set_before if limit != resource.RLIM_INFINITY)])
        resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))


async def outputs_and_reply(
    client: BoundedKernelClient, request: str
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the outputs of a request as they come, then its reply.

    Outputs can be lost: one that is too large, many in a flood, and among them the word that all
    have come; and the reply, if a stop comes just as the kernel writes it. The reply then has
    ``lost``. A kernel answers in turn: what is asked in a silence it answers after the reply.
    Raises `EndError` if the kernel dies, or if its outputs do not come again.
    """
    whole, later, reply = False, "", None
    while not (whole and reply):
        try:
            message = await client.get_iopub_msg(timeout=SILENCE)
        except Empty:
            if reply:  # and since then nothing, not even the word that all have come
                break
        else:
            if message["parent_header"].get("msg_id") != request:
                continue
            whole = message["content"].get("execution_state") == "idle"
            if not whole:
                yield message
                continue
        # The two channels are not in step: a reply can be here before the outputs before it.
        reply = reply or await _reply(client, request, later)
        if not reply:
            later = later or client.kernel_info()
            if not await client.is_alive():
                raise EndError(DIED)
    if not whole:
        await _come_again(client)
    yield {**reply, "lost": not whole}


async def _come_again(client: BoundedKernelClient) -> None:
    """Wait for outputs after some were lost: none come any more after one that was too large."""
    try:
        await client.wait_for_ready(RECOVERY_SECONDS)
    except (RuntimeError, TimeoutError) as error:
        raise EndError(CUT) from error


async def _reply(client: BoundedKernelClient, request: str, later: str) -> Mapping[str, Any] | None:
    """Return the reply to a request, if it is there or what was asked later has been answered."""
    with suppress(Empty):
        reply = await client.get_shell_msg(timeout=REPLY)
        if reply["parent_header"].get("msg_id") == request:
            return reply
        if reply["parent_header"].get("msg_id") == later:
            return {"msg_type": "execute_reply", "content": NO_REPLY}
    return None


def how_it_ended(reply: Mapping[str, Any]) -> str:
    """Say how a cell ended, in a word for the page."""
    if reply["status"] == "ok":
        return "done"
    return "stopped" if reply.get("ename") == "KeyboardInterrupt" else "failed"


def _output(message: Mapping[str, Any]) -> dict[str, str] | None:
    """Return what a page needs of an output: text, or the address of a picture."""
    content = message["content"]
    match message["msg_type"]:
        case "stream":
            kind = "stderr" if content["name"] == "stderr" else "stdout"
            return {"kind": kind, "text": strip_ansi(content["text"])}
        case "error" if content["ename"] != "KeyboardInterrupt":  # the reader asked for that
            return {"kind": "error", "text": strip_ansi("\n".join(content["traceback"]))}
        case "display_data" | "execute_result" | "update_display_data":
            shown = {"kind": "result", **_shown(content["data"])}
            if name := content.get("transient", {}).get("display_id"):
                shown["name"] = str(name)
            return shown
        case "clear_output":
            return {"kind": "clear"}
        case _:
            return None


def _shown(data: Mapping[str, Any]) -> dict[str, str]:
    """Choose a form of a result: a picture, which can do nothing in a page, or text; never HTML."""
    text = str(data.get("text/plain", ""))
    if svg := data.get("image/svg+xml"):
        packed = b64encode(str(svg).encode(errors="replace")).decode()
        return {"image": f"data:image/svg+xml;base64,{packed}", "text": text}
    for kind in PICTURES:
        if picture := data.get(kind):
            packed = re.sub(r"[^A-Za-z0-9+/=]", "", str(picture))
            return {"image": f"data:{kind};base64,{packed}", "text": text}
    return {"text": text}
