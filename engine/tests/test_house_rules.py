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


@pytest.fixture
def rules():
    """A copy of the rules, since they hold for these tests too."""
    spec = importlib.util.spec_from_file_location("rules", house_rules.__file__)
    rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    return rules


@pytest.fixture
def outcomes(pytester, monkeypatch, rules):
    """What becomes of a test in CI, or elsewhere."""

    def outcomes(code, *, ci):
        monkeypatch.setenv("CI", "1" * ci)
        pytester.makepyfile(code)
        options = ("-p", "no:hypothesispytest", "-p", "no:cacheprovider")
        return pytester.inline_run(*options, plugins=[rules]).countoutcomes()

    return outcomes


SKIP, FAILED = [0, 1, 0], [0, 0, 1]


@pytest.mark.parametrize(("ci", "outcome"), [(False, SKIP), (True, FAILED)])
def test_nothing_is_skipped_in_ci(outcomes, ci, outcome):
    assert outcomes(SKIPPED, ci=ci) == outcome


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
