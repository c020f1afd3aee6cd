"""Learns, inside a Python kernel, which files a page's outputs depend on.

An audit hook (:pep:`578`) sees what the page opens, which folders it lists, and whether it starts
processes or reaches the network, which then do what cannot be seen. Modules that were loaded come
from ``sys.modules``.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import source_from_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Trace:
    """What a page's outputs depend on besides itself and the installed packages."""

    files: tuple[str, ...]
    """The project's modules that it loaded, the files that it read, and the folders it listed."""
    unseen: tuple[str, ...]
    """The audit events, processes and the like by which it went where it can't be followed."""


def _processes() -> Any:  # noqa: ANN401
    """Return what changes when a process is started, which some are without any event."""
    import os  # noqa: PLC0415

    if not hasattr(os, "waitid"):
        return None
    import resource  # noqa: PLC0415

    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return resource.getrusage(resource.RUSAGE_CHILDREN)
    return "running"


def _watch() -> None:
    """Install the hook. Runs in the kernel: the text of this function is all that gets there."""
    import os  # noqa: PLC0415
    import sys  # noqa: PLC0415
    import sysconfig  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    leave = {"subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn",
             "os.spawn", "pty.spawn", "socket.connect", "socket.getaddrinfo"}  # fmt: skip
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    installed = tuple(sysconfig.get_path(kind) + os.sep for kind in kinds)
    folders = (sys.prefix, sys.base_prefix, tempfile.gettempdir(),
               "/dev", "/etc", "/proc", "/sys", "/usr")  # fmt: skip
    system = *(os.path.join(folder, "") for folder in folders), os.path.expanduser("~/.")
    here = os.path.join(os.getcwd(), "")
    # one that the page is in has the page's data, too
    others = tuple(folder for folder in system if not here.startswith(folder))
    read: set[str] = set()
    written: set[str] = set()
    left: set[str] = set()
    before = _processes()
    absolute, decode = os.path.abspath, os.fsdecode  # which a page may replace

    # coverage sees nothing from here: Python lets nothing trace what an audit hook does
    def files() -> list[str]:
        spaces = (getattr(module, "__dict__", {}) for module in list(sys.modules.values()))
        modules = (space.get("__file__") for space in spaces)
        names = [file for file in modules if isinstance(file, str)]
        loaded = {absolute(file) for file in names if not file.startswith(installed)}
        data = {file for file in read if not file.startswith(others)}
        return sorted(file for file in data | loaded if not file.startswith(installed))

    def look(event: str, path: Any, *more: Any) -> None:  # noqa: ANN401
        caller = sys._getframe(2).f_globals.get("__name__", "")  # noqa: SLF001
        if isinstance(path, int) or (event != "open" and caller.startswith("importlib")):
            return  # a module is looked for in the page's folder, but those found are known
        file = absolute(decode(path or "."))
        if event == "open" and more[1] & (os.O_TRUNC | os.O_EXCL):
            written.add(file)  # what is read from it later is the page's own
        elif file not in written:
            read.add(file)

    def hook(event: str, arguments: Any) -> None:  # noqa: ANN401
        if event in leave:
            left.add(event)
        elif event in {"open", "os.listdir", "os.scandir", "sqlite3.connect"}:
            look(event, *arguments)
        elif event == "snn_docs.book.trace":
            left.update(["a process"] * (_processes() != before))
            python = sys.prefix, sys.version
            arguments[0].update(files=files(), unseen=sorted(left), python=python)

    # coverage sees all from here
    sys.addaudithook(hook)


_PARTS = inspect.getsource(_processes) + inspect.getsource(_watch)
_SOURCE = f"from typing import Any\n{_PARTS}\n_watch()"
START = f"exec({_SOURCE!r}, {{}})"
"""Code that starts a trace; it leaves no name behind."""
READ = (
    "(lambda box: __import__('sys').audit('snn_docs.book.trace', box) or "
    "__import__('json').dumps(box))({})"
)
"""An expression that returns the trace so far."""


def read_trace(answer: Mapping[str, Any]) -> Trace | None:
    """Read a kernel's answer to `READ`; there is none if the page tampered with it."""
    try:
        found = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
        files = {file for file in map(_source, found["files"]) if _counts(Path(file))}
        # of another Python, nobody here knows which packages it has
        elsewhere = [] if found["python"] == [sys.prefix, sys.version] else ["another Python"]
        return Trace(tuple(sorted(files)), (*found["unseen"], *elsewhere))
    except (KeyError, TypeError, ValueError, SyntaxError):
        return None


def _source(file: str) -> str:
    """Return the source of a compiled module: it may be all that was read of one that went."""
    with suppress(ValueError):
        return source_from_cache(file)
    return file


def _counts(file: Path) -> bool:
    """Leave out this engine, which `snn_docs.book.fresh` looks at itself."""
    return not file.is_relative_to(Path(__file__).parent)
