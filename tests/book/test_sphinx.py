"""The Sphinx door: a build runs the pages, fails if one is wrong, and shows what was printed."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

CONF = 'extensions = ["myst_nb", "snn_docs.book"]\nexclude_patterns = ["_build"]\n'
INDEX = "# Book\n\n```{toctree}\n:glob:\n\n*\n```\n"


def page(code, expected=None, title="Page"):
    block = "" if expected is None else f"\n```{{testoutput}}\n{expected}\n```\n"
    return f"# {title}\n\n```{{code-cell}}\n{code}\n```\n{block}"


@pytest.fixture
def build(tmp_path):
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.md").write_text(INDEX)

    def run(*options):
        command = [sys.executable, "-m", "sphinx", "-b", "html", "-n", "-W", "--keep-going"]
        return subprocess.run(
            [*command, *options, ".", "_build/html"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def html(tmp_path, name="page"):
    return (tmp_path / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")


def test_a_right_book_is_built_and_shows_what_was_printed(build, write_page, tmp_path):
    write_page(page("print('膜' + '電位')", "膜電位"))
    done = build()
    assert done.returncode == 0, done.stderr
    assert "pages run: 1, outputs that match: 1, wrong cells: 0" in done.stdout
    assert html(tmp_path).count("膜電位") == 1  # the output, and not the block as well


def test_every_wrong_cell_of_every_page_is_reported(build, write_page, tmp_path):
    write_page(page("print(1)", 2), "a.md")
    write_page(page("print(1)"), "b.md")
    write_page(page("1 / 0"), "c.md")
    done = build()
    assert done.returncode == 1
    assert "a.md:14: ERROR: the cell does not print what the page says" in done.stderr
    assert "-2\n" in done.stderr
    assert "+1\n" in done.stderr
    assert "b.md:10: ERROR: the cell prints, but no {testoutput} block follows it" in done.stderr
    assert "c.md:10: ERROR: the cell failed" in done.stderr
    assert "pages run: 3, outputs that match: 0, wrong cells: 3" in done.stdout


def test_an_error_of_a_page_is_no_error_of_sphinx(build, write_page):
    write_page(page("print(1)", 2))
    done = build()
    assert "Traceback" not in done.stderr
    assert "report this error" not in done.stderr


def test_a_page_that_cannot_be_read_is_reported_with_the_others(build, write_page):
    write_page("# Page\n\n```{testoutput}\n1\n```\n", "a.md")
    write_page(page("print(1)", 2), "b.md")
    done = build()
    assert done.returncode == 1
    assert "a.md:9: ERROR: this {testoutput} block does not stand right after" in done.stderr
    assert "b.md:14: ERROR: " in done.stderr


def test_a_page_that_cannot_be_read_is_not_run_either(build, write_page, tmp_path):
    code = "open('ran', 'w').close()"
    write_page(page(code) + "\ntext\n\n```{testoutput}\n1\n```\n")
    assert build().returncode == 1
    assert not (tmp_path / "ran").exists()


def test_a_build_fails_even_where_warnings_are_allowed(tmp_path, build, write_page):
    write_page(page("print(1)", 2))
    command = [sys.executable, "-m", "sphinx", "-q", ".", "_build/html"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("note.md", "# Page\n\n````{note}\n```{testoutput}\n1\n```\n````\n"),
        ("plain.md", None),
    ],
)
def test_a_block_that_was_not_compared_is_an_error(build, write_page, tmp_path, name, body):
    if body:
        write_page(body, name)
    else:
        (tmp_path / name).write_text("# Page\n\n```{testoutput}\n1\n```\n")
    done = build()
    assert done.returncode == 1
    assert "this {testoutput} block is not checked" in done.stderr
    assert name in done.stderr


def test_a_changed_module_is_noticed_without_a_changed_page(build, write_page, tmp_path):
    (tmp_path / "module.py").write_text("value = 1\n")
    write_page(page("import sys\nsys.path.insert(0, '')\nimport module\nprint(module.value)", 1))
    assert build().returncode == 0
    (tmp_path / "module.py").write_text("value = 22\n")
    done = build()
    assert done.returncode == 1
    assert "+22" in done.stderr


def test_a_second_clean_build_publishes_the_same_bytes(build, write_page, tmp_path):
    write_page(page("import sys\nprint(1)\nprint(2, file=sys.stderr)", "1\n2"))
    assert build().returncode == 0
    first = html(tmp_path)
    shutil.rmtree(tmp_path / "_build")
    assert build().returncode == 0
    assert html(tmp_path) == first


def test_a_half_written_cache_does_no_harm(build, write_page, tmp_path):
    write_page(page("print(1)", 1))
    assert build().returncode == 0
    [entry] = (tmp_path / "_build" / ".jupyter_cache" / "executed").iterdir()
    (entry / "base.ipynb").unlink()
    done = build()
    assert done.returncode == 0, done.stderr
    assert ">1\n" in html(tmp_path)


def test_another_execution_mode_is_refused(build, tmp_path):
    (tmp_path / "conf.py").write_text(CONF + 'nb_execution_mode = "off"\n')
    done = build()
    assert done.returncode == 2
    assert "nb_execution_mode is 'off'" in done.stderr
    assert "delete nb_execution_mode" in done.stderr


def test_templates_learn_how_many_outputs_were_checked(build, write_page, tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "layout.html").write_text(
        '{% extends "!layout.html" %}{% block footer %}'
        "checked: {{ book_checked|default('none') }} wrong: {{ book_wrong }}{% endblock %}"
    )
    (tmp_path / "conf.py").write_text(CONF + 'templates_path = ["templates"]\n')
    write_page(page("print(1)", 1) + page("print(2)", 2, "Part")[2:].replace("Part", ""))
    done = build()
    assert done.returncode == 0, done.stderr
    assert "checked: 2 wrong: 0" in html(tmp_path)
    assert "checked: none wrong: " in html(tmp_path, "index")
    write_page(page("print(1)", 1) + page("print(2)", 3, "Part")[2:].replace("Part", ""))
    assert build().returncode == 1
    assert "checked: 1 wrong: 1" in html(tmp_path)
