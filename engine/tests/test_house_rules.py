"""What holds for every test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import house_rules
import pytest

pytest_plugins = ["pytester"]

FOLDER = Path(house_rules.__file__).parent


@pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("1", "failed")])
def test_nothing_is_skipped_in_ci(pytester, monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))
    pytester.makeconftest("from house_rules import pytest_runtest_makereport")
    pytester.makepyfile("import pytest\ndef test_it(): pytest.skip('no browser')\n")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(**{outcome: 1})


def test_ctrl_c_is_heard_in_a_job_that_was_started_to_ignore_it():
    child = "import signal; print(repr(signal.getsignal(signal.SIGINT)))"
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    rule = "import house_rules; house_rules.pytest_configure(); "

    def handler(code):
        return subprocess.check_output([sys.executable, "-c", code], text=True, cwd=FOLDER)

    assert "SIG_IGN" in handler(deaf + start)
    assert "default_int_handler" in handler(deaf + rule + start)
