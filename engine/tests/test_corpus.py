"""Foreign books: warm kernels print what ordinary ones do, and builds publish what MyST-NB does.

Two differences from MyST-NB are meant. Neighbouring chunks of one stream, which a kernel splits at
random places, are joined. And the table of how the run went holds other times.
"""

from __future__ import annotations

import json
import logging
import re
import shutil

import book_corpus
import nbformat
import pytest
from book_builds import ENGINE, STOCK, Build, build_all
from book_project import needs

from bookproof.kernels.warm import ENVIRONMENT, FORKS
from bookproof.outputs import join_streams
from bookproof.page import is_page, read_page
from bookproof.result import outputs_of
from bookproof.run import run_outdated, run_pages
from bookproof.settings import find_settings
from bookproof.store import Results

pytestmark = [pytest.mark.slow, needs("torch", "matplotlib")]

BOOKS = book_corpus.BOOKS
RIGHT = [book.name for book in book_corpus.books()]
WITH_TORCH = {"gallery", "ipython", "state"}
LIGHT = ("-D", "book_modules=matplotlib.pyplot")  # for books that would import torch for nothing
ENTROPY = "state/entropy.md"
# In these, MyST-NB leaves less than a kernel puts out: it takes what is glued out of the notebook,
# and where it is to merge streams for the page, it does so to half of the outputs there too.
ALTERED = {"gallery/glue.ipynb", "frontmatter/shown.ipynb", "globals/index.ipynb",
           "state/entropy.ipynb"}  # fmt: skip
UNKNOWN = "nothing is known of what it read"  # in another language
UNFOLLOWED = {"starts a process", "asks the network"}
SHADOWED = "state/shadow/page.md"
NOT_A_MODE = (
    "mystnb: 'execution_mode' must be in ['off', 'auto', 'force', 'cache', 'inline'] (got False)"
)


def is_run(path):
    settings = find_settings(path)
    return is_page(path, settings) and not read_page(path, settings).why_not_run


PAGES = [path.relative_to(BOOKS).as_posix() for path in book_corpus.pages() if is_run(path)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A copy of the books: what runs beside their pages may leave traces there."""
    copy = tmp_path_factory.mktemp("corpus") / "books"
    shutil.copytree(BOOKS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def kernels():
    """Let the kernels of the corpus be found."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in book_corpus.ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


class Warnings(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


@pytest.fixture(scope="module")
def warm_run(kernels, corpus):
    """Run all pages in warm kernels, side by side; one of them twice."""
    return run_in_kernels(corpus, warm=True)


@pytest.fixture(scope="module")
def ordinary_run(kernels, corpus):
    """Run all pages in ordinary kernels, side by side."""
    return run_in_kernels(corpus, warm=False)


def run_in_kernels(corpus, *, warm):
    paths = [corpus / name for name in [ENTROPY, ENTROPY, *PAGES]]
    logger, handler = logging.getLogger("bookproof"), Warnings()
    logger.addHandler(handler)
    runs = run_pages([read_page(path, find_settings(path)) for path in paths], warm=warm)
    logger.removeHandler(handler)
    return dict(zip(["once", "twice", *PAGES], runs, strict=True)), handler.texts


def outputs(run):
    """Return what a page put out, but for the time that matplotlib writes into an SVG."""
    text = json.dumps(outputs_of(run.notebook), indent=1)
    return re.sub("<dc:date>[^<]*", "", text).splitlines()


def test_of_books_that_nobody_has_changed_nothing_runs_again(kernels, corpus, ran, monkeypatch):
    paths = [corpus / name for name in PAGES]
    told = []

    def build():
        pages = [read_page(path, find_settings(path)) for path in paths]
        run_outdated(pages, Results(), log=told.append)

    build()
    line = re.compile(r"\[.*/(.+)\.\w+: [\d.]+ s(?: \(not kept: (.+)\))?")
    *told, summary = told
    ended = [found for each in told if (found := line.fullmatch(each))]
    assert len(ended) == len(paths)
    followed = {found[1] for found in ended if not found[2]}
    assert followed
    assert ran.take() == sorted(path.stem for path in paths)
    for name in ("COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "_"):  # another shell
        monkeypatch.setenv(name, "other")
    build()
    assert not followed.intersection(ran.take())
    reasons = [found[2] for found in ended if found[2] and found[2] != UNKNOWN]
    assert all(any(each in reason for each in UNFOLLOWED) for reason in reasons), told
    assert f"pages that run in every build: {len(reasons)} (" in summary


@pytest.mark.parametrize("name", PAGES)
def test_a_warm_kernel_puts_out_the_bytes_that_an_ordinary_one_does(warm_run, ordinary_run, name):
    warm, ordinary = warm_run[0][name], ordinary_run[0][name]
    assert outputs(warm) == outputs(ordinary)
    assert warm.ok
    assert ordinary.ok


@pytest.mark.skipif(not FORKS, reason="warm kernels need Linux")
def test_all_pages_ran_in_warm_kernels_but_one_beside_a_module_that_hides_another(warm_run):
    [warning] = warm_run[1]
    assert warning.startswith("an ordinary kernel instead of a warm one: ")
    assert "cycler.py is in the place of a module that was imported" in warning


def test_kernels_draw_randomly_each_for_itself(warm_run):
    once, twice = (warm_run[0][name].verdicts[0].got.splitlines() for name in ("once", "twice"))
    assert len(once) == len(twice) == 7
    assert not set(once) & set(twice)


def test_a_page_in_another_language_runs_in_its_own_kernel(warm_run):
    run = warm_run[0]["languages/echo.md"]
    assert run.notebook.metadata.language_info.name == "echo"
    assert [verdict.got.rstrip() for verdict in run.verdicts] == [
        "hello", "two lines,\n膜電位", "EchoError: failed", "still here"
    ]  # fmt: skip
    assert run.used is None


@pytest.fixture(scope="module")
def right(corpus, tmp_path_factory):
    """Build the books that are right, each as MyST-NB does and with the engine."""
    environment = tuple((book_corpus.ENVIRONMENT | ENVIRONMENT).items())
    force = ("-D", "nb_execution_mode=force")
    engine = {name: ENGINE if name in WITH_TORCH else (*ENGINE, *LIGHT) for name in RIGHT}
    builds = {}
    for name in sorted(RIGHT, key=lambda name: name not in {"state", "ipython"}):  # longest first
        out = tmp_path_factory.mktemp(name)
        builds[name] = [
            Build(corpus / name, out / kind, (*options, *force), environment)
            for kind, options in (("stock", STOCK), ("engine", engine[name]))
        ]
    build_all([build for pair in builds.values() for build in pair])
    return builds


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_book_is_built_without_a_message_of_sphinx(right, name):
    for build in right[name]:
        assert "WARNING: " not in build.messages
        assert "ERROR: " not in build.messages
        assert build.status == 0


@pytest.mark.parametrize("name", RIGHT)
def test_the_notebooks_to_download_have_the_outputs_that_stock_myst_nb_gives_them(right, name):
    stock, engine = ({
        path.relative_to(build.notebooks).as_posix(): notebook_outputs(path)
        for path in build.notebooks.rglob("*.ipynb")
    } for build in right[name])  # fmt: skip
    assert set(stock) == set(engine)
    for file in sorted(stock):
        assert stock[file] == engine[file] or f"{name}/{file}" in ALTERED, file


def notebook_outputs(path):
    """Read the outputs of a notebook; where there is no cell, MyST-NB asks a kernel for nothing."""
    notebook = nbformat.read(path, as_version=4)
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        return []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = join_streams(cell.outputs)
    return json.dumps(outputs_of(notebook), indent=1).splitlines()


@pytest.mark.parametrize("name", RIGHT)
def test_the_pages_are_those_that_stock_myst_nb_publishes(right, name):
    stock, engine = (published(build.html) for build in right[name])
    assert set(stock) == set(engine)
    for file in sorted(set(stock) - {"entropy.html", "status.html"}):
        assert stock[file] == engine[file], file


SEAM = re.compile(
    r'(<div class="output (stream|stderr) [^>]*><div [^>]*><pre>(?:(?!</pre>).)*)</pre></div></div>'
    r'<div class="output \2 [^>]*><div [^>]*><pre><span></span>'
)


def published(folder):
    """Read the pages and images of a site, with neighbouring chunks of a stream joined."""
    found = {}
    for path in folder.rglob("*"):
        # part of such a folder's name is a hash of where the build is
        name = re.sub(r"(?<=_downloads/)\w+", "", path.relative_to(folder).as_posix())
        if path.suffix == ".html":
            found[name] = joined(path.read_text(encoding="utf-8"))
        elif path.is_file() and path.suffix in {".png", ".svg", ".md", ".ipynb"}:
            found[name] = path.read_bytes() if name.startswith("_images") else b""
    return found


def joined(html):
    """Join streams, whose lines are not looked at here: a chunk may end within one."""
    html = re.sub(r"(?<=_downloads/)\w+", "", html.replace("\n", ""))
    while (once := SEAM.sub(r"\1", html)) != html:
        html = once
    return html.replace("<div", "\n<div").splitlines()


@pytest.fixture(scope="module")
def wrong(corpus, tmp_path_factory):
    """Build the book that must fail."""
    out = tmp_path_factory.mktemp("wrong")
    [build] = build_all([Build(corpus / "broken", out / "broken", (*ENGINE, *LIGHT))])
    return build


def errors(build):
    return re.findall(r"^\S*?/(\w+\.\w+:[\w ]+): ERROR: (.*)", build.messages, re.MULTILINE)


def test_all_that_is_broken_is_reported_in_one_build(wrong):
    assert wrong.status == 1
    assert "report" not in wrong.messages
    assert "Traceback (most recent call last)\n  File" not in wrong.messages
    assert sorted(errors(wrong)) == [
        ("error.md:18", "the cell failed"),
        ("error_in_notebook.ipynb:cell 2", "the cell failed"),
        ("off_unquoted.md:1", NOT_A_MODE),
        ("slow.md:12", "the cell failed"),
    ]
