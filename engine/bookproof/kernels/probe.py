"""Watches, inside a Python kernel, what a page's outputs depend on.

Its text is all that gets there (`bookproof.kernels.trace`), so it imports nothing of this engine.
An audit hook (:pep:`578`) sees what the page opens, which folders it lists, and whether it starts
processes or reaches the network, which then do what cannot be seen. Python tells nobody that it
looks at a file without opening it, at a variable of the environment, or for a module: functions
that note the question stand before those that answer it. Modules that were loaded come from
``sys.modules``. What C code asks the system itself stays unseen.

Everything is noted as it was when the page first asked: what changes later, while the page still
runs, is not what the page has seen. A template watches in the same way what its modules ask when
they are imported; the kernels that it forks go on from there.
"""

from __future__ import annotations

import os
import re
import site
import sqlite3
import sys
import sysconfig
import tempfile
from functools import cache, wraps
from importlib.machinery import all_suffixes
from importlib.util import source_from_cache
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

LEAVES = {"subprocess.Popen": 1, "os.system": 0, "os.exec": 1, "os.posix_spawn": 1, "os.spawn": 2,
          "pty.spawn": 0, "os.fork": None, "os.forkpty": None,
          "socket.connect": 1, "socket.getaddrinfo": 0}  # fmt: skip
"""The events by which a page goes where it can't be followed, and which argument tells for what."""
A_PROCESS = "a process"
"""What stands for an event of a process that was started without any."""
ASKING = {
    "getsize": "size",
    # all that matters to these is whether a file is there, and of which kind
    **dict.fromkeys(("exists", "lexists", "isfile", "isdir", "islink", "ismount", "is_file",
                     "is_dir", "is_symlink", "is_mount", "samefile", "_joinrealpath",
                     "realpath"), "kind"),
}  # fmt: skip
"""What functions that call `os.stat` ask of a file, where it is not its time."""
MADE_BY_TOOLS = {"__pycache__", ".ipynb_checkpoints"}
"""What is in a folder, but counts for nobody who lists it."""
FINDERS = {"importlib", "importlib_metadata", "pkg_resources"}
"""The packages that look for modules, and for what is installed, wherever modules may be."""
MACHINE = "/proc", "/sys"
"""The folders that hold no files, but what the system says of itself."""
AGENTS = {*sys.stdlib_module_names, "IPython"}
"""The packages that read variables for whoever calls them."""
STEERING = ("CUDA_", "FORCE_COLOR", "KMP_", "MPL", "NO_COLOR", "NPY_", "PYTORCH_",
            "SOURCE_DATE_EPOCH", "TF_")  # fmt: skip
"""How the variables begin that change what packages do, though they are not named after them."""
LONGEST_COMMAND = 60
"""Letters of a command that are noted."""
ALL = "*"
"""What stands for all variables of the environment, or after how the names of some begin."""
# a page may replace them
_absolute, _decode, _frame = os.path.abspath, os.fsdecode, sys._getframe  # noqa: SLF001
_stat, _lstat, _readlink, _scandir = os.stat, os.lstat, os.readlink, os.scandir


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


def look(name: str, question: str) -> str:
    """Answer what a page asked of a file without opening it."""
    try:
        if question == "link" and S_ISLNK(_lstat(name).st_mode):
            return f"leads to {_readlink(name)}"
        found = _stat(name)
    except (OSError, ValueError):
        return ""
    if not S_ISREG(found.st_mode):  # of a folder, size and time say what tools have made in it
        return "folder" if S_ISDIR(found.st_mode) else "special"
    told = {"size": f" {found.st_size}", "time": f" {found.st_size} {found.st_mtime_ns}"}
    return "file" + told.get(question, "")


def stamp(name: str) -> str:
    """Return what is another one if the contents of a file, or the names in a folder, may be.

    A file that comes to be there under this name, however old it is, has been changed now.
    """
    try:
        found = _stat(name)
        if S_ISDIR(found.st_mode):
            with _scandir(name) as entries:
                return "\n".join(sorted({entry.name for entry in entries} - MADE_BY_TOOLS))
    except (OSError, ValueError):
        return ""
    if not S_ISREG(found.st_mode):
        return "special"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def modules_in(folder: str) -> set[str]:
    """Return the modules that could be imported from a folder."""
    try:
        with _scandir(folder) as entries:
            return {
                entry.name.partition(".")[0] for entry in entries
                if entry.name.endswith(tuple(all_suffixes())) or entry.is_dir()
            }  # fmt: skip
    except OSError:
        return set()


def below(file: str, folders: Any) -> bool:  # noqa: ANN401
    """Whether a file is one of these folders or in one."""
    return any(file == folder or file.startswith(folder + os.sep) for folder in folders)


class Probe:
    """What a page has asked so far."""

    def __init__(self) -> None:
        paths = [sysconfig.get_path(k) for k in ("stdlib", "platstdlib", "purelib", "platlib")]
        archive = "python{}{}.zip".format(*sys.version_info)
        paths += site.getsitepackages() + [f for f in sys.path if f.endswith(archive)]
        self.installed = set(paths)
        """The folders of what is installed, which is known by its records."""
        self.read: dict[str, str] = {}
        """By path, the stamp of what was opened or listed."""
        self.looked: dict[str, dict[str, str]] = {}
        """By path, what it asked of the file there (its kind, size or time, or where it leads)."""
        self.sought: dict[str, dict[str, bool]] = {}
        """By folder, the modules that it looked for there, and whether they were there."""
        self.modules = cache(modules_in)
        """By folder, the modules that were there when it was first of interest."""
        self.written: set[str] = set()
        self.made: set[str] = set()
        """The files that it wrote, and the folders that it made, in which all is its own."""
        self.wanted: set[str] = set()
        """The folders that it would have made, had they not been there."""
        self.before: Any = None
        self.unseen: dict[str, tuple[int, str]] = {}
        """By event, where it first went where it can't be followed: the cell's number, for what."""
        self.asked: set[str] = set()
        self.set: set[str] = set()
        """Variables of the environment that it has read, and that it has set itself."""
        self.restore: list[Callable[[], object]] = []
        """What takes away again what stands before others."""

    def start(self) -> None:
        """Watch from here on, in the place where the process is now."""
        self.before = processes()
        self.modules.cache_clear()
        here = _absolute(".")
        with _scandir(".") as entries:
            if not any(entries):  # made for the page: all in there will be its own
                self.made.add(here)
        # where ipykernel says that cells are, for tracebacks: no file is there
        self.made.add(os.path.join(tempfile.gettempdir(), f"ipykernel_{os.getpid()}"))
        for folder in _folders(sys.path):
            if self.counts(folder):
                self.modules(folder)
        asking = {"stat": "time", "lstat": "link", "access": "kind", "readlink": "link"}
        for name, question in asking.items():
            self.stand_before(name, question)
        hide_frames()
        self.watch_variables(os.environ)
        if os.supports_bytes_environ:
            self.watch_variables(os.environb)
        self.watch_databases()
        sys.meta_path.insert(0, self)
        self.restore.append(lambda: sys.meta_path.remove(self))

    def stop(self) -> None:
        """Let everything go its way unseen, and forget nothing but who was started."""
        while self.restore:
            self.restore.pop()()
        self.unseen.clear()

    # coverage sees nothing from here: Python lets nothing trace what an audit hook does
    def hook(self) -> Callable[[str, Any], None]:
        """Return the function that notes an event."""
        counting = {"bookproof.probe", "bookproof.trace", "sqlite3.connect", *LEAVES, *NOTED}

        def note(event: str, arguments: Any) -> None:  # noqa: ANN401
            if event not in counting:  # first: h5py alone tells of a million `builtins.id`
                return
            if event == "bookproof.probe":
                arguments[0].append(self)
            elif not self.restore:
                return
            elif event == "bookproof.trace":
                if processes() != self.before:
                    self.unseen.setdefault(A_PROCESS, (0, ""))
                arguments[0].update(self.answer())
            elif event == "sqlite3.connect":
                self.note_database(arguments[0])
            elif event in LEAVES:
                self.note_unseen(event, _told(arguments, LEAVES[event]))
            elif _frame(1).f_globals is not globals():
                NOTED[event](self, *arguments)

        return note  # no method: to call one takes three times as long

    def note_unseen(self, event: str, what: str) -> None:
        """Note that the page goes where it can't be followed."""
        shell = _shell()
        # not execution_count, which goes up before a cell runs or after it, as the version has it
        count = len(shell.history_manager.input_hist_parsed) - 1 if shell else 0
        self.unseen.setdefault(event, (count, what))

    def note_listed(self, path: Any) -> None:  # noqa: ANN401
        """Note that a folder is listed, but not by who looks for modules or packages there."""
        if _package(_frame(2)) not in FINDERS:
            self.note_read(_name(path or "."))

    def note_made(self, path: Any, *_: object) -> None:  # noqa: ANN401
        """Note that a folder is made, or would be, were it not there."""
        if name := _name(path):
            (self.wanted if look(name, "kind") else self.made).add(name)

    def note_renamed(self, path: Any, new: Any, *_: object) -> None:  # noqa: ANN401
        """Note that what the page has written gets another name."""
        if self.is_own(_name(path)):
            self.written.add(_name(new))

    def note_opened(self, path: Any, mode: str | None, flags: int) -> None:  # noqa: ANN401
        """Note that a file is opened: what a page makes anew, it need not have read."""
        file = _name(path)
        there = look(file, "kind")
        if mode is not None and there == "folder":
            return  # no folder opens so: something else is opened in it
        anew = flags & (os.O_TRUNC | os.O_EXCL) or (flags & os.O_CREAT and not there)
        if file and anew:
            self.written.add(file)
        else:
            self.note_read(file)

    def note_database(self, given: Any) -> None:  # noqa: ANN401
        """Note that a database is opened: by its name, or by an address that holds it."""
        name = _decode(given)
        address = re.sub("^file:(//[^/]*)?", "", name.partition("?")[0].partition("#")[0])
        for file in {name, unquote(address)} - {"", ":memory:"}:
            if look(_name(file), "kind"):
                self.note_read(_name(file))
            else:
                self.written.add(_name(file))

    def note_read(self, file: str) -> None:
        """Note that what is in a file or folder counts."""
        if file.endswith(".pyc"):
            file = _source(file)
        if file and file not in self.read and self.counts(file) and not self.is_own(file):
            self.read[file] = stamp(file)

    # coverage sees all from here
    def note_look(self, path: Any, question: str) -> None:  # noqa: ANN401
        """Note that a file is looked at, but not opened."""
        caller = _frame(2)
        if caller.f_code.co_name in {"stat", "lstat"}:  # a method of pathlib
            caller = caller.f_back or caller
        if caller.f_globals.get("__name__") == "linecache" or not (file := _name(path)):
            return  # for a traceback, of modules that are known
        if question == "time":
            question = ASKING.get(caller.f_code.co_name, question)
        # a text of several lines that is shown: IPython asks whether it names a file
        if "\n" not in file and not self.is_own(file) and self.counts(file):
            asked = self.looked.setdefault(file, {})
            if question not in asked:
                asked[question] = look(file, question)

    def note_variable(self, name: Any) -> None:  # noqa: ANN401
        """Note that a variable is read or set: both encode its name first."""
        caller, name = _frame(2), _decode(name)
        own = self.own_variables(caller)
        if caller.f_code.co_name in {"__setitem__", "__delitem__"}:
            if not own:  # what a package sets may be what it found
                self.set.add(name)
        elif name not in self.set and name.startswith((own, *STEERING)):
            self.asked.add(name)

    def own_variables(self, caller: Any) -> str:  # noqa: ANN401
        """Return how the variables begin that are meant for whoever reads them: all are for a page.

        For an installed package, those that are named after it are. It also reads who its user is
        and where it runs, and computes nothing else for that.
        """
        while (package := _package(caller)) in AGENTS:
            if not caller.f_back:  # a thread, of which nobody knows who started it
                return ""
            caller = caller.f_back
        installed = below(_absolute(caller.f_code.co_filename), self.installed)
        return package.upper() if installed else ""

    def note_attached(self, action: int, name: str | None, *_: object) -> int:
        """Note the database that a statement opens besides, and allow all."""
        if action == sqlite3.SQLITE_ATTACH:
            if name is None:
                self.note_unseen("sqlite3 ATTACH", "")
            else:
                self.note_database(name)
        return sqlite3.SQLITE_OK

    def find_spec(self, name: str, path: Any = None, _target: object = None) -> None:  # noqa: ANN401
        """Note that a module is looked for: as the first finder, which finds none."""
        for folder in _folders(sys.path if path is None else path):
            self.note_sought(folder, name.rpartition(".")[2])

    def note_sought(self, folder: str, module: str) -> None:
        """Note that a module is looked for in a folder."""
        if self.counts(folder):
            self.sought.setdefault(folder, {}).setdefault(module, module in self.modules(folder))

    def counts(self, file: str) -> bool:
        """Whether it may change while the installed packages and the machine stay the same."""
        return not below(file, self.installed) and not below(file, MACHINE)

    def is_own(self, file: str) -> bool:
        """Whether the page itself has made what is there."""
        return file in self.written or below(file, self.made)

    def stand_before(self, name: str, question: str) -> None:
        """Stand before a function of `os` that answers a question about a file."""
        original = getattr(os, name)

        @wraps(original)
        def noting(path: Any, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
            if options.get("dir_fd") is None:
                to_link = name == "stat" and options.get("follow_symlinks") is False
                self.note_look(path, "link" if to_link else question)
            return original(path, *rest, **options)

        for able in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks,
                     os.supports_effective_ids):  # fmt: skip
            if original in able:
                able.add(noting)
        self.put(os, name, noting)

    def watch_variables(self, variables: Any) -> None:  # noqa: ANN401
        """Note which variables are read: by their names, or, by who goes through them, all."""
        encode, decode = variables.encodekey, variables.decodekey

        def encode_noting(name: Any) -> Any:  # noqa: ANN401
            self.note_variable(name)
            return encode(name)

        def decode_noting(name: Any) -> Any:  # noqa: ANN401
            self.asked.add(self.own_variables(_frame(1)) + ALL)
            return decode(name)

        self.put(variables, "encodekey", encode_noting)
        self.put(variables, "decodekey", decode_noting)

    def watch_databases(self) -> None:
        """Note which databases a statement attaches to one that is open: no event tells."""
        connect = sqlite3.connect

        def connect_noting(*given: Any, **options: Any) -> Any:  # noqa: ANN401
            connection = connect(*given, **options)
            connection.set_authorizer(self.note_attached)
            return connection

        self.put(sqlite3, "connect", wraps(connect)(connect_noting))

    def put(self, place: Any, name: str, value: Any) -> None:  # noqa: ANN401
        """Put something in another's place until it is over."""
        original = getattr(place, name)
        setattr(place, name, value)
        self.restore.append(lambda: setattr(place, name, original))

    def answer(self) -> dict[str, Any]:
        """Return all that was noted."""
        # a module that appears may hide one that was imported before, but none of Python's own
        tops = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
        for folder in _folders(sys.path):
            for module in tops:
                self.note_sought(folder, module)
        made = {(os.path.dirname(file), os.path.basename(file).partition(".")[0])
                for file in self.written | self.made}  # fmt: skip
        sought = {
            folder: {n: there for n, there in names.items() if (folder, n) not in made}
            for folder, names in self.sought.items()
        }
        return {
            "files": self.files(),
            "looked": {
                file: told
                for file, told in self.looked.items()
                if not self.is_own(file) and file not in self.wanted
            },
            "sought": sought,
            "variables": sorted(self.asked),
            "unseen": self.unseen,
            "python": [sys.prefix, sys.version],
        }

    def files(self) -> dict[str, str]:
        """Return the modules that were loaded, and what was read, each with its stamp."""
        spaces = (getattr(module, "__dict__", {}) for module in list(sys.modules.values()))
        modules = (space.get("__file__") for space in spaces)
        names = {_source(_absolute(file)) for file in modules if isinstance(file, str)}
        loaded = {f: stamp(f) for f in names if self.counts(f) and not self.is_own(f)}
        return loaded | self.read


NOTED: dict[str, Callable[..., None]] = {
    "open": Probe.note_opened,
    "os.listdir": Probe.note_listed,
    "os.scandir": Probe.note_listed,
    "os.mkdir": Probe.note_made,
    "os.rename": Probe.note_renamed,
}


def _folders(path: Any) -> list[str]:  # noqa: ANN401
    return [_absolute(folder or ".") for folder in list(path) if isinstance(folder, str)]


def _package(frame: Any) -> str:  # noqa: ANN401
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _source(file: str) -> str:
    """Return the source of a compiled module: it may be all that was read of one that went."""
    try:
        return source_from_cache(file)
    except ValueError:
        return file


def _name(path: Any) -> str:  # noqa: ANN401
    """Return the absolute path of a file, if it is given by its name."""
    try:
        return "" if isinstance(path, int) else _absolute(_decode(path))
    except (TypeError, ValueError):
        return ""


def _told(arguments: Any, place: Any) -> str:  # noqa: ANN401
    """Return the command or the address that an event tells of, in one short line."""
    try:
        given = arguments[place]
        parts = [given] if isinstance(given, str | bytes | os.PathLike) else given
        words = [str(part) if isinstance(part, int) else _decode(part) for part in parts]
    except (LookupError, TypeError, ValueError):
        return ""
    line = " ".join(" ".join(words).split())
    return line if len(line) <= LONGEST_COMMAND else f"{line[:LONGEST_COMMAND]}…"


def _shell() -> Any:  # noqa: ANN401
    """Return what runs the cells here, if anything does."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def hide_frames() -> None:
    """Keep the functions of the probe out of the tracebacks that IPython shows."""
    shell = _shell()
    if shell is None:
        return
    original = shell._get_exc_info  # noqa: SLF001

    def without(exc_tuple: Any = None) -> Any:  # noqa: ANN401
        kind, value, first = original(exc_tuple)
        error = value
        while error is not None:
            trace = error.__traceback__
            while trace is not None:
                while (later := trace.tb_next) and later.tb_frame.f_globals is globals():
                    trace.tb_next = later.tb_next
                trace = later
            error = error.__cause__ or error.__context__
        return kind, value, first

    shell._get_exc_info = without  # noqa: SLF001


def watch() -> Probe:
    """Watch from now on; go on with what a template has seen, if this process is a fork of one."""
    found: list[Probe] = []
    sys.audit("bookproof.probe", found)
    probe = found[0] if found else Probe()
    probe.start()
    if not found:
        sys.addaudithook(probe.hook())
    return probe
