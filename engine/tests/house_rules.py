"""Rules for every test, as hooks for the conftest.py of each folder of tests."""

from __future__ import annotations

import os
import signal

import pytest


def pytest_configure():
    """Hear Ctrl-C: what a script starts in the background ignores it, and so would children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI everything that a test needs is there: a skip there hides a test that never runs."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {report.longrepr}"
    return report
