"""Notes, inside a Python kernel, what a page opened and listed: a net below what its code names.

Its text is all that gets there (`START` and `READ`), so it imports nothing of this engine. One
audit hook (:pep:`578`) does it: nothing is put in the place of anything. It also notes commands and
addresses, of which nobody knows what they read. Modules that were loaded come from ``sys.modules``.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LEAVES = {"subprocess.Popen": 1, "os.system": 0, "os.exec": 1, "os.posix_spawn": 1, "os.spawn": 2,
          "pty.spawn": 0, "os.forkpty": None,
          "socket.connect": 1, "socket.getaddrinfo": 0}  # fmt: skip
"""The events by which a page asks others, and which argument says for what."""
NOTED = {"open", "os.listdir", "os.scandir", "os.mkdir"}
FINDERS = {"importlib", "importlib_metadata", "pkg_resources"}
"""The packages that list folders to find modules, and what is installed."""
MOST = 100
"""Commands and addresses that are noted."""
# a page may replace them
_absolute, _decode = os.path.abspath, os.fsdecode
_exists, _is_folder = os.path.exists, os.path.isdir
_frame = sys._getframe  # noqa: SLF001


class Net:
    """What a page has used so far."""

    def __init__(self) -> None:
        self.used: dict[str, str] = {}
        """By file, its stamp at that time."""
        self.before: dict[str, str] = {}
        """What the template has used, of which it is a fork."""
        self.written: set[str] = set()
        """The files that it made or emptied before it read them, and the folders that it made."""
        self.asked: list[tuple[str, int, list[str]]] = []
        """Its commands and addresses: the event, the number of the cell, and the words."""

    # coverage sees nothing from here: Python lets nothing trace what an audit hook does
    def hook(self) -> Callable[[str, Any], None]:
        """Return the function that notes an event."""
        counting = {"bookproof.net", "bookproof.used", *LEAVES, *NOTED}

        def note(event: str, arguments: Any) -> None:  # noqa: ANN401
            if event not in counting:  # first: h5py alone tells of a million `builtins.id`
                return
            if event == "bookproof.net":
                arguments[0].append(self)
            elif event == "bookproof.used":
                arguments[0].update(self.answer())
            elif event in LEAVES:
                self.note_asked(event, arguments)
            else:
                self.note_used(event, *arguments)

        return note

    def note_asked(self, event: str, arguments: Any) -> None:  # noqa: ANN401
        """Note a command or an address."""
        place = LEAVES[event]
        given = () if place is None else arguments[place]
        try:
            parts = [given] if isinstance(given, str | bytes | os.PathLike) else given
            words = [str(part) if isinstance(part, int) else _decode(part) for part in parts]
        except (TypeError, ValueError):
            words = []
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        # not execution_count, which goes up before a cell runs or after it, as the version has it
        count = len(shell.history_manager.input_hist_parsed) - 1 if shell else 0
        if len(self.asked) < MOST:
            self.asked.append((event, count, words))

    def note_used(self, event: str, path: Any, _mode: Any = None, flags: int = 0) -> None:  # noqa: ANN401
        """Note what is opened or listed, and what is made."""
        try:
            file = "" if isinstance(path, int) else _absolute(_decode(path or "."))
        except (TypeError, ValueError):
            return
        if not file or file in self.used:
            return
        if event != "open" and _frame(2).f_globals.get("__name__", "").partition(".")[0] in FINDERS:
            return
        if event == "os.mkdir":
            made = not _exists(file)
        elif event == "open" and _is_folder(file):
            return  # a file without a name is made in it
        else:
            anew = flags & (os.O_TRUNC | os.O_EXCL) or (flags & os.O_CREAT and not _exists(file))
            made = event == "open" and bool(anew)
        if made:
            self.written.add(file)
        elif event != "os.mkdir":
            self.used[file] = ""  # first: to look at a folder lists it
            self.used[file] = stamp(file)

    # coverage sees all from here
    def answer(self) -> dict[str, Any]:
        """Return all that was noted, and the modules that are there."""
        loaded = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__dict__", {}).get("__file__")
            loaded[name.partition(".")[0]] = ""
            if isinstance(file, str):
                self.used.setdefault(_absolute(file), stamp(_absolute(file)))
        return {
            "used": {file: was for file, was in self.used.items() if file not in self.written},
            "written": sorted(self.written),
            "asked": self.asked,
            "modules": sorted(loaded),
            "python": [sys.prefix, sys.version],
        }


def stamp(name: str) -> str:
    """Return what is another one if a file may have changed, or the names in a folder."""
    try:
        found = os.stat(name)
        if os.path.isdir(name):
            return "\n".join(sorted(set(os.listdir(name)) - {"__pycache__"}))
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def start() -> Net:
    """Note from now on; go on with what a template has noted, if this process is its fork."""
    found: list[Net] = []
    sys.audit("bookproof.net", found)
    if found:
        found[0].used, found[0].written, found[0].asked = dict(found[0].before), set(), []
        return found[0]
    net = Net()
    sys.addaudithook(net.hook())
    return net
