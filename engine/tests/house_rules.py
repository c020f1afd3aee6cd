"""Rules for every test, as hooks for the conftest.py of each folder of tests."""

from __future__ import annotations

import os
import signal
import time

import pytest

LONGEST = 60
"""Seconds that a test may take on a machine that is not busy, unless it is marked as slow.

None takes ten where nothing else runs; a shared machine is several times as slow at times.
"""


def pytest_configure():
    """Hear Ctrl-C: what a script starts in the background ignores it, and so would children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """In CI a test that takes long says so, or it would be among those that take minutes."""
    start = time.monotonic()
    result = yield
    seconds = (time.monotonic() - start) / busy()
    if seconds > LONGEST and os.environ.get("CI") and not item.get_closest_marker("slow"):
        pytest.fail(f"it took {seconds:.0f} s: make it faster, or mark it with pytest.mark.slow")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI everything that a test needs is there: a skip there hides a test that never runs."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {report.longrepr}"
    return report


def busy():
    """How many processes there are for each processor; one at least."""
    try:
        return max(1, os.getloadavg()[0] / (os.cpu_count() or 1))
    except (AttributeError, OSError):  # where nobody counts
        return 1
