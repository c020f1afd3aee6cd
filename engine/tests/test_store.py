"""Outputs are kept as long as they hold: what changes runs again, and nothing else."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import sys
import time
from pathlib import Path

import pytest
from book_project import CONF, cell, needs, page
from nbformat.v4 import new_output

from bookproof import __main__ as command_line
from bookproof import inputs, store
from bookproof import run as running
from bookproof.kernels import warm
from bookproof.kernels.net import stamp
from bookproof.kernels.start import Used
from bookproof.page import read_page
from bookproof.result import Failure, Run, judged, outputs_of
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results

ONE = page(cell("print(1)", 1))
GCC = ("subprocess.Popen", 1, ("gcc",))


def outcome(book, *names, anew=False):
    """What run_outdated finds for pages of the book, in a session of its own."""
    paths = [book.folder / f"{name}.md" for name in names or ("page",)]
    return run_outdated([read_page(p, find_settings(p)) for p in paths], Results(), anew=anew)


def result(book, name="page"):
    """The file that holds a page's result."""
    [file] = (book.folder / "_build" / ".book").glob(f"{name}-*.json")
    return file


class Runs:
    """Runs that are made up: what pages print and depend on, and which were run."""

    def __init__(self):
        self.ran, self.text, self.failure = [], "1\n", None
        self.files, self.asked, self.modules = [], (), ()
        self.meanwhile = lambda: None

    def __call__(self, pages, *, done):
        runs = []
        for one in pages:
            started = time.time()
            self.ran.append(one.path.stem)
            notebook = copy.deepcopy(one.notebook)
            notebook.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
            for made in one.cells:
                notebook.cells[made.index].outputs = [new_output("stream", text=self.text)]
                notebook.cells[made.index].execution_count = 1
            files = {file: stamp(file) for file in self.files}
            used = None if self.asked is None else Used(files, (), self.asked, self.modules)
            verdicts = judged(one, notebook)
            self.meanwhile()
            runs.append(Run(one, notebook, verdicts, started, 0.25, self.failure, used))
            done(runs[-1])
        return runs

    def take(self):
        names, self.ran = self.ran, []
        return names


@pytest.fixture
def runs(book, monkeypatch):
    runs = Runs()
    monkeypatch.setattr(running, "run_pages", runs)
    book.write("page.md", ONE)
    return runs


def no_template_starts(monkeypatch):
    def start(*_):
        raise AssertionError("a template process started")

    monkeypatch.setattr(warm, "TEMPLATES", {})
    monkeypatch.setattr(warm, "Template", start)


# In Sphinx.


def test_nothing_changed_so_nothing_runs_or_starts(book, ran, monkeypatch):
    book.write("page.md", ONE)
    assert book.build().read == ["index", "page"]
    assert ran.take() == ["page"]

    no_template_starts(monkeypatch)
    again = book.build()
    assert again.status == 0
    assert again.read == []
    assert command_line.main(["check", "."]) == 0
    (book.folder / "_build" / "html" / "page.html").unlink()
    book.edit("page.md", "# Page", "# Another title")
    edited = book.build()
    assert (edited.status, edited.read) == (0, ["page"])
    assert "Another title" in edited.html()
    assert ">1\n" in edited.html()
    assert book.build().read == []
    assert ran.take() == []


def test_an_edited_block_is_judged_anew_without_a_run(book, runs):
    book.build()
    runs.take()
    book.edit("page.md", "\n1\n```", "\n2\n```")
    for _ in range(2):
        built = book.build()
        assert built.status == 1
        assert built.errors == [
            "page.md:14: ERROR: the cell does not print what the page says (- page, + cell)"
        ]
    book.edit("page.md", "\n2\n```", "\n1\n```")
    assert book.build().status == 0
    assert runs.take() == []


@pytest.fixture
def package(book):
    """A package with an inner module, and pages that use all, a part or nothing of it."""
    book.write("package/__init__.py", "")
    book.write("package/outer.py", "from package.inner import one\ntwo = one + 1\n")
    book.write("package/inner.py", "one = 1\n")
    book.write("a.md", page(cell("from package.outer import two\nprint(two)")))
    book.write("b.md", page(cell("import package.inner\nprint(package.inner.one)")))
    book.write("c.md", page(cell("print('c')")))
    book.write("api.md", "# Plain\n")
    return book


def test_no_compiled_module_is_left_that_could_be_older_than_its_source(package, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    package.build()
    assert list(package.folder.rglob("*.pyc")) == []


def test_an_incremental_build_publishes_what_a_cold_one_does(package):
    package.build()
    package.edit("package/outer.py", "+ 1", "+ 10")
    package.edit("c.md", "'c'", "'changed'")
    incremental = package.build().pages()
    shutil.rmtree(package.folder / "_build")
    assert package.build().pages() == incremental


def test_what_check_found_is_what_sphinx_publishes(package, ran):
    package.build()
    package.edit("package/outer.py", "+ 1", "+ 10")
    ran.clear()
    assert command_line.main(["check", "."]) == 0
    assert ran.take() == ["a"]
    built = package.build()
    assert built.read == ["a"]  # its doctree held older output
    assert ">11\n" in built.html("a")
    assert package.build().read == []
    assert ran.take() == []


def test_a_loaded_cell_counts(book, ran):
    book.write("code.py", "print(1)\n")
    book.write("page.md", page(cell("", 1, ":load: code.py")))
    assert book.build().status == 0
    assert book.build().read == []
    book.write("code.py", "print(2)\n")
    built = book.build()
    assert ran.take() == ["page", "page"]
    assert [error.split(" ")[0] for error in built.errors] == ["page.md:16:"]


def test_a_page_that_is_forced_runs_every_time(book, runs):
    book.write("other.md", ONE)
    book.write("page.md", page(cell("print(1)", 1), front="mystnb: {execution_mode: force}\n"))
    assert book.build().status == 0
    assert runs.take() == ["other", "page"]
    built = book.build()
    assert (built.status, built.read) == (0, ["page"])
    assert command_line.main(["check", "."]) == 0
    assert runs.take() == ["page", "page"]


def test_off_runs_and_starts_nothing(book, ran, monkeypatch):
    no_template_starts(monkeypatch)
    book.write("conf.py", CONF + 'nb_execution_mode = "off"\n')
    book.write("page.md", page(cell("print(1)")))
    built = book.build(strict=False)  # MyST-NB warns that it does not know the language
    assert built.status == 0, built.messages
    assert ran.take() == []
    assert "cell_input" in built.html()
    assert "cell_output" not in built.html()


# With runs that are made up.


def test_a_kept_result_is_the_run_that_was(book, runs):
    [new] = outcome(book)
    [kept] = outcome(book)
    assert runs.take() == ["page"]
    assert outputs_of(kept.notebook) == outputs_of(new.notebook)
    assert kept.seconds == new.seconds == 0.25
    assert [v.status for v in kept.verdicts] == [v.status for v in new.verdicts]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that is installed."""
    folder = tmp_path / "site-packages"
    info = folder / "solver-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text("solver.py,sha256=1,1\n")
    folders = [str(folder), *inputs.package_folders()]
    monkeypatch.setattr(inputs, "package_folders", lambda: folders)
    inputs.providers.cache_clear()
    yield info
    inputs.providers.cache_clear()


def renamed(info, version):
    inputs.providers.cache_clear()
    return info.rename(info.with_name(f"solver-{version}.dist-info"))


@pytest.mark.parametrize("named", [True, False])
def test_another_version_of_what_a_page_imports_runs_it(book, runs, installed, named):
    """By its code, or in its kernel."""
    runs.modules = () if named else ("solver",)
    book.write("page.md", page(cell("import solver" if named else "1")))
    book.write("other.md", ONE)
    outcome(book, "page", "other")
    runs.modules = () if named else ("solver",)
    runs.take()
    again = [*["page"], *([] if named else ["other"])]
    installed = renamed(installed, "1.1")
    results = Results()
    path = book.folder / "page.md"
    run_outdated([read_page(path, find_settings(path))], results)
    assert results.reasons[path] == "solver 1.0 is another one"
    outcome(book, "page", "other")
    assert runs.take() == again
    (installed / "RECORD").write_text("solver.py,sha256=2,1\n")
    outcome(book, "page", "other")
    assert runs.take() == again
    outcome(book, "page", "other")
    assert runs.take() == []


def test_a_package_that_comes_runs_the_pages_that_import_it_alone(book, runs, installed):
    gone = installed.rename(installed.with_name("elsewhere"))
    inputs.providers.cache_clear()
    book.write("page.md", page(cell("try: import solver\nexcept ImportError: pass")))
    book.write("other.md", ONE)
    outcome(book, "page", "other")
    runs.take()
    gone.rename(installed)
    inputs.providers.cache_clear()
    outcome(book, "page", "other")
    assert runs.take() == ["page"]


@pytest.mark.parametrize("named", ["solver-1.0.egg-info", "solver-1.0.egg-info/PKG-INFO"])
def test_packages_without_a_record_count_by_their_version(tmp_path, named):
    """As those of a system's own packages, or of an older setuptools."""
    file = tmp_path / named
    file.parent.mkdir(exist_ok=True)
    file.write_text("Version: 1.0\n")
    once = inputs.record(str(tmp_path / "solver-1.0.egg-info"))
    file.write_text("Version: 1.1\n")
    assert inputs.record(str(tmp_path / "solver-1.0.egg-info")) != once


@pytest.mark.parametrize(
    "what",
    [
        (sys, "version", "3.99"),
        (store.platform, "platform", lambda: "Plan 9"),
        (store, "features", lambda: {"an abacus"}),
        (store, "ENVIRONMENT", warm.ENVIRONMENT | {"OMP_NUM_THREADS": "2"}),
        (),
    ],
    ids=["python", "platform", "processor", "threads", "engine"],
)
def test_another_environment_runs_all(book, runs, monkeypatch, tmp_path, what):
    engine = shutil.copytree(Path(store.__file__).parent, tmp_path / "engine")
    monkeypatch.setattr(store, "__file__", str(engine / "store.py"))
    outcome(book)
    outcome(book)
    assert runs.take() == ["page"]
    if what:
        monkeypatch.setattr(*what)
    else:
        (engine / "net.py").write_text("# another engine\n")
    outcome(book)
    outcome(book)
    assert runs.take() == ["page"]


@pytest.mark.parametrize("name", ["ATEN_CPU_CAPABILITY", "MKL_CBWR", "OPENBLAS_CORETYPE"])
def test_a_variable_by_which_libraries_choose_instructions_runs_all(book, runs, monkeypatch, name):
    outcome(book)
    monkeypatch.setenv(name, "lowest")
    assert any_outdated()
    outcome(book)
    assert runs.take() == ["page"] * 2


@pytest.mark.parametrize(
    ("setting", "again"),
    [
        ("nb_execution_allow_errors = True", True),
        ("nb_execution_in_temp = True", True),
        ('nb_kernel_rgx_aliases = {"python.*": "python3"}', True),
        ('book_start = "pass"', True),
        ("nb_execution_timeout = 77", False),
        ("nb_merge_streams = True", False),
        ("book_strict = True", False),
    ],
)
def test_settings_by_which_pages_run_otherwise(book, runs, setting, again):
    outcome(book)
    book.write("conf.py", f"{CONF}{setting}\n")
    assert any_outdated() == again
    outcome(book)
    assert runs.take() == ["page"] * (1 + again)
    outcome(book)
    assert runs.take() == []


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("kernelspec:", "mystnb: {execution_allow_errors: true}\nkernelspec:", True),
        ("kernelspec:", "mystnb: {execution_in_temp: true}\nkernelspec:", True),
        ("kernelspec:", "mystnb: {execution_timeout: 77}\nkernelspec:", False),
        ("name: python3", "name: python", True),
        ("```{code-cell}\n", "```{code-cell}\n:tags: [raises-exception]\n\n", True),
        ("```{code-cell}\n", "```{code-cell}\n:tags: [hide-input, scroll-output]\n\n", False),
        ("```{code-cell}\n", "```{code-cell}\n:mystnb: {number_source_lines: true}\n\n", False),
        ("print(1)", "print(1) ", True),
        ("# Page", "# Page\n\n% comment", False),
        ("```{testoutput}\n", "```{testoutput}\n:options: +ELLIPSIS\n\n", False),
    ],
)
def test_what_of_a_page_makes_it_run(book, runs, old, new, again):
    outcome(book)
    book.edit("page.md", old, new)
    outcome(book)
    assert runs.take() == ["page"] * (1 + again)
    outcome(book)
    assert runs.take() == []


@pytest.mark.parametrize(
    "what",
    [
        {"asked": None},  # another language than Python
        {"asked": (GCC,)},
        {"asked": None, "failure": Failure(1, "the kernel died")},
    ],
)
def test_a_page_whose_outputs_nobody_can_vouch_for_is_not_kept(book, runs, what):
    vars(runs).update(what)
    outcome(book)
    outcome(book)
    assert runs.take() == ["page", "page"]


def test_a_page_that_names_what_its_processes_read_is_kept(book, runs):
    runs.asked = (GCC,)
    book.write("data.txt", "1")
    book.write("page.md", page(cell("print(1)", 1), front="book: {depends: [data.txt]}\n"))
    for text in "12":
        book.write("data.txt", text)
        outcome(book)
        outcome(book)
        assert runs.take() == ["page"]
    book.edit("page.md", "book: {depends: [data.txt]}\n", "")
    outcome(book)
    outcome(book)
    assert runs.take() == ["page", "page"]


@pytest.mark.parametrize(
    ("command", "kept"),
    [("cat data.txt", True), ("cat gone.txt", False), ("make", False), ("nothing data.txt", False)],
)
def test_a_command_whose_words_all_lead_somewhere_is_followed(book, runs, command, kept):
    book.write("data.txt", "1")
    for event, words in (("subprocess.Popen", command.split()), ("os.forkpty", [])):
        runs.asked = ((event, 1, tuple(words)),)
        book.write("page.md", page(cell(f"!{command}\n{event!r}", 1)))
        outcome(book)
        outcome(book)
        assert runs.take() == ["page"] * (1 if kept else 2)
        if kept:
            book.write("data.txt", event)
            outcome(book)
            assert runs.take() == ["page"]


def test_files_patterns_and_variables_can_be_declared(book, runs, monkeypatch, tmp_path_factory):
    data = tmp_path_factory.mktemp("elsewhere") / "x.csv"
    data.write_text("1")
    book.write("data/a.csv", "1")
    monkeypatch.setenv("BOOK_MODE", "1")
    front = f"book: {{depends: [{data}, $BOOK_MODE, data/*.csv]}}\n"
    book.write("page.md", page(cell("print(1)", 1), front=front))
    for change in (lambda: None, lambda: data.write_text("22"),
                   lambda: monkeypatch.setenv("BOOK_MODE", "2"),
                   lambda: book.write("data/a.csv", "2"), lambda: book.write("data/b.csv", "3"),
                   (book.folder / "data" / "b.csv").unlink):  # fmt: skip
        change()
        outcome(book)
        outcome(book)
        assert runs.take() == ["page"]
    book.write("data/b.txt", "3")
    outcome(book)
    assert runs.take() == []


def test_a_book_can_say_for_all_its_pages_that_nothing_else_is_read(book, runs):
    runs.asked = (GCC,)
    book.write("conf.py", f"{CONF}book_complete = True\n")
    text = cell("print(1)", 1)
    book.write("other.md", page(text, front="book: {complete: false}\n"))
    for ran in (["page", "other"], ["other"]):
        outcome(book, "page", "other")
        assert runs.take() == ran
    path = book.folder / "page.md"
    assert Results().digest(path, find_settings(path))
    book.write("conf.py", CONF)
    assert not Results().digest(path, find_settings(path))  # so that a build reads it again
    outcome(book)
    assert runs.take() == ["page"]


def test_a_file_that_may_have_changed_while_the_page_ran_keeps_no_result(book, runs):
    data = book.write("data.txt", "1")
    runs.files = [str(data)]
    runs.meanwhile = lambda: data.write_text("2")
    outcome(book)
    runs.meanwhile = lambda: None
    book.write("data.txt", "2")
    outcome(book)
    outcome(book)
    assert runs.take() == ["page", "page"]


@needs("torch", "matplotlib")
@pytest.mark.parametrize("modules", [[], ["matplotlib.pyplot"]])
def test_matplotlibs_settings_beside_the_page_count(book, ran, modules):
    book.write("conf.py", f"{CONF}book_modules = {modules}\n")
    book.write("page.md", page(cell("import matplotlib as m\nprint(m.rcParams['figure.dpi'])")))
    for change, dpi in (
        (lambda: None, "100.0\n"),
        (lambda: book.write("matplotlibrc", "figure.dpi: 50\n"), "50.0\n"),
        (lambda: book.write("matplotlibrc", "figure.dpi: 70\n"), "70.0\n"),
        ((book.folder / "matplotlibrc").unlink, "100.0\n"),
    ):
        change()
        for _ in range(2):
            assert outcome(book)[0].verdicts[0].got == dpi
        assert ran.take() == ["page"]


def test_the_kernelspec_counts(book, runs, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(book.folder / "jupyter"))
    book.edit("page.md", "name: python3", "name: own")
    spec = {"argv": ["python"], "display_name": "", "language": ""}
    for options in (["-O"], ["-O"], []):
        text = json.dumps(spec | {"argv": ["python", *options]})
        book.write("jupyter/kernels/own/kernel.json", text)
        outcome(book)
    assert runs.take() == ["page", "page"]


def test_the_damage_of_a_result_is_noticed_wherever_it_is(book, runs, caplog):
    [run] = outcome(book)
    file = result(book)
    whole = file.read_bytes()
    place = read_page(book.folder / "page.md", find_settings(book.folder / "page.md"))
    results = Results()
    right = outputs_of(run.notebook)
    assert outputs_of(results.load(place).notebook) == right
    for index in range(len(whole)):
        damaged = bytearray(whole)
        damaged[index] ^= 1 << index % 8
        file.write_bytes(damaged)
        loaded = results.load(place)
        assert loaded is None or outputs_of(loaded.notebook) == right, damaged
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert results.load(place) is None, length
    for text in (b"null\n", b"3\n", b"[]\n", b"{}\n{}", b"\xff\xfe\n"):
        file.write_bytes(text)
        assert results.load(place) is None, text
    file.unlink()
    file.mkdir()
    assert results.load(place) is None


@pytest.mark.parametrize(("old", "new"), [(b"stdout", b"stdour"), (b'"files"', b'"filfs"')])
def test_a_damaged_result_is_told_and_the_page_runs(book, runs, capsys, old, new):
    outcome(book)
    result(book).write_bytes(result(book).read_bytes().replace(old, new))
    assert command_line.main(["check", "page.md"]) == 0
    assert runs.take() == ["page", "page"]
    assert "(again, since its result is damaged)" in capsys.readouterr().err
    outcome(book)
    assert runs.take() == []


@pytest.mark.parametrize("bare", [True, False])
def test_a_result_of_an_older_engine_is_no_error(book, runs, caplog, bare):
    outcome(book)
    _, _, body = result(book).read_bytes().partition(b"\n")
    older = json.dumps({"engine": 1} if bare else {"environment": "an older one"}).encode()
    seal = hashlib.sha256(older).hexdigest().encode()
    result(book).write_bytes(seal + b" " + older + b"\n" + body)
    assert any_outdated()
    outcome(book)
    assert runs.take() == ["page", "page"]
    assert not caplog.records


def test_results_that_cannot_be_kept_are_told_and_the_outcome_is_right(book, runs, caplog):
    book.write("_build", "a file, where a folder should be")
    for _ in range(2):
        [run] = outcome(book)
        assert run.ok
        assert runs.take() == ["page"]
        assert "page.md will run again next time: its result can't be kept: " in caplog.text


def test_a_result_is_kept_where_the_book_says(book, runs):
    book.write("conf.py", f"{CONF}nb_execution_cache_path = '../kept'\n")
    book.write("part/page.md", ONE)
    outcome(book, "part/page")
    assert not Path("_build").exists()
    outcome(book, "part/page")
    assert runs.take() == ["page"]
    assert len(list(book.folder.with_name("kept").iterdir())) == 1


def test_a_page_may_have_a_long_name(book, runs, caplog):
    name = "膜" * 80
    book.write(f"{name}.md", ONE)
    outcome(book, name)
    outcome(book, name)
    assert runs.take() == [name]
    assert not caplog.records


# Whether a build starts the template before it has looked at the pages.


def any_outdated():
    return Results().any_outdated(find_settings(Path("page.md")), Path.cwd())


def test_a_book_is_outdated_where_a_result_of_a_page_that_is_there_does_not_hold(book, runs):
    assert any_outdated()
    runs.files = [str(book.write("data.txt", "1"))]
    book.write("gone.md", ONE)
    outcome(book, "page", "gone")
    assert not any_outdated()
    book.write("data.txt", "2")
    assert any_outdated()
    outcome(book)
    assert any_outdated()
    (book.folder / "gone.md").unlink()
    assert not any_outdated()
    result(book).write_bytes(b"x")
    assert any_outdated()
