"""What a page used is noted in its kernel by one audit hook, which shows nothing of itself."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from book_project import cell, settle_environment
from book_runs import printed, run, write

from bookproof import run as runs
from bookproof.kernels.start import Used, read_used

# What a page does, and which files of its folder it is known to have used.
USES = {
    "x = 1": [],
    "import helper": ["helper.py", "inner.py"],
    "open('data.txt').read()": ["data.txt"],
    "open(b'data.txt', 'rb').read()": ["data.txt"],
    "import os\nos.read(os.open('data.txt', os.O_RDONLY), 9)": ["data.txt"],
    "import os\nos.chdir('package')\nopen('../data.txt').read()": ["data.txt"],
    "import threading\nthreading.Thread(target=open, args=['data.txt']).start()": ["data.txt"],
    "open('own.txt', 'w').write('1')\nopen('own.txt').read()": [],
    "open('log.txt').read()\nopen('log.txt', 'w').write('1')": ["log.txt"],
    "open('log2.txt', 'a+').write('1')\nopen('log2.txt').read()": ["log2.txt"],
    "open('log3.txt', 'w').write('1')\nopen('log3.txt').read()": [],
    "import tempfile\nf = tempfile.NamedTemporaryFile()\nopen(f.name).read()": [],
    "import tempfile\nf = tempfile.TemporaryFile()\nf.write(b'1')": [],
    "import os\nos.listdir()": ["."],
    "import os\nlist(os.scandir(b'package'))": ["package"],
    "from pathlib import Path\nlist(Path('package').glob('*.py'))": ["package"],
    "import glob\nglob.glob('package/*.py')": ["package"],
    "from importlib.metadata import distributions\n[*distributions(path=['package'])]": [],
    "import os\nos.makedirs('package', exist_ok=True)": [],
    "try: open('absent.txt')\nexcept OSError: pass": ["absent.txt"],
}
# What a page asks of others, and by which event that is known.
ASKS = {
    "x = 1": set(),
    "import subprocess, sys\nsubprocess.run([sys.executable, '-V'])": {"subprocess.Popen"},
    "import os\nos.system('true')": {"os.system"},
    "!true": {"os.forkpty"},
    "%%bash\ntrue": {"subprocess.Popen"},
    "import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))": {"socket.connect"},
    "import socket\nsocket.getaddrinfo('localhost', 80)": {"socket.getaddrinfo"},
}
# What a page may do to itself: the net holds all the same,
TAMPERS = [
    "import helper, sys\nopen('data.txt').read()\ndel sys.modules['helper']",
    "import os\nos.path.abspath = os.fsdecode = None\nopen('data.txt').read()",
    "open('data.txt').read()\nget_ipython().reset()",
    "open('data.txt').read()\nimport sys\nsys.modules['absent'] = None\nsys.modules['odd'] = 3",
]
# or the engine gets no answer.
HIDES = [
    "import helper\n__import__ = None",
    "import helper, sys\nsys.audit = None",
    "import helper\nget_ipython().display_formatter.formatters['text/plain'].for_type(str, print)",
]


@pytest.fixture(scope="module")
def all_used(tmp_path_factory):
    """What pages that do this used; all of them, side by side, in one folder."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("data.txt", "log.txt", "log2.txt", "log3.txt", "inner.py", "package/part.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (folder / "helper.py").write_text("import inner\n")
    pages = {
        code: write(folder, cell(code), name=f"{number}.md")
        for number, code in enumerate([*USES, *ASKS, *TAMPERS, *HIDES])
    }
    with pytest.MonkeyPatch.context() as patch:
        settle_environment(patch, tmp_path_factory.mktemp("temporary"))
        done = dict(zip(pages, run(*pages.values()), strict=True))
    assert not [one.page.path for one in done.values() if one.failure]
    return folder, {code: one.used for code, one in done.items()}


@pytest.mark.parametrize("code", USES)
def test_what_a_page_opens_lists_and_loads_is_noted(all_used, code):
    folder, found = all_used
    files = {os.path.relpath(file, folder) for file in found[code].files
             if str(folder) in file and not file.endswith(".pyc")}  # fmt: skip
    assert sorted(files) == sorted(USES[code])
    assert str(folder / "package") not in found[code].written


@pytest.mark.parametrize("code", ASKS)
def test_what_a_page_asks_of_others_is_noted(all_used, code):
    events = {event for event, _, _ in all_used[1][code].asked} - {"os.posix_spawn"}
    assert events == ASKS[code]


@pytest.mark.parametrize("code", TAMPERS)
def test_a_page_that_tampers_is_noted_all_the_same(all_used, code):
    folder, found = all_used
    assert str(folder / "data.txt") in found[code].files


@pytest.mark.parametrize("code", HIDES)
def test_nothing_is_known_of_a_page_that_hides_it(all_used, code):
    assert all_used[1][code] is None


def answered(**found):
    whole = {"used": {}, "written": [], "asked": [], "modules": []}
    whole |= {"python": [sys.prefix, sys.version]} | found
    return {"data": {"text/plain": repr(json.dumps(whole))}}


@pytest.mark.parametrize(
    "answer",
    [{}, {"data": {"text/plain": "3"}}, answered(used=3), answered(asked=[1]),
     answered(python=["/other", "3.9"])],
)  # fmt: skip
def test_an_answer_that_is_none_and_that_of_another_python_tell_nothing(answer):
    assert read_used(answer, Path("/own")) is None
    assert read_used(answered(), Path("/own")) == Used(written=("/own",))


def test_the_net_leaves_nothing_in_the_kernel(tmp_path, monkeypatch):
    code = "import os, sys\nprint(sorted(globals()), os.stat, os.environ.encodekey)\n1 / 0"
    path = write(tmp_path, cell(code, head=":tags: [raises-exception]"))
    [noted] = run(path, warm=False)
    monkeypatch.setattr(runs, "START", "")
    [free] = run(path, warm=False)
    assert printed(noted)[0].split("<")[0] == printed(free)[0].split("<")[0]
    assert noted.used
    assert not free.used
