"""A Firefox, driven over WebDriver BiDi: what it speaks by itself, without a driver beside it.

As much of the protocol as a walk through the site needs. The WebSocket is Tornado's, which Jupyter
brings.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
# Keys without a character, as WebDriver writes them.
ENTER, ESCAPE, SHIFT = "\ue007", "\ue00c", "\ue008"
# A page that is left had not fetched all yet, such as the next page, ahead of time, or a font.
ABORTED, FONT_ABORTED = "NS_BINDING_ABORTED", "download failed .* status=2152398850 "
SECONDS = 300


class Firefox:
    """One tab of a browser."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: WebSocketClientConnection) -> None:
        self.loop, self.socket = loop, socket
        self.number = 0
        self.complaints: list[str] = []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded", "network.fetchError"])
        self.tab = self.command("browsingContext.getTree")["contexts"][0]["context"]

    def command(self, method: str, **params: object) -> dict[str, Any]:
        """Have something done, and wait until it is."""
        self.number += 1
        message = json.dumps({"id": self.number, "method": method, "params": params})
        return self.loop.run_until_complete(asyncio.wait_for(self._answer(message), SECONDS))

    async def _answer(self, message: str) -> dict[str, Any]:
        await self.socket.write_message(message)
        while True:
            message = json.loads(await self.socket.read_message() or "{}")
            if message.get("id") == self.number:
                assert message["type"] == "success", message
                return message["result"]
            assert message, "Firefox has closed the connection"
            what = message["params"]
            if message["method"] == "log.entryAdded" and not re.search(FONT_ABORTED, what["text"]):
                self.complaints.append(f"{what['level']}: {what['text']}")
            if message["method"] == "network.fetchError" and what["errorText"] != ABORTED:
                self.complaints.append(f"failed: {what['request']['url']}")

    def resize(self, width: int) -> None:
        size = {"width": width, "height": 844}
        self.command("browsingContext.setViewport", context=self.tab, viewport=size)

    def open(self, url: str) -> None:
        self.command("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Return what an expression is worth, once it has come if it is a promise."""
        result = self.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self.tab},
            awaitPromise=True,
        )
        assert result["type"] == "success", result["exceptionDetails"]["text"]
        value = result["result"].get("value")
        return None if value is None else json.loads(value)

    def wait_for(self, condition: str) -> None:
        """Ask until a condition holds. A page that is being left does not answer."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with suppress(AssertionError):
                if self.evaluate(f"Boolean({condition})"):
                    return
        raise AssertionError(f"after {SECONDS} s this still does not hold: {condition}")

    def press(self, keys: str, *, held: str = "") -> None:
        """Press keys one by one, while others are held."""
        strokes = [(kind, key) for key in keys for kind in ("keyDown", "keyUp")]
        hold, let_go = ([(kind, key) for key in held] for kind in ("keyDown", "keyUp"))
        actions = [{"type": kind, "value": key} for kind, key in [*hold, *strokes, *let_go]]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.command("input.performActions", context=self.tab, actions=[source])

    def tap(self, selector: str) -> None:
        """Touch the middle of the first element that is shown."""
        self._point("touch", selector, ["pointerDown", "pointerUp"])

    def hover(self, selector: str) -> None:
        """Move the mouse there."""
        self._point("mouse", selector, [])

    def _point(self, kind: str, selector: str, then: list[str]) -> None:
        shown = f"[...document.querySelectorAll({selector!r})].find((e) => e.checkVisibility())"
        x, y = self.evaluate(
            f"(() => {{ const box = {shown}.getBoundingClientRect();"
            " return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)] })()"
        )
        actions = [{"type": "pointerMove", "x": x, "y": y}]
        actions += [{"type": each, "button": 0} for each in then]
        source = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}}
        self.command(
            "input.performActions", context=self.tab, actions=[source | {"actions": actions}]
        )


async def connect(address: str) -> WebSocketClientConnection:
    return await websocket_connect(address, connect_timeout=SECONDS, max_message_size=2**26)


async def close(socket: WebSocketClientConnection) -> None:
    """Close a connection, which needs the loop to be running."""
    socket.close()


@contextmanager
def firefox(executable: str, profile: Path) -> Iterator[Firefox]:
    """Start a Firefox that nobody sees, with a profile of its own."""
    command = [executable, "--headless", "--remote-debugging-port=0", "--profile", str(profile)]
    loop = asyncio.new_event_loop()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stderr.readline, "")
            address = next(found[1] for line in lines if (found := LISTENING.search(line)))
            # What it says later must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            socket = loop.run_until_complete(connect(f"{address}/session"))
            yield Firefox(loop, socket)
            loop.run_until_complete(close(socket))
        finally:
            process.kill()
            loop.close()
