"""The book's own safety net: what is broken on purpose is found by both doors, and told clearly."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

ARTICLE = "docs/if_pytorch.md"
LAST_OUTPUT = "True\nFalse tensor([0.5000, 0.5500, 0.6000])\n"

MUTANTS = {
    "fires at the threshold": ("snn_docs/surrogate.py", "input_ > 0", "input_ >= 0"),
    "never resets": ("snn_docs/neurons.py", "v_previous * (1 - s_previous)", "v_previous"),
    "gradient of ones": ("snn_docs/surrogate.py", "grad_output * out.bool()", "grad_output"),
    "ignores the threshold": ("snn_docs/neurons.py", "x - self.threshold", "x - 0.7"),
    "one digit of a block": (ARTICLE, "1.8000, 1.8500, 1.9000", "1.8000, 1.8501, 1.9000"),
    "a block deleted": (ARTICLE, f"```{{testoutput}}\n{LAST_OUTPUT}```\n", ""),
}


@pytest.fixture
def mutated(tmp_path, root, request):
    """A copy of the book in which one thing is broken."""
    name, old, new = MUTANTS[request.param]
    for folder in ("docs", "snn_docs"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(root / "conf.py", tmp_path)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{name} does not hold {old!r} once"
    (tmp_path / name).write_text(text.replace(old, new), encoding="utf-8")
    return tmp_path


def run(folder, *command):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("mutated", MUTANTS, indirect=True)
@pytest.mark.parametrize(
    "command",
    [
        ["sphinx", "-q", "-b", "dummy", "-n", "-W", "--keep-going", "-c", ".", "docs", "out"],
        ["pytest", "-q", "-p", "snn_docs.book.pytest_plugin", "docs"],
    ],
    ids=["build", "tests"],
)
def test_a_mutant_is_found_and_told(mutated, command):
    done = run(mutated, *command)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    places = re.findall(r"docs/\w+\.md:(\d+): .*the cell (?:does not print|prints, but)", said)
    assert places, said
    assert re.search(r"^ +\+.+", said, re.MULTILINE), said


@pytest.mark.parametrize("mutated", ["one digit of a block"], indirect=True)
def test_the_place_of_a_wrong_digit_is_its_line(mutated):
    lines = (mutated / ARTICLE).read_text(encoding="utf-8").splitlines()
    line = next(n for n, text in enumerate(lines, start=1) if "1.8501" in text)
    said = run(mutated, "snn_docs.book", "check", ARTICLE).stdout
    assert f"{ARTICLE}:{line}: the cell does not print what the page says" in said
    assert "    -        1.8000, 1.8501, 1.9000, 1.9500], requires_grad=True)\n" in said
    assert "    +        1.8000, 1.8500, 1.9000, 1.9500], requires_grad=True)\n" in said
