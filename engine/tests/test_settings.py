"""The settings of a book are those of its conf.py, the same for every entry point."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from book_project import CONF, cell, page
from sphinx.errors import ConfigError
from sphinx_builds import sphinx_build

from bookproof.extension import build as extension
from bookproof.kernels.libraries import USUAL
from bookproof.settings import (
    CHECKPOINTS,
    OWN_SETTINGS,
    Condition,
    Settings,
    find_settings,
)


@pytest.fixture
def conf(tmp_path):
    """Write a conf.py; return the settings of a page below it."""

    def write(text):
        (tmp_path / "conf.py").write_text(text, encoding="utf-8")
        return find_settings(tmp_path / "docs" / "part" / "page.md")

    return write


def test_the_readme_knows_every_setting_of_the_engine():
    readme = Path(__file__).parents[1] / "README.md"
    rows = re.findall(r"^\| `(book_\w+)` \|", readme.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(OWN_SETTINGS)


def test_without_a_conf_py_there_are_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = find_settings(tmp_path / "page.md")
    assert settings == Settings(results=tmp_path / "_build" / ".book")
    assert settings.modules == USUAL
    assert not settings.strict
    assert settings.notebooks.execution_timeout == 30
    assert settings.markdown.enable_extensions == set()


def test_an_empty_conf_py_says_where_results_are_kept(conf, tmp_path):
    kept, excluded = tmp_path / "_build" / ".book", (CHECKPOINTS,)
    assert conf("") == Settings(results=kept, home=tmp_path, exclude=excluded)


def test_the_nearest_conf_py_counts(conf, tmp_path):
    outer = conf("book_strict = True")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "conf.py").write_text("nb_execution_timeout = 7")
    inner = find_settings(tmp_path / "docs" / "part" / "page.md")
    assert (outer.strict, outer.notebooks.execution_timeout) == (True, 30)
    assert (inner.strict, inner.notebooks.execution_timeout) == (False, 7)
    assert inner.results == tmp_path / "docs" / "_build" / ".book"
    assert find_settings(tmp_path / "other.md").strict


def test_what_a_conf_py_says(conf, tmp_path):
    settings = conf(
        "from pathlib import Path\n"
        "nb_execution_timeout = 5 + (Path('conf.py').exists() and Path(__file__).is_file())\n"
        "nb_execution_excludepatterns = ['a*']\n"
        "nb_custom_formats = {'.percent': 'reader.read'}\n"
        "nb_execution_cache_path = 'kept'\n"
        "myst_enable_extensions = ['colon_fence']\n"
        "book_strict = not tags.has('draft')\n"
        "book_modules = ['numpy', 'torch']\n"
        "source_suffix = {'.rst': 'restructuredtext', '.myst': 'myst-nb'}\n"
        "html_theme = 'no business of ours'\n"
    )
    assert settings.notebooks.execution_timeout == 6
    assert list(settings.notebooks.execution_excludepatterns) == ["a*"]
    assert list(settings.notebooks.custom_formats) == [".percent"]
    assert settings.markdown.enable_extensions == {"colon_fence"}
    assert settings.suffixes == (".md", ".myst")
    assert settings.results == tmp_path / "kept"
    assert settings.strict
    assert settings.modules == ("numpy", "torch")


def test_conditions_are_as_the_book_where_they_say_nothing(conf):
    settings = conf(
        "book_environment = {'A': 1}\n"
        "book_start = 'import sys'\n"
        "book_conditions = {'same': {}, 'other': {'environment': {}, 'start': '', 'needs': 'x'}}\n"
    )
    assert settings.conditions == {
        "same": Condition({"A": 1}, "import sys"),
        "other": Condition({}, "", needs="x"),
    }


def test_an_edited_conf_py_is_read_again_and_another_one_is_not(conf, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path.copy())
    text = "import sys\nsys.path.append(__file__)\n"
    first = conf(text)
    assert find_settings(tmp_path / "page.md") is first
    assert sys.path.count(f"{tmp_path}/conf.py") == 1
    assert conf(text + "book_strict = True\n").strict


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", ": There is a programmable error in your configuration file:\n\nTraceback"),
        ("raise SystemExit(3)", ": The configuration file (or one of the modules it imports) "),
        ("a b", ": There is a syntax error in your configuration file: invalid syntax"),
        ("nb_execution_timeout = 'x'", ": nb_…: 'execution_timeout' must"),
        ("nb_execution_timeouts = 3\nnb_custom_formats = 3", ": nb_…: `nb_cus"),
        ("nb_execution_excludepatterns = 3", ": nb_…: 'int' object"),
        ("nb_execution_mode = 'lazy'", ": nb_…: 'execution_mode' must be in"),
        ("exclude_patterns = 'x'", ": exclude_patterns is 'x', but takes a value of the type list"),
        ("myst_heading_anchors = 'x'", ": myst_…: 'heading_anchors' must be"),
        ("book_start = 1", ": book_start is 1, but takes a value of the type str"),
        ("book_conditions = []", ": book_conditions is [], but takes a value of the type dict"),
        ("book_conditions = {'a': 1}", ": book_conditions['a']: unsupported operand"),
        ("book_conditions = {'a': {'b': 2}}", ": book_conditions['a']: Condition.__init__() got"),
        ("book_strict = 'no'", ": book_strict is 'no', but takes a value of the type bool"),
        ("book_words = {'go': 'a'}", ": book_words has 'go', but takes these names: recorded, "),
    ],
)
def test_a_conf_py_that_cannot_be_used_is_told_with_its_place(conf, tmp_path, text, message):
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            conf(text)
        assert str(caught.value).startswith(f"{tmp_path}/conf.py{message}")


@pytest.fixture
def both_ways(book, monkeypatch):
    """Build a book; return the settings that Sphinx used and those of the other entry points."""
    used = []

    def build(conf, *options):
        book.write("conf.py", CONF + conf)
        read = extension.read_settings
        monkeypatch.setattr(
            extension, "read_settings", lambda *a: used.append(read(*a)) or used[-1]
        )
        status, _, messages = sphinx_build("-b", "dummy", *options, ".", "_build/out")
        assert status == 0, messages
        return used[-1], find_settings(Path("index.md"))

    return build


@pytest.mark.parametrize(
    "conf",
    [
        "",
        "nb_execution_timeout = 77\nnb_kernel_rgx_aliases = {'x': 'python3'}\nbook_strict = True",
        "nb_execution_cache_path = 'kept'\nmyst_enable_extensions = ['dollarmath']",
        "nb_execution_mode = 'force'\nnb_execution_allow_errors = True",
        "nb_execution_in_temp = True\nnb_execution_excludepatterns = ['*']",
    ],
)
def test_sphinx_and_the_other_entry_points_have_the_same_settings(both_ways, conf):
    used, found = both_ways(conf)
    assert used == found


def test_what_an_earlier_build_has_added_to_a_default_does_not_count(both_ways):
    used, _ = both_ways("def setup(app):\n    app.config.templates_path.append('earlier')\n")
    assert "earlier" in used.exclude
    used, found = both_ways("")
    assert used == found


def test_an_option_of_the_sphinx_command_line_counts(both_ways):
    used, found = both_ways("", "-D", "book_strict=1", "-D", "nb_execution_timeout=9")
    assert (used.strict, used.notebooks.execution_timeout) == (True, 9)
    assert (found.strict, found.notebooks.execution_timeout) == (False, 30)


def test_sphinx_keeps_results_beside_its_output(book):
    book.write("page.md", page(cell("1")))
    assert book.build(out="site/html").status == 0
    assert len(list((book.folder / "site" / ".book").glob("page-*.json"))) == 1
    assert not (book.folder / "_build").exists()
