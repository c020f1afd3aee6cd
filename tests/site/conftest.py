from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from audit import CHROMIUM, DESK
from book_runs import PATIENCE
from browsers import opened
from filelock import FileLock
from playwright.sync_api import expect, sync_playwright
from site_server import served
from sphinx_project import Built, build_book

from bookproof.pytest_plugin import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from playwright.sync_api import Browser, Page

expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="session")
def environment(pytestconfig: pytest.Config) -> dict[str, str]:
    """What pytest was started in, and its plugin runs pages in."""
    return pytestconfig.stash[ENVIRONMENT]


@pytest.fixture(scope="session")
def site_build(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, environment: dict[str, str]
) -> Built:
    """What came of building the whole site as `make html` does, once for all processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site"
    done = folder / "done"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            built = build_book(folder, environment)
            done.write_text(json.dumps([built.code, built.messages]), encoding="utf-8")
    return Built(folder / "html", *json.loads(done.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def built_site(site_build: Built) -> Path:
    """The folder of the whole site, which is there to be looked at though an output be wrong."""
    if site_build.code not in {0, 1}:
        pytest.skip("there is no site: test_the_site_is_built_without_a_complaint tells why")
    return site_build.folder


@pytest.fixture(scope="module")
def address(built_site: Path) -> Iterator[str]:
    """The whole site, served."""
    with served(built_site) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A module's own: while Playwright runs, so does an event loop, which other tests start."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def reading(browser: Browser, address: str) -> Callable[..., AbstractContextManager[Page]]:
    """Open what lies at a place of the site, and wait until all of it is there."""

    @contextmanager
    def tab(place: str, *, width: int = DESK, scheme: str = "light") -> Iterator[Page]:
        with opened(browser, address, width=width, scheme=scheme) as page:
            page.goto(f"{address}{place}", wait_until="networkidle")
            yield page

    return tab
