"""Watches, inside a Python kernel, what a page's outputs depend on.

Its text is all that gets there (`bookproof.kernels.trace`), so it imports nothing of this engine.
An audit hook (:pep:`578`) sees what the page opens, which folders it lists, and whether it starts
processes or reaches the network, which then do what cannot be seen. Python tells nobody that it
looks at a file without opening it, at a variable of the environment, or for a module: functions
that note the question stand before those that answer it. Modules that were loaded come from
``sys.modules``. What C code asks the system itself stays unseen.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from typing import Any

LEAVES = {"subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn",
          "os.spawn", "pty.spawn", "socket.connect", "socket.getaddrinfo"}  # fmt: skip
READS = {"open", "os.listdir", "os.scandir", "sqlite3.connect"}
KINDS = {"exists", "lexists", "isfile", "isdir", "islink", "ismount", "is_file", "is_dir",
         "is_symlink", "is_mount", "samefile", "_joinrealpath", "realpath"}  # fmt: skip
"""The functions to which all that matters of a file is whether it is there, and of which kind."""
# a page may replace them
_absolute, _decode, _frame = os.path.abspath, os.fsdecode, sys._getframe  # noqa: SLF001
_lstat = os.lstat


def processes() -> Any:  # noqa: ANN401
    """Return what changes when a process is started, which some are without any event."""
    if not hasattr(os, "waitid"):
        return None
    import resource  # noqa: PLC0415

    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return resource.getrusage(resource.RUSAGE_CHILDREN)
    return "running"


class Places:
    """Tells the page's surroundings from what is installed, the system's, or a user's settings."""

    def __init__(self) -> None:
        kinds = ("stdlib", "platstdlib", "purelib", "platlib")
        self.installed = tuple(sysconfig.get_path(kind) + os.sep for kind in kinds)
        folders = (sys.prefix, sys.base_prefix, tempfile.gettempdir(),
                   "/dev", "/etc", "/proc", "/sys", "/usr")  # fmt: skip
        system = *(os.path.join(f, "") for f in folders), os.path.expanduser("~/.")
        here = os.path.join(os.getcwd(), "")
        # one that the page is in has the page's data, too
        self.others = tuple(folder for folder in system if not here.startswith(folder))

    def is_data(self, file: str) -> bool:
        """Whether a file is none of the system's."""
        return not file.startswith((*self.others, *self.installed))


class Probe:
    """What a page has asked so far."""

    def __init__(self) -> None:
        self.places, self.before = Places(), processes()
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.left: set[str] = set()
        self.looked: dict[str, set[str]] = {}
        """By path, what it asked of the file there: its kind, size or time, or where it leads."""
        self.sought: dict[str, set[str]] = {}
        """By folder, the names of modules that it looked for there."""
        self.asked: set[str] = set()
        self.set: set[str] = set()
        """Variables of the environment that it has read, and that it has set itself."""

    # coverage sees nothing from here: Python lets nothing trace what an audit hook does
    def hook(self, event: str, arguments: Any) -> None:  # noqa: ANN401
        """Note an event."""
        if event in LEAVES:
            self.left.add(event)
        elif event in READS:
            self.note_read(event, *arguments)
        elif event == "os.mkdir" and (name := _name(arguments[0])) and not _is_there(name):
            self.written.add(name)
        elif event == "bookproof.trace":
            self.left.update(["a process"] * (processes() != self.before))
            arguments[0].update(self.answer())

    def note_read(self, event: str, path: Any, *more: Any) -> None:  # noqa: ANN401
        """Note what is opened or listed."""
        caller = _frame(2).f_globals.get("__name__", "")
        if isinstance(path, int) or (event != "open" and caller.startswith("importlib")):
            return  # a module is looked for in the page's folder, but those found are known
        file = _absolute(_decode(path or "."))
        if event == "open" and more[1] & (os.O_TRUNC | os.O_EXCL):
            self.written.add(file)  # what is read from it later is the page's own
        elif file not in self.written:
            self.read.add(file)

    # coverage sees all from here
    def note_look(self, path: Any, question: str) -> None:  # noqa: ANN401
        """Note that a file is looked at, but not opened."""
        caller = _frame(2)
        if caller.f_code.co_name in {"stat", "lstat"}:  # a method of pathlib
            caller = caller.f_back or caller
        if caller.f_globals.get("__name__") == "linecache" or not (file := _name(path)):
            return  # for a traceback, of modules that are known
        if question == "time" and caller.f_code.co_name in KINDS:
            question = "kind"
        elif question == "time" and caller.f_code.co_name == "getsize":
            question = "size"
        if file not in self.written and self.places.is_data(file):
            self.looked.setdefault(file, set()).add(question)

    def note_variable(self, name: Any) -> None:  # noqa: ANN401
        """Note that a variable is read or set: both encode its name first."""
        method = _frame(2).f_code.co_name
        if method == "__getitem__" and name not in self.set:
            self.asked.add(str(name))
        elif method in {"__setitem__", "__delitem__"}:
            self.set.add(name)

    def find_spec(self, name: str, path: Any = None, _target: object = None) -> None:  # noqa: ANN401
        """Note that a module is looked for: as the first finder, which finds none."""
        module = name.rpartition(".")[2]
        for folder in list(sys.path if path is None else path):
            if isinstance(folder, str):
                self.sought.setdefault(_absolute(folder or "."), set()).add(module)

    def answer(self) -> dict[str, Any]:
        """Return all that was noted."""
        # a module that appears may hide one that was imported before, but none of Python's own
        tops = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
        for folder in [folder for folder in sys.path if isinstance(folder, str)]:
            self.sought.setdefault(_absolute(folder or "."), set()).update(tops)
        own = [f for f in self.sought if not (f + os.sep).startswith(self.places.installed)]
        own = [folder for folder in own if self.places.is_data(os.path.join(folder, ""))]
        looked = {f: sorted(asked) for f, asked in self.looked.items() if f not in self.written}
        return {
            "files": self.files(),
            "looked": looked,
            "sought": {folder: sorted(self.sought[folder]) for folder in own},
            "variables": sorted(self.asked),
            "unseen": sorted(self.left),
            "python": [sys.prefix, sys.version],
        }

    def files(self) -> list[str]:
        """Return the modules that were loaded, and what was read."""
        spaces = (getattr(module, "__dict__", {}) for module in list(sys.modules.values()))
        modules = (space.get("__file__") for space in spaces)
        names = [file for file in modules if isinstance(file, str)]
        loaded = {_absolute(file) for file in names}
        data = {file for file in self.read if self.places.is_data(file)}
        return sorted(f for f in data | loaded if not f.startswith(self.places.installed))


def _name(path: Any) -> str:  # noqa: ANN401
    """Return the absolute path of a file, if it is given by its name."""
    try:
        return "" if isinstance(path, int) else _absolute(_decode(path))
    except (TypeError, ValueError):
        return ""


def _is_there(name: str) -> bool:
    try:
        _lstat(name)
    except OSError:
        return False
    return True


def stand_before(probe: Probe, name: str, question: str) -> Any:  # noqa: ANN401
    """Put a function before one of `os` that answers a question about a file; return its code."""
    original = getattr(os, name)

    def noting(path: Any, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        if options.get("dir_fd") is None:
            to_link = name == "stat" and options.get("follow_symlinks") is False
            probe.note_look(path, "link" if to_link else question)
        return original(path, *rest, **options)

    noting.__name__ = noting.__qualname__ = name
    noting.__doc__, noting.__module__ = original.__doc__, original.__module__
    for able in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks,
                 os.supports_effective_ids):  # fmt: skip
        if original in able:
            able.add(noting)
    setattr(os, name, noting)
    return noting.__code__


def hide(codes: list[Any]) -> None:
    """Keep the functions of the probe out of the tracebacks that IPython shows."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        return
    original = shell._get_exc_info  # noqa: SLF001

    def without(exc_tuple: Any = None) -> Any:  # noqa: ANN401
        kind, value, first = original(exc_tuple)
        error = value
        while error is not None:
            trace = error.__traceback__
            while trace is not None:
                while trace.tb_next is not None and trace.tb_next.tb_frame.f_code in codes:
                    trace.tb_next = trace.tb_next.tb_next
                trace = trace.tb_next
            error = error.__cause__ or error.__context__
        return kind, value, first

    shell._get_exc_info = without  # noqa: SLF001


def watch() -> None:
    """Start to watch."""
    probe = Probe()
    asking = {"stat": "time", "lstat": "link", "access": "kind", "readlink": "link"}
    hide([stand_before(probe, name, question) for name, question in asking.items()])
    encode = os.environ.encodekey

    def encode_noting(name: Any) -> Any:  # noqa: ANN401
        probe.note_variable(name)
        return encode(name)

    os.environ.encodekey = encode_noting
    sys.meta_path.insert(0, probe)
    sys.addaudithook(probe.hook)
