"""The template process: imports heavy libraries once, then forks a real ipykernel for each request.

It runs as a script, ``python template.py LISTENING_FD MODULE...``, on Linux. A request is one
connection: a line of JSON comes in, with the kernel's standard output and error; a line of JSON
goes out with the kernel's process number, or with the reason why there is none; the exit status
follows when the kernel ends. A kernel is killed when its connection closes, all of them when the
template's standard input does.

Whatever a kernel has started ends with it, also in a session of its own and after a double fork:
kernels and the template adopt what lost its parent below them (`adopt_orphans`), and the template
kills each child that is no kernel. Only who kills the template itself leaves something behind.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # the folder of this script: its modules would hide others of their names
    if not sys.flags.safe_path:
        del sys.path[0]

import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sysconfig
import tempfile
from contextlib import suppress
from importlib.machinery import all_suffixes
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ipykernel.kernelapp import IPKernelApp

KERNEL = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel_launcher", "ipykernel.debugger",
          "IPython.core.completer", "IPython.core.completerlib", "IPython.core.debugger",
          "IPython.core.oinspect", "IPython.extensions.storemagic", "debugpy.server.api", "pdb",
          "sqlite3", "tornado.platform.asyncio", "tornado.queues", "faulthandler")  # fmt: skip
"""What is imported until a kernel answers."""
PACKAGES = "purelib", "platlib"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None)
REQUEST = 1 << 20
"""Bytes that a request may have: it holds an environment."""


def _load(name: str) -> SimpleNamespace:
    """Return what a module has that lies beside this script, without the package."""
    file = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
    return SimpleNamespace(**runpy.run_path(file, run_name=f"bookproof.{name}"))


NET, LIBRARIES = _load("net"), _load("libraries")


class Forker:
    """Forks kernels from this process, and answers for them."""

    def __init__(self, listener: socket.socket, trouble: str, sources: Mapping[str, str]) -> None:
        self.listener, self.trouble, self.sources = listener, trouble, sources
        # IPython looks into a page's folder after the standard library
        self.loaded = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
        self.kernels: dict[int, socket.socket] = {}
        adopt_orphans()
        self.helpers = children()  # what imported modules have started lives as long as they do
        self.wakeup = socket.socketpair()
        self.wakeup[1].setblocking(False)  # noqa: FBT003
        signal.set_wakeup_fd(self.wakeup[1].fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only signals with a handler wake it up
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends with its standard input
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, self.answer)
        self.selector.register(0, selectors.EVENT_READ, self.end)
        self.selector.register(self.wakeup[0], selectors.EVENT_READ, self.reap)

    def serve(self) -> dict[str, Any]:
        """Answer until the standard input closes; return in each forked child, with its request."""
        while True:
            for key, _ in self.selector.select():
                job: dict[str, Any] | None = key.data()
                if job is not None:
                    return job

    def answer(self) -> dict[str, Any] | None:
        """Fork a kernel for the next connection."""
        connection, _ = self.listener.accept()
        data, descriptors, _, _ = socket.recv_fds(connection, REQUEST, 2)
        while data and not data.endswith(b"\n"):
            more = connection.recv(REQUEST)
            data = data + more if more else b""
        job: dict[str, Any] = {"descriptors": descriptors, **json.loads(data or b"{}")}
        try:
            changed = newer(self.sources)
            trouble = self.trouble or changed or hidden(job["cwd"], self.loaded)
            pid = -1 if trouble else os.fork()
        except (OSError, KeyError) as error:  # no such folder, no more processes, nobody there
            pid, trouble = -1, str(error)
        if pid == 0:
            self.leave(connection)
            return job
        for descriptor in descriptors:
            os.close(descriptor)
        if pid < 0:
            self.reply(connection, error=trouble)
            connection.close()
            return None
        self.kernels[pid] = connection
        self.reply(connection, pid=pid)
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.kill(pid))
        return None

    def reply(self, connection: socket.socket, **answer: object) -> None:
        """Tell whoever asked, who may be gone."""
        with suppress(OSError):
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def reap(self) -> None:
        """Pass on how kernels ended, and end what they left running."""
        self.wakeup[0].recv(1024)  # a byte for each signal
        # first look, then kill the group, then reap: until then nobody else can have the number
        while (pid := ended()) is not None:
            self.kill(pid)
            _, status = os.waitpid(pid, 0)
            self.helpers.discard(pid)
            connection = self.kernels.pop(pid, None)
            if connection is None:  # an imported module started it, or a kernel did
                continue
            self.selector.unregister(connection)
            self.reply(connection, status=os.waitstatus_to_exitcode(status))
            connection.close()
        # each that ends now leaves its own children here, and wakes this process again
        kill_all(children() - self.helpers - self.kernels.keys())

    def kill(self, pid: int) -> None:
        """Kill a kernel and all that it started, unless it was reaped meanwhile."""
        if pid not in self.kernels:
            return
        for end in (os.killpg, os.kill):  # the group is there once the kernel has made it
            with suppress(ProcessLookupError):
                end(pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill all kernels and whatever they have started, and end."""
        for pid in self.kernels:
            self.kill(pid)
        while left := children():
            kill_all(left)
            os.waitpid(-1, 0)
        os._exit(0)

    def leave(self, connection: socket.socket) -> None:
        """Forget, in a forked child, all that is the template's alone."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        self.selector.close()
        for end in (self.listener, connection, *self.wakeup, *self.kernels.values()):
            end.close()


def adopt_orphans() -> None:
    """Become the parent of every process below this one that loses its own."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Return the children of this process, also those that have ended and were not reaped."""
    return {child.pid for child in psutil.Process().children()}


def ended() -> int | None:
    """Return a child that has ended and was not reaped yet, if there is one."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found else None


def kill_all(pids: set[int]) -> None:
    """Kill children of this process, which may have ended but are not reaped yet."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def prepare(modules: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Import everything; return why nothing may be forked from what came out of it, if so.

    And what was read for it, each with its stamp, as are the folders of packages.
    """
    packages = {folder: NET.stamp(folder) for folder in map(sysconfig.get_path, PACKAGES)}
    LIBRARIES.choose()
    gc.disable()  # nothing of what is imported goes
    import_some(KERNEL)
    net = NET.start()  # from here on: an ordinary kernel starts it once it is there, too
    trouble = import_silently(modules)
    for name in modules:
        import_some(LIBRARIES.IMPORTED_LATE.get(name, ()))
    for name in LIBRARIES.TIED:
        forget(name)
    gc.freeze()  # a collection in a fork would write to, and so copy, the memory that all share
    gc.enable()
    if not trouble and (threads := count_threads()) > 1:
        # a fork keeps one of them: what then waits for the others hangs
        trouble = f"after importing {', '.join(modules)}, {threads} threads run instead of 1"
    # what was looked for and not there, the imports may have made: matplotlib its list of fonts
    net.before = {file: was or NET.stamp(file) for file, was in net.answer()["used"].items()}
    return trouble, packages | net.before


def count_threads() -> int:
    """Count the threads of this process but those that end when it forks, as OpenBLAS's do."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return len(os.listdir("/proc/self/task"))


def import_some(names: Iterable[str]) -> None:
    """Import modules early that would be imported late, as far as they are there."""
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)


def import_silently(modules: Sequence[str]) -> str:
    """Import modules; say so if one fails or prints, which a page would have to show."""
    with tempfile.TemporaryFile() as log:
        kept = os.dup(1), os.dup(2)
        for number in (1, 2):
            os.dup2(log.fileno(), number)
        try:
            for name in modules:
                importlib.import_module(name)
                sys.stdout.flush()
                sys.stderr.flush()
                if log.seek(0, os.SEEK_END):
                    log.seek(0)
                    return f"importing {name} prints {log.read().decode(errors='replace')!r}"
        except (Exception, SystemExit) as error:  # noqa: BLE001 (an ordinary kernel will show it)
            return f"importing {name} raises {error!r}"
        finally:
            for number, stream in enumerate(kept, 1):
                os.dup2(stream, number)
                os.close(stream)
    return ""


def newer(sources: Mapping[str, str]) -> str:
    """Say which file has changed since an import read it, or where packages have."""
    for file, stamp in sources.items():
        if NET.stamp(file) != stamp:
            return f"{file} has changed since it was imported"
    return ""


def hidden(folder: str, loaded: set[str]) -> str:
    """Say which module of a folder a kernel would not find: one that was loaded hides it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            module = entry.name.endswith(tuple(all_suffixes()))
            package = os.path.isfile(os.path.join(entry.path, "__init__.py"))
            if entry.name.partition(".")[0] in loaded and (module or package):
                return f"{entry.path} is in the place of a module that was imported"
    return ""


def forget(name: str) -> None:
    """Let a module be imported anew; what it imports itself stays."""
    if sys.modules.pop(name, None):
        package, _, attribute = name.rpartition(".")
        delattr(sys.modules[package], attribute)


def enter(job: dict[str, Any], set_by_imports: dict[str, str]) -> None:
    """Take on a kernel's place in the system: its session, folder, environment and streams."""
    parent = os.getppid()
    os.setsid()
    adopt_orphans()
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be tied to this process
        os._exit(1)
    streams = [os.open(os.devnull, os.O_RDONLY), *job["descriptors"]]
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(job["cwd"])
    os.environ.clear()
    # as in an ordinary kernel, which ends with the process of this number
    os.environ.update(job["env"] | set_by_imports, JPY_PARENT_PID=str(parent))
    sys.orig_argv = [sys.executable, "-m", "ipykernel_launcher", *job["argv"]]


def become_kernel(arguments: list[str]) -> IPKernelApp:
    """Do what ``python -m ipykernel_launcher`` does, but for the start."""
    import ipykernel_launcher  # noqa: PLC0415
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415

    sys.argv = [ipykernel_launcher.__file__, *arguments]
    # the class read the environment when it was imported
    app = IPKernelApp.instance(parent_handle=int(os.environ.get("JPY_PARENT_PID", "0")))
    app.initialize()
    return app


def main() -> None:
    """Import, serve, and go on as a kernel where serving returns."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    before = dict(os.environ)
    trouble, sources = prepare(sys.argv[2:])
    changed = {name: value for name, value in os.environ.items() if before.get(name) != value}
    state = LIBRARIES.state()
    job = Forker(listener, trouble, sources).serve()
    enter(job, changed)
    LIBRARIES.renew(state)
    become_kernel(job["argv"]).start()


if __name__ == "__main__":
    main()
