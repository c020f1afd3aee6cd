"""The book's own safety net: what is broken on purpose is found by both doors, and told clearly."""

from __future__ import annotations

import os
import re
import shutil

import pytest
from book_project import settle_environment
from sphinx_project import sphinx_build

from bookproof.__main__ import main

pytest_plugins = ["pytester"]

ARTICLE = "docs/if_pytorch.md"
KEPT = {"if_pytorch", "glossary", "references"}
"""The article's page, and what it leads to: the others would take most of the time."""
INDEX = "\n".join(["# Book", "", "```{toctree}", *sorted(KEPT), "```", ""])
LAST_OUTPUT = "発火した数: 19 （直前の電位は、リセットで消える）\n"

pytestmark = pytest.mark.slow

MUTANTS = {
    "fires at the threshold": (
        "snn_docs/surrogate.py",
        "check_floating(input_=input_)\n        return (input_ > 0)",
        "check_floating(input_=input_)\n        return (input_ >= 0)",
    ),
    "never resets": ("snn_docs/equations.py", "v_previous * (1 - s) if", "v_previous if"),
    "gradient of ones": ("snn_docs/surrogate.py", "grad_output * out.bool()", "grad_output"),
    "ignores the threshold": (
        "snn_docs/equations.py",
        "fired(v - rule.threshold, rule), v",
        "fired(v - 0.7, rule), v",
    ),
    "one digit of a block": (ARTICLE, "1.8000, 1.8500, 1.9000", "1.8000, 1.8501, 1.9000"),
    "a block deleted": (ARTICLE, f"```{{testoutput}}\n{LAST_OUTPUT}```\n", ""),
    "nothing": (ARTICLE, LAST_OUTPUT, LAST_OUTPUT),
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory, root):
    """A copy of these pages, one for all mutants: what does not depend on them is kept."""
    copy = tmp_path_factory.mktemp("copied")
    for folder in ("docs", "snn_docs"):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(root / "conf.py", copy)
    for page in (copy / "docs").rglob("*.md"):
        if page.stem not in KEPT:
            page.unlink()
    (copy / "docs" / "index.md").write_text(INDEX, encoding="utf-8")
    return copy


@pytest.fixture
def mutated(copied, request, monkeypatch, tmp_path_factory):
    """A copy of the book in which one thing is broken, and which is the working directory."""
    folder = tmp_path_factory.getbasetemp() / "temporary"
    folder.mkdir(exist_ok=True)
    settle_environment(monkeypatch, folder)
    monkeypatch.setenv("PYTHONPATH", str(copied))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # which could be older than a mutant
    monkeypatch.chdir(copied)
    name, old, new = MUTANTS[request.param]
    path = copied / name
    text, time = path.read_text(encoding="utf-8"), path.stat().st_mtime
    assert text.count(old) == 1, f"{name} does not hold {old!r} once"
    path.write_text(text.replace(old, new), encoding="utf-8")
    yield copied
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time, time))


def build(pytester):
    left_out = "suppress_warnings=ref.doc,toc.not_readable"  # links to the pages that are
    status, *said = sphinx_build(
        *("-q", "-b", "dummy", "-n", "-W", "--keep-going", "-D", left_out),
        *("-c", ".", "docs", "_build/out"),
    )
    return status, "".join(said)


def run_tests(pytester):
    plugins = ("-p", "bookproof.pytest_plugin", "-p", "no:hypothesispytest")
    result = pytester.runpytest_inprocess("-q", "--rootdir=.", *plugins, "docs")
    return result.ret, result.stdout.str()


@pytest.mark.parametrize(
    ("mutated", "door"),
    [
        *((name, build) for name in sorted(MUTANTS.keys() - {"nothing"})),
        ("one digit of a block", run_tests),
    ],
    indirect=["mutated"],
)
def test_a_mutant_is_found_and_told(pytester, mutated, monkeypatch, door):
    monkeypatch.chdir(mutated)
    status, said = door(pytester)
    assert status != 0
    places = re.findall(r"docs/\w+\.md:(\d+): .*the cell (?:does not print|prints, but)", said)
    assert places, said
    assert re.search(r"^ +\+.+", said, re.MULTILINE), said


@pytest.mark.parametrize("mutated", ["one digit of a block"], indirect=True)
def test_the_place_of_a_wrong_digit_is_its_line(mutated, capsys):
    lines = (mutated / ARTICLE).read_text(encoding="utf-8").splitlines()
    line = next(n for n, text in enumerate(lines, start=1) if "1.8501" in text)
    assert main(["check", ARTICLE]) == 1
    said = capsys.readouterr().out
    assert f"{ARTICLE}:{line}: the cell does not print what the page says" in said
    assert "    -        1.8000, 1.8501, 1.9000, 1.9500], requires_grad=True)\n" in said
    assert "    +        1.8000, 1.8500, 1.9000, 1.9500], requires_grad=True)\n" in said


@pytest.mark.parametrize("mutated", ["nothing"], indirect=True)
@pytest.mark.parametrize("door", [build, run_tests])
def test_without_a_mutant_nothing_is_told(pytester, mutated, monkeypatch, door):
    monkeypatch.chdir(mutated)
    status, said = door(pytester)
    assert status == 0, said
