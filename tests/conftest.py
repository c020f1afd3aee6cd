from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from house_rules import (  # noqa: F401
    pytest_configure,
    pytest_runtest_makereport,
)

SITE = Path(__file__).parent / "site"
FIRST = SITE / "test_site.py"
LONGEST = SITE / "test_every_page.py"
DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One process more than there are processors: some wait for browsers, kernels, time-outs."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it
    return (psutil.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that builds the site, end with those that wait for it and the pages.

    What lies between keeps the other processes busy meanwhile. Of those that wait, the longest is
    the first: none is left alone with it at the end.
    """
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    if item.path == FIRST:
        return 0
    waits = item.path.is_relative_to(SITE) or item.path.is_relative_to(DOCS)
    if item.path == LONGEST:
        return 2
    return 3 if waits else 1
