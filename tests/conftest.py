from __future__ import annotations

from pathlib import Path

import pytest
from house_rules import (  # noqa: F401
    pytest_configure,
    pytest_runtest_call,
    pytest_runtest_makereport,
)

SITE = Path(__file__).parent / "site"
FIRST = SITE / "test_site.py"


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that builds the site, end with those that wait for it and the pages.

    What lies between keeps the other processes busy meanwhile.
    """
    last = (str(SITE), str(SITE.parents[1] / "docs"))
    items.sort(key=lambda item: item.path != FIRST and 1 + str(item.path).startswith(last))
