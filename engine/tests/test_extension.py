"""A build with Sphinx runs the pages, fails if one is wrong, and shows what was printed."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import tempfile

import pytest
from book_project import CONF, cell, page
from bs4 import BeautifulSoup
from nbformat import v4

from bookproof import run as running
from bookproof.run import run_pages

DIFFERS = "the cell does not print what the page says (- page, + cell)"


def test_a_right_book_is_built_and_shows_what_was_printed(book):
    book.write("page.md", page(cell("print('膜' + '電位')", "膜電位")))
    built = book.build()
    assert built.status == 0, built.messages
    assert built.messages == ""
    assert "pages: 1, run now: 1, outputs that match: 1, wrong cells: 0" in built.said
    assert built.html().count("膜電位") == 1  # the output, and not the block as well
    assert "differ" not in built.said + built.html()


KILLED = """
import os, pathlib
def setup(app):
    app.connect("html-page-context", die)
def die(app, name, *_):
    if name == "page" and os.path.exists("deadly"):
        for file in ("other.html", "searchindex.js"):
            pathlib.Path(app.outdir, file).write_text("")
        os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_what_a_killed_build_has_half_written_is_written_again(book):
    """As a full disk, or a machine that is switched off, would leave it."""
    book.write("conf.py", CONF + KILLED)
    book.write("other.md", "---\norphan: true\n---\n# The other\n")
    book.write("page.md", page(cell("print(1)", 1)))
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-j1", "-b", "html", ".", "_build/html"]

    def build():
        return subprocess.run(command, cwd=book.folder, capture_output=True, text=True, check=False)

    assert build().returncode == 0
    book.write("deadly", "")
    book.write("page.md", page(cell("print(1)", 1), "\nMore.\n"))
    assert build().returncode == -9
    (book.folder / "deadly").unlink()
    built = build()
    assert built.returncode == 0, built.stderr
    assert "The other" in (book.folder / "_build/html/other.html").read_text(encoding="utf-8")
    assert (book.folder / "_build/html/searchindex.js").stat().st_size
    assert not list((book.folder / "_build/html").glob(".unfinished*"))


def test_every_wrong_cell_of_every_page_is_reported(book):
    book.write("a.md", page(cell("print(1)", 2)))
    book.write("b.md", page(cell("print(1)"), cell("print(2)", 2), cell("3")))
    book.write("c.md", page(cell("1 / 0"), cell("4")))
    book.write("d.md", page(cell("1"), title="A page without blocks"))
    built = book.build()
    assert built.status == 1
    assert built.errors == [
        f"a.md:14: ERROR: {DIFFERS}",
        "b.md:10: ERROR: the cell prints, but no {testoutput} block follows it",
        "b.md:22: ERROR: the cell prints, but no {testoutput} block follows it",
        "c.md:10: ERROR: the cell failed",
    ]
    assert "\n    -2\n    +1\n" in built.messages
    assert "pages: 4, run now: 4, outputs that match: 1, wrong cells: 4" in built.said
    assert "Traceback" not in built.messages.replace("Traceback (most recent call last)", "", 1)
    assert "report this error" not in built.messages


def test_pages_that_cannot_be_read_are_reported_with_the_others(book, ran):
    book.write("a.md", page("\n```{testoutput}\n1\n```\n"))
    book.write("b.md", page(cell("print(1)", 2)))
    book.write("c.md", page(cell("print(1)", 1), "\ntext\n\n```{testoutput}\n1\n```\n"))
    for _ in range(2):
        built = book.build(strict=False)  # also where warnings are allowed
        assert built.status == 1
        places = [error.split(" ")[0] for error in built.errors]
        assert places == ["a.md:9:", "c.md:19:", "b.md:14:"]
        assert "this {testoutput} block does not stand right after a code cell" in built.messages
    assert ran.take() == ["b"]
    assert "cell_output" not in built.html("c")


NOTE = "\n````{note}\n```{testoutput}\n1\n```\n````\n"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("note.md", page(cell("x = 1"), NOTE), 14),
        ("plain.md", "# Page\n\n```{testoutput}\n1\n```\n", 3),
        ("list.md", page(cell("x = 1"), "\n- item\n\n  ```{testoutput}\n  1\n  ```\n"), 15),
        ("include.md", page(cell("print(1)", 1), "\n```{include} part.txt\n```\n"), 13),
    ],
)
def test_a_block_that_was_not_compared_is_an_error(book, name, text, line):
    # at the line at which the page has a block of its own
    book.write("part.txt", "\n" * 12 + "```{testoutput}\n1\n```\n")
    book.write(name, text)
    place = "part.txt" if name == "include.md" else name
    for _ in range(2):
        built = book.build(strict=False)
        assert built.status == 1
        assert "this {testoutput} block " in built.messages
        assert [error.split(" ")[0] for error in built.errors] == [f"{place}:{line}:"]
    (book.folder / name).unlink()
    assert book.build(strict=False).status == 0


def test_a_block_in_a_notebook_is_an_error(book):
    cells = [v4.new_code_cell("print(1)"), v4.new_markdown_cell("```{testoutput}\n2\n```")]
    book.write("page.ipynb", json.dumps(v4.new_notebook(cells=cells)))
    built = book.build(strict=False)
    assert built.status == 1
    assert "this {testoutput} block is not checked" in built.messages


def test_a_wrong_option_of_a_block_is_told_once(book):
    book.write("page.md", page(cell("print(1)", ":atol: x\n\n1")))
    built = book.build()
    assert built.status == 1
    assert built.messages.count("must be a number from 0 up") == 1


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ("book_modules = 3", "book_modules is 3, but takes a value of the type list"),
        ("nb_execution_timeout = 'x'", "nb_…: 'execution_timeout' must be"),
    ],
)
def test_a_wrong_setting_is_told_in_a_line_without_a_request_to_report_it(
    book, ran, conf, message, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(book.folder))  # where Sphinx leaves tracebacks
    book.write("conf.py", f"{CONF}{conf}\n")
    book.write("page.md", page(cell("1")))
    built = book.build()
    assert built.status == 2
    [line] = built.messages.splitlines()
    assert f"{book.folder}/conf.py: {message}" in line
    assert not list(book.folder.glob("sphinx-err*"))
    assert ran.take() == []


ASKS = cell("a = 1"), "\nFirst {eval}`a`.\n", cell("a = 2"), "\nThen {eval}`a`.\n"


def test_a_page_that_asks_the_kernel_between_cells_is_left_to_mystnb(book, ran):
    book.write("inline.md", page(*ASKS, front="mystnb: {execution_mode: inline}\n"))
    book.write("page.md", page(cell("print(1)", 1)))
    built = book.build()
    assert (built.status, built.messages) == (0, "")
    assert "inline.md: not run by bookproof: MyST-NB runs it while it reads it" in built.said
    text = BeautifulSoup(built.html("inline"), "html.parser").text
    assert "First 1." in text
    assert "Then 2." in text
    assert ran.take() == ["page"]


def test_a_page_that_is_not_to_be_run_is_published_without_outputs(book, ran):
    book.write("page.md", page(cell("print(1)"), front="mystnb: {execution_mode: 'off'}\n"))
    built = book.build(strict=False)  # MyST-NB warns that it does not know the language
    assert built.status == 0
    assert built.errors == []
    assert "cell_output" not in built.html()
    quiet = ("-D", "suppress_warnings=docutils")
    book.build(*quiet)
    assert book.build(*quiet).read == []
    assert ran.take() == []


def test_templates_learn_how_many_outputs_were_checked(book):
    book.write(
        "templates/layout.html",
        '{% extends "!layout.html" %}{% block footer %}'
        "checked: {{ book_checked|default('none') }} wrong: {{ book_wrong }}{% endblock %}",
    )
    book.write("conf.py", CONF + 'templates_path = ["templates"]\n')
    book.write("page.md", page(cell("print(1)", 1), cell("print(2)", 2)))
    built = book.build()
    assert built.status == 0, built.messages
    assert "checked: 2 wrong: 0" in built.html()
    assert "checked: none wrong: " in built.html("index")
    book.edit("page.md", "\n2\n```", "\n3\n```")
    built = book.build()
    assert built.status == 1
    assert "checked: 1 wrong: 1" in built.html()
    book.write("page.md", page(cell("print(1)", 1), "\n{glue}`missing`\n", NOTE))
    for _ in range(2):
        assert "checked: 1 wrong: 1" in book.build(strict=False).html()


GLUE = "from myst_nb import glue\nglue('known', 1, display=False)"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{glue}`unknown`", "glue"),
        ("{glue}`known`", ""),
        ("{eval}`1`", "eval"),
        ("```{glue} unknown\n```", "glue"),
        ("```{glue} unknown\n:doc: page.md\n```", "glue_ref"),
    ],
)
def test_a_value_that_is_missing_fails_a_build_even_where_warnings_are_allowed(book, text, kind):
    book.write("page.md", page(cell(GLUE), f"\n{text}\n"))
    for _ in range(2):
        built = book.build(strict=False)
        assert built.status == bool(kind)
        assert f"[mystnb.{kind}]" in built.messages or not kind
    quiet = book.build("-E", "-D", f"suppress_warnings=mystnb.{kind}", strict=False)
    assert quiet.status == 0


def test_the_end_of_a_build_says_which_of_its_warnings_failed_it(book):
    text = "{doc}`nowhere`\n\n{glue}`unknown`\n\n{glue}`other`\n"
    book.write("page.md", page(cell(GLUE), f"\n{text}\n"))
    for _ in range(2):  # also where nothing has changed since
        said = book.build(strict=False).said
        assert "of all warnings, these 2 fail the build, since a value in a page's text is" in said
        assert "suppress_warnings):\n" in said
        told = re.findall(r"^  (\S+page\.md):(\d+): (.*)$", said, re.MULTILINE)
        assert [(line, "'unknown'" in message) for _, line, message in told] == [
            ("16", True),
            ("18", False),
        ]


DOCSTRING = """
extensions += ["sphinx.ext.autodoc"]
import sys
from types import ModuleType

sys.modules["described"] = ModuleType("described", "A module.\\n\\n:ref:`missing`\\n")
"""


@pytest.mark.parametrize(
    "files",
    [
        {"page.md": "# Title\n\n{doc}`missing`\n"},
        {"page.md": "# Title\n\n```{include} part.txt\n```\n", "part.txt": "{x}`y`\n"},
        {"page.md": "# Title\n\n```{eval-rst}\n.. automodule:: described\n```\n"},
        {"page.md": "---\norphan: true\n---\n# A\n", "part/b.md": "# B\n"},
    ],
    ids=["in a page", "in an included file", "in a docstring", "in no toctree"],
)
def test_a_warning_comes_again_until_it_is_mended(book, files):
    """Sphinx itself is silent about it in the next build, which passes."""
    book.write("conf.py", CONF + DOCSTRING)
    for name, text in files.items():
        book.write(name, text)
    first = book.build()
    assert first.status == 1
    again = book.build()
    assert (again.status, again.messages) == (1, first.messages)
    assert len(again.read) == 1
    book.write("other.md", "# Other\n")
    other = book.build()
    assert (other.status, other.messages) == (1, first.messages)
    assert other.read == sorted({"index", "other", *again.read})
    book.write("page.md", "# Title\n\nMended.\n")
    (book.folder / "part/b.md").unlink(missing_ok=True)
    assert book.build().status == 0
    assert book.build().read == []


@pytest.mark.parametrize(
    ("reference", "target"),
    [("{ref}`later`", "(later)=\n## Part"), ("[](other.md#part)", "## Part")],
)
def test_a_warning_is_mended_from_another_page(book, reference, target):
    book.write("conf.py", CONF + "\nmyst_heading_anchors = 2\n")
    book.write("page.md", f"# Title\n\n{reference}\n")
    book.write("other.md", "# Other\n")
    assert book.build().messages.count("WARNING") == 1
    book.write("other.md", f"# Other\n\n{target}\n")
    mended = book.build()
    assert (mended.status, mended.messages, mended.read) == (0, "", ["other", "page"])
    assert 'href="other.html#' in mended.html("page")


def test_progress_is_a_line_for_each_page(book):
    book.write("page.md", page(cell("print(1)", 1)))
    assert re.search(r"^\[1/1\] page\.md: \d+\.\d s$", book.build().said, re.MULTILINE)
    assert "[1/1]" not in book.build("-E").said  # nothing has run


def test_a_page_saved_after_its_run_is_published_as_it_ran_and_read_again(book, monkeypatch):
    path = book.write("page.md", page(cell("print(1)", 1)))

    def run_and_save(pages, **options):
        runs = run_pages(pages, **options)
        path.write_text(page(cell("print(1)", 1), title="Saved meanwhile"))
        return runs

    monkeypatch.setattr(running, "run_pages", run_and_save)
    built = book.build()
    assert built.status == 0
    assert "Saved meanwhile" not in built.html()
    built = book.build()
    assert built.read == ["page"]
    assert "Saved meanwhile" in built.html()


def change(old, new):
    """Write a conf.py that changes the text of all pages after it is read."""
    return (
        f"{CONF}def setup(app):\n  app.connect('source-read', change)\n"
        f"def change(app, name, source):\n  source[0] = source[0].replace({old!r}, {new!r})\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [("(1)", "(2)"), ("```{code-cell}\n", ""), ("```{testoutput}", "text\n\n```{testoutput}")],
)
def test_cells_that_are_changed_after_the_page_is_read_are_an_error(book, old, new):
    book.write("conf.py", change(old, new))
    book.write("page.md", page(cell("print(1)", 1)))
    for _ in range(2):
        built = book.build()
        assert built.status == 1
        [error] = built.errors
        assert error.startswith("page.md:1: ERROR: some extension changes the page after")
        assert "1" in built.html()


def test_text_that_is_changed_after_the_page_is_read_keeps_the_outputs(book):
    book.write("conf.py", change("# Page", "# Leaf"))
    book.write("page.md", page(cell("print(1)", 1), title="Page"))
    built = book.build()
    assert built.status == 0, built.messages
    assert "<h1>Leaf" in built.html()
    assert ">1\n" in built.html()


def test_a_notebook_may_have_another_suffix(book, ran):
    book.write("conf.py", f"{CONF}source_suffix = {{'.md': 'myst-nb', '.myst': 'myst-nb'}}\n")
    book.write("page.myst", page(cell("print(1)", 2)))
    built = book.build()
    assert ran.take() == ["page"]
    assert built.errors == [f"page.myst:14: ERROR: {DIFFERS}"]


def test_a_format_may_be_one_of_plain_markdown(book):
    formats = {".nb": ["nbformat.reads", {"as_version": 4}, True]}
    # source_suffix, since Sphinx would add to its default for good
    text = f"{CONF}nb_custom_formats = {formats}\nsource_suffix = {{'.md': 'myst-nb'}}\n"
    book.write("conf.py", text)
    cells = [v4.new_markdown_cell("# Page\n\n```{note}\ntext\n```"), v4.new_code_cell("print(1)")]
    book.write("page.nb", json.dumps(v4.new_notebook(cells=cells)))
    built = book.build(strict=False)  # no lexer is known for {note}
    assert built.status == 0, built.messages
    assert ">1\n" in built.html()
    assert "admonition" not in built.html()


def test_the_table_of_runs_tells_how_each_went_and_when(book, monkeypatch):
    book.write("right.md", page(cell("1")))
    book.write("wrong.md", page(cell("1 / 0")))
    book.write("table.md", "# Table\n\n```{nb-exec-table}\n```\n")
    rows = re.findall(r"<tr.*?</tr>", book.build().html("table"), re.DOTALL)
    assert ["✅" in row for row in rows] == [False, True, False]
    assert ["❌" in row for row in rows] == [False, False, True]
    again = re.findall(r"<tr.*?</tr>", book.build("-E").html("table"), re.DOTALL)
    assert again[1] == rows[1]  # the page has not run again


def test_myst_nb_runs_no_page_itself(book, ran):
    """Also where the page itself would have it so."""
    book.write("page.md", page(cell("1"), front="mystnb: {execution_mode: cache}\n"))
    book.write("wrong.md", page(cell("2"), front="mystnb: {execution_mode: cache, x: 1}\n"))
    book.write("empty.md", page(front="mystnb: {execution_mode: cache}\n"))
    built = book.build()
    assert [error.partition(":")[0] for error in built.errors] == ["wrong.md"]
    assert ran.take() == ["page"]
    assert not (book.folder / "_build" / ".jupyter_cache").exists()
    assert not (book.folder / ".jupyter_cache").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NOTE, "page8.md:14: ERROR: this {testoutput} block is not checked"),
        ("\n{glue}`missing`\n", "page8.md:13: WARNING: No key"),
        ("", ""),
    ],
)
def test_several_processes_read_pages(book, text, message):
    for number in range(8):
        book.write(f"page{number}.md", page(cell(f"print({number})", number)))
    book.write("page8.md", page(cell("x = 8"), text))
    for _ in range(2):
        built = book.build("-j", "2", strict=False)
        assert message in built.messages
        assert built.status == bool(message)
    environment = pickle.loads(
        (book.folder / "_build/html/.doctrees/environment.pickle").read_bytes()
    )
    assert environment.mystnb_config.custom_formats == {}  # no runs are kept in there
    for number in range(8):
        assert f">{number}\n" in built.html(f"page{number}")
