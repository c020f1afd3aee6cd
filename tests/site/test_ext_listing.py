"""A listing is the file that runs, less its docstrings."""

from __future__ import annotations

import textwrap

import pytest
from book.page import listing
from sphinx_project import build

CODE = '''"""Module."""

import math


class Neuron:
    """A neuron.

    Of some kind.
    """

    limit = 1.0

    def step(self, x):
        """One step."""
        text = """not a docstring"""
        return math.floor(x), text


class Empty(Exception):
    """All there is."""
'''
SHOWN = '''class Neuron:
    limit = 1.0

    def step(self, x):
        text = """not a docstring"""
        return math.floor(x), text
'''


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('def f():\n    """Doc."""\n    return 1\n', "def f():\n    return 1\n"),
        ('async def f():\n    "Doc."\n\n\n    return 1\n', "async def f():\n    return 1\n"),
        ('"""Doc."""\n\nx = 1\n', "x = 1\n"),
        ('def f():\n    "Doc."; return 1\n', 'def f():\n    "Doc."; return 1\n'),
        ('class C:\n    """Doc."""\n', 'class C:\n    """Doc."""\n'),
        ("x = 1\n'text'\n", "x = 1\n'text'\n"),
        (' def f():\n  """Doc."""\n  return 1\n', " def f():\n  return 1\n"),
        ("", ""),
    ],
)
def test_docstrings_are_found(source, shown):
    assert listing.without_docstrings(source) == shown
    compile(textwrap.dedent(shown), "shown", "exec")


def page(*options: str, name: str = "code.py") -> str:
    lines = [f"```{{listing}} {name}", *options, "```"]
    return "# 題\n\n" + "\n".join(lines) + "\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "code.py").write_text(CODE, encoding="utf-8")
    return tmp_path


def test_object_is_shown_without_docstrings(project):
    text = page(":pyobject: Neuron", ":caption: 層", ":name: neuron", ":emphasize-lines: '4'")
    text += "\n{numref}`neuron`\n"
    built = build(
        project, {"index.md": text}, "myst_nb", "book.page.listing", settings="numfig = True"
    )
    assert built.code == 0, built.messages
    block = built.page().select_one("div.literal-block-wrapper#neuron")
    assert block.select_one("pre").text == SHOWN
    assert block.select_one(".caption-text").text == "層"
    assert block.select_one("pre .hll").text == "    def step(self, x):\n"
    assert built.page().select_one("a[href='#neuron'] .std-numref, a[href='#neuron']")


def test_whole_file_is_shown(project):
    built = build(project, {"index.md": page()}, "myst_nb", "book.page.listing")
    assert built.code == 0, built.messages
    shown = built.page().select_one("pre").text
    assert (
        shown == f'import math\n\n\n{SHOWN}\n\nclass Empty(Exception):\n    """All there is."""\n'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (page(":pyobject: Missing"), "Missing"),
        (page(name="missing.py"), "missing.py"),
        (page(name="broken.py"), "invalid syntax"),
    ],
)
def test_what_cannot_be_shown_is_a_warning_at_its_line(project, text, reason):
    (project / "docs" / "broken.py").write_text("def :\n", encoding="utf-8")
    built = build(project, {"index.md": text}, "myst_nb", "book.page.listing")
    assert built.code == 1
    assert "index.md:3: WARNING:" in built.messages
    assert reason in built.messages
