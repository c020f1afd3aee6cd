from __future__ import annotations

from pathlib import Path

import pytest
from house_rules import (  # noqa: F401
    pytest_configure,
    pytest_runtest_call,
    pytest_runtest_makereport,
)


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[1]
