from __future__ import annotations

import os
import shutil
import sysconfig
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from audit import CHROMIUM
from mystnb import FRONT_MATTER
from playwright.sync_api import sync_playwright
from site_server import served
from sphinx_project import build_book

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI everything that a test needs is there: a skip there hides a test that never runs."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole site, built as `make html` builds it."""
    return build_book(tmp_path_factory.mktemp("site"))


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
def write_page(tmp_path: Path) -> Callable[..., Path]:
    """Write a MyST notebook with the given body."""

    def write(body: str, name: str = "page.md") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FRONT_MATTER + body, encoding="utf-8", newline="")
        return path

    return write


def why_no_inductor() -> str:
    """Say what torch.compile's default backend misses here, if anything."""
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        return "torch.compile's inductor needs a C++ compiler: g++, clang++ or c++"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "torch.compile's inductor needs Python.h, for example from Debian's python3-dev"
    if " " in torch.__file__:
        return f"torch.compile's inductor can't link where torch lies: {torch.__file__} has a space"
    return ""


@pytest.fixture(params=["aot_eager", "inductor"])
def backend(request, tmp_path_factory, monkeypatch):
    """A backend of torch.compile, with its caches emptied before and after."""
    if request.param == "inductor" and (reason := why_no_inductor()):
        pytest.skip(reason)
    # One folder for all tests: inductor compiles torch's headers once, which takes the longest.
    folder = tmp_path_factory.getbasetemp() / "inductor"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
    torch.compiler.reset()
    yield request.param
    torch.compiler.reset()


@pytest.fixture
def fullgraph(backend):
    options = {"compile_threads": 1} if backend == "inductor" else None
    return partial(torch.compile, fullgraph=True, backend=backend, options=options)
