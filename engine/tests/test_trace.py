"""What a page depends on is seen from inside its kernel, which shows nothing of it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from book_project import cell, settle_environment
from book_runs import printed, run, write

from bookproof import run as runs
from bookproof.kernels import trace
from bookproof.kernels.trace import Trace, Unseen, read_trace

# What a page does, and which files of its folder are seen.
SEEN = {
    "x = 1": [],
    "import helper": ["helper.py", "inner.py"],
    "import inner\nimport package.part": ["inner.py", "package/__init__.py", "package/part.py"],
    "import importlib, inner\nimportlib.reload(inner)": ["inner.py"],
    "%run script.py": ["script.py"],
    "%load script.py": ["script.py"],
    "open('data.txt').read()": ["data.txt"],
    "open(b'data.txt', 'rb').read()": ["data.txt"],
    "import io\nio.open_code('data.txt').read()": ["data.txt"],
    "import os\nos.read(os.open('data.txt', os.O_RDONLY), 9)": ["data.txt"],
    "from pathlib import Path\nPath('../beside/data.txt').resolve().read_text()": ["data.txt"],
    "import numpy as np\nnp.loadtxt('data.txt')": ["data.txt"],
    "import numpy as np\nnp.fromfile('data.txt')": ["data.txt"],
    "import numpy as np\nnp.memmap('data.txt')": ["data.txt"],
    "import linecache\nlinecache.getlines('data.txt')": ["data.txt"],
    "import os\nos.chdir('package')\nopen('../data.txt').read()": ["data.txt"],
    "import sqlite3\nsqlite3.connect('data.db').execute('pragma user_version')": ["data.db"],
    "import threading\nthreading.Thread(target=open, args=['data.txt']).start()": ["data.txt"],
    # what the page itself wrote, it need not have read
    "open('own.txt', 'w').write('1')\nopen('own.txt').read()": [],
    "open('new.txt', 'x').write('1')\nopen('new.txt').read()": [],
    "import os\nos.symlink('led.txt', 'leads')\n"
    "open('leads', 'w').write('1')\nopen('leads').read()": [],
    "import tempfile\nf = tempfile.NamedTemporaryFile()\nopen(f.name).read()": [],
    "open('log.txt').read()\nopen('log.txt', 'w').write('1')": ["log.txt"],
    "open('log2.txt', 'a+').write('1')\nopen('log2.txt').read()": ["log2.txt"],
    # what is installed, or the system's
    "import yaml\nopen(yaml.__file__).read()": [],
    "import this": [],
    "import importlib.metadata\nimportlib.metadata.version('sphinx')": [],
    # folders that it lists, and files that it looks for in vain
    "import os\nos.listdir()": ["."],
    "import os\nos.listdir(b'package')": ["package"],
    "import os\nlist(os.scandir('package'))": ["package"],
    "from pathlib import Path\nlist(Path('package').iterdir())": ["package"],
    "from pathlib import Path\nlist(Path('package').glob('*.py'))": ["package"],
    "import glob\nglob.glob('package/*.py')": ["package"],
    "from importlib.metadata import distributions\n[*distributions(path=['package'])]": [],
    "import os\nexec(\"os.listdir('package')\", {'os': os, '__name__': 'pkg_resources'})": [],
    "try: open('absent.txt')\nexcept OSError: pass": ["absent.txt"],
    "open('/etc/hosts').read()\nopen('/proc/self/stat').read()": [],
}  # fmt: skip
if importlib.util.find_spec("matplotlib"):
    SEEN["import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()"] = []
SPAWNS = {"os.posix_spawn"} if sys.version_info >= (3, 13) else set()  # how a Popen may start
# What a page does where it can't be followed, and how that is seen.
UNSEEN = {
    "x = 1": set(),
    "import subprocess, sys\nsubprocess.run([sys.executable, '-V'])": {"subprocess.Popen", *SPAWNS},
    "import os\nos.system('true')": {"os.system"},
    "import os\nif not os.fork(): os._exit(0)": {"os.fork"},
    "import os\nos.posix_spawn('/bin/true', ['true'], {})": {"os.posix_spawn"},
    "!true": {"os.forkpty"},
    "%%bash\ntrue": {"subprocess.Popen"},
    "from multiprocessing import get_context\n"
    "p = get_context('fork').Process(target=print)\np.start()\np.join()": {"os.fork"},
    "from multiprocessing import get_context\n"
    "p = get_context('spawn').Process(target=print)\np.start()\np.join()": {"a process"},
    "import ctypes\nctypes.CDLL(None).system(b'true')": {"a process"},
    "import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))": {"socket.connect"},
    "import socket\nsocket.getaddrinfo('localhost', 80)": {"socket.getaddrinfo"},
    "import urllib.request\ntry: urllib.request.urlopen('http://127.0.0.1:9')\n"
    "except OSError: pass": {"socket.connect", "socket.getaddrinfo"},
}  # fmt: skip
# What a page may do to itself: it is seen all the same,
TAMPERS = [
    "import helper, sys\ndel sys.modules['helper'], sys.modules['inner']",
    "import helper\nhelper.__file__ = 'other.py'\nhelper.inner.__file__ = 3",
    "import helper, os\nos.path.abspath = os.fsdecode = None",
    "import helper\nopen = print = sys = os = None",
    "import helper\nget_ipython().reset()",
    "%reset -f\nimport helper",
    "import helper, sys\nsys.modules['absent'] = None\nsys.modules['odd'] = 3",
    "import helper\nget_ipython().display_formatter.active_types = ['image/png']",
]
# or the engine gets no answer.
HIDES = [
    "import helper\n__import__ = None",
    "import helper, sys\nsys.audit = None",
    "import helper\nget_ipython().display_formatter.formatters['text/plain'].for_type(str, print)",
]


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    """The traces of pages that do this; all of them, side by side, in one folder."""
    folder = tmp_path_factory.mktemp("beside") / "beside"
    for name in ("data.txt", "log.txt", "log2.txt", "data.db", "inner.py", "package/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "data.txt").write_text("1 2\n")
    (folder / "helper.py").write_text("import inner\n")
    (folder / "script.py").write_text("x = 1\n")
    (folder / "package" / "part.py").write_text("")
    pages = {
        code: write(folder, cell(code), name=f"{number}.md")
        for number, code in enumerate([*SEEN, *UNSEEN, *TAMPERS, *HIDES])
    }
    with pytest.MonkeyPatch.context() as patch:
        settle_environment(patch, tmp_path_factory.mktemp("temporary"))
        # the second time, modules are compiled
        run(pages["import helper"], pages["import inner\nimport package.part"])
        done = dict(zip(pages, run(*pages.values()), strict=True))
    assert not [one.page.path for one in done.values() if one.failed]
    return folder, {code: one.trace for code, one in done.items()}


def names(folder, trace):
    """The files of a trace beside and around the page."""
    around = [file for file in trace.files if Path(file).is_relative_to(folder.parent)]
    return [os.path.relpath(file, folder) for file in around]


@pytest.mark.parametrize("code", SEEN)
def test_the_files_that_a_page_reads_are_seen(traces, code):
    folder, found = traces
    assert names(folder, found[code]) == SEEN[code]
    assert found[code].unseen == {}


@pytest.mark.parametrize("code", UNSEEN)
def test_where_a_page_cannot_be_followed_is_seen(traces, code):
    assert set(traces[1][code].unseen) - {"a process"} == UNSEEN[code] - {"a process"}
    assert set(traces[1][code].unseen) >= UNSEEN[code]


@pytest.mark.parametrize(
    ("code", "event", "what"),
    [
        ("import subprocess\nsubprocess.run(['echo', 'a b'])", "subprocess.Popen", "echo a b"),
        ("import subprocess\nsubprocess.run('true\\n', shell=True)", "subprocess.Popen",
         "/bin/sh -c true"),
        ("import os, pathlib\nos.posix_spawn(pathlib.Path('/bin/true'), [b'true', '1'], {})",
         "os.posix_spawn", "true 1"),
        (f"import os\nos.system('true {'x' * 60}')", "os.system", f"true {'x' * 55}…"),
        ("import os\nif not os.fork(): os._exit(0)", "os.fork", ""),
        ("import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))", "socket.connect",
         "127.0.0.1 9"),
        ("import socket\nsocket.getaddrinfo(None, 80)", "socket.getaddrinfo", ""),
    ],
)  # fmt: skip
def test_what_a_page_does_there_is_told_with_its_cell(tmp_path, code, event, what):
    [done] = run(write(tmp_path, cell("x = 1"), cell(code), cell(code)))
    assert done.trace.unseen[event] == (2, what)


@pytest.mark.parametrize("code", TAMPERS)
def test_a_page_that_tampers_is_seen_all_the_same(traces, code):
    folder, found = traces
    assert {"helper.py", "inner.py"} <= set(names(folder, found[code]))


@pytest.mark.parametrize("code", HIDES)
def test_there_is_no_trace_of_a_page_that_hides_it(traces, code):
    assert traces[1][code] is None


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": "error", "ename": "TypeError"},
        {"data": {"text/plain": "'[]'"}},
        {"data": {"text/plain": "'{}'"}},
        {"data": {"text/plain": "1"}},
        {"data": {"text/plain": "'"}},
        {"data": {"text/html": "'{}'"}},
        {"data": None},
    ],
)
def test_an_answer_that_is_none_is_no_trace(answer):
    assert read_trace(answer) is None


def test_an_answer_is_a_trace(tmp_path):
    files = {str(tmp_path / "b.txt"): "1 2 3", trace.__file__: "4 5 6"}
    found = {"files": files, "unseen": {"os.fork": [2, ""]}, "python": [sys.prefix, sys.version]}
    asked = {"looked": {"/a": {"kind": ""}}, "sought": {"/b": {"c": True}}, "variables": ["D"]}
    expected = {str(tmp_path / "b.txt"): "1 2 3"}
    whole = Trace(expected, {"os.fork": Unseen(2, "")}, asked["looked"], asked["sought"], ("D",))
    assert read_trace(answer(found | asked)) == whole


@pytest.mark.parametrize("python", [["/opt/python", sys.version], [sys.prefix, "3.9"]])
def test_another_python_is_told_by_its_trace(python):
    found = {"files": {}, "unseen": {}, "python": python}
    found |= {"looked": {}, "sought": {}, "variables": []}
    assert read_trace(answer(found)) == Trace({}, {"another Python": Unseen(0, "")})


def answer(found):
    """Return what a kernel answers."""
    return {"data": {"text/plain": repr(json.dumps(found))}}


def test_any_python_can_be_traced(tmp_path):
    (tmp_path / "data.txt").touch()
    code = (
        "from bookproof.kernels.trace import READ_TRACE, START_TRACE\nexec(START_TRACE)\n"
        "open('data.txt')\nprint(eval(READ_TRACE))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True)
    found = json.loads(said)
    assert str(tmp_path / "data.txt") in found["files"]
    assert found["unseen"] == {}


@pytest.mark.usefixtures("settled")
def test_a_trace_leaves_nothing_in_the_kernel(tmp_path, monkeypatch):
    look = (
        "print(sorted(set(globals()) - {'__builtin__'}))\n"
        "print(In, Out, _, __, _i, get_ipython().execution_count)\n"
        "import sys\nprint(sys.getprofile(), type(sys.gettrace()))"
    )
    body = cell(look), cell("'once'"), cell("print(In[1:], Out, _, _i, len(globals()))")
    path = write(tmp_path, *body)
    [traced] = run(path)
    monkeypatch.setattr(runs, "START_TRACE", "")
    monkeypatch.setattr(runs, "READ_TRACE", "None")
    [untraced] = run(path)
    assert printed(traced) == printed(untraced)
    assert (traced.trace.files, traced.trace.unseen) == ({}, {})
    assert untraced.trace is None
    assert [c.get("execution_count") for c in traced.notebook.cells[1:]] == [1, 2, 3]


@pytest.mark.usefixtures("settled")
def test_an_ordinary_kernel_is_traced_in_the_same_way(tmp_path):
    (tmp_path / "helper.py").write_text("")
    (tmp_path / "data.txt").write_text("")
    pages = [
        write(tmp_path, cell("import helper\nopen('data.txt').read()"), name="a.md"),
        write(tmp_path, cell("import os\nos.system('true')"), name="b.md"),
    ]
    warm, cold = run(*pages), run(*pages, warm=False)
    for here, there in zip(warm, cold, strict=True):
        assert (here.trace.files, here.trace.looked) == (there.trace.files, there.trace.looked)
        assert here.trace.unseen == there.trace.unseen
    assert list(warm[0].trace.files) == [str(tmp_path / "data.txt"), str(tmp_path / "helper.py")]


@pytest.mark.usefixtures("settled")
def test_a_text_that_is_shown_is_no_file_that_is_looked_at(tmp_path):
    code = "from IPython.display import HTML\nHTML({!r})"
    texts = "<p>a</p>\n<p>b</p>", "name"  # IPython shows the file of such a name, if there is one
    [done] = run(write(tmp_path, *(cell(code.format(text)) for text in texts)))
    looked = [name for name in done.trace.looked if Path(name).is_relative_to(tmp_path)]
    assert looked == [str(tmp_path / "name")]


@pytest.mark.usefixtures("settled")
def test_what_is_beside_the_page_counts_wherever_the_page_is(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "elsewhere.txt").write_text("")
    (tmp_path / "book" / "data").mkdir(parents=True)
    (tmp_path / "book" / "data" / "data.txt").write_text("")
    code = "open('data/data.txt').read()\nopen('../elsewhere.txt').read()"
    [done] = run(write(tmp_path / "book", cell(code)))
    seen = tmp_path / "book" / "data" / "data.txt", tmp_path / "elsewhere.txt"
    assert list(done.trace.files) == list(map(str, seen))
