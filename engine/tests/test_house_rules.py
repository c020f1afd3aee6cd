"""What holds for every test."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import house_rules
import pytest

pytest_plugins = ["pytester"]

SKIPPED = "import pytest\ndef test_it(): pytest.skip('no browser')\n"
SLOW = "import pytest\n{}\ndef test_it(): pass\n"


@pytest.fixture
def rules():
    """A copy of the rules, since they hold for these tests too."""
    spec = importlib.util.spec_from_file_location("rules", house_rules.__file__)
    rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    rules.busy = lambda: 1
    return rules


@pytest.fixture
def outcomes(pytester, monkeypatch, rules):
    """What becomes of a test in CI, or elsewhere."""
    pytester.makeini("[pytest]\nmarkers = slow")

    def outcomes(code, *, ci):
        monkeypatch.setenv("CI", "1" * ci)
        pytester.makepyfile(code)
        options = ("-p", "no:hypothesispytest", "-p", "no:cacheprovider")
        return pytester.inline_run(*options, plugins=[rules]).countoutcomes()

    return outcomes


PASSED, SKIP, FAILED = [1, 0, 0], [0, 1, 0], [0, 0, 1]


@pytest.mark.parametrize(("ci", "outcome"), [(False, SKIP), (True, FAILED)])
def test_nothing_is_skipped_in_ci(outcomes, ci, outcome):
    assert outcomes(SKIPPED, ci=ci) == outcome


@pytest.mark.parametrize(
    ("mark", "ci", "outcome"),
    [("", True, FAILED), ("", False, PASSED), ("@pytest.mark.slow", True, PASSED)],
)
def test_what_is_slow_says_so(outcomes, rules, mark, ci, outcome):
    rules.LONGEST = -1  # any test is slower
    assert outcomes(SLOW.format(mark), ci=ci) == outcome


def test_a_busy_machine_is_given_more_time(outcomes, rules):
    rules.LONGEST = 1e-9
    assert outcomes(SLOW.format(""), ci=True) == FAILED
    rules.busy = lambda: 1e12
    assert outcomes(SLOW.format(""), ci=True) == PASSED


def test_ctrl_c_is_heard_in_a_job_that_was_started_to_ignore_it():
    child = "import signal; print(repr(signal.getsignal(signal.SIGINT)))"
    code = f"import subprocess, sys; {{}}subprocess.run([sys.executable, '-c', {child!r}])"
    rule = "import house_rules; house_rules.pytest_configure(); "
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "

    def handler(code):
        command = [sys.executable, "-c", deaf + code]
        folder = Path(house_rules.__file__).parent
        return subprocess.check_output(command, text=True, cwd=folder)

    assert "SIG_IGN" in handler(code.format(""))
    assert "default_int_handler" in handler(code.format(rule))
