"""The site by the tools that others would take; and the bounds, on a page that breaks them all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import audit
import pytest
from audit import DESK, PHONE, VNU
from browsers import PAGES, needs_axe, needs_browser
from site_server import served

DOCS = Path(__file__).parents[2] / "docs"

needs_vnu = pytest.mark.skipif(
    not (VNU.is_file() and shutil.which("java")),
    reason="the HTML checker is not there, or no java to run it: npm ci",
)


@pytest.mark.slow
@needs_browser
@needs_axe
@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESK, "dark")])
@pytest.mark.parametrize("name", ["if_pytorch", "search", "404"])
def test_axe_finds_nothing_in_any_state_of_what_all_pages_have(
    browser, address, name, width, scheme
):
    with audit.visited(browser, address, name, width=width, scheme=scheme) as (page, _):
        assert not audit.violations_in_states(page)


@pytest.mark.slow
@needs_vnu
def test_the_html_is_valid(built_site):
    found = audit.html_errors(built_site)
    assert set(PAGES) <= set(found)
    assert not {name: lines for name, lines in found.items() if lines}


def test_the_site_is_served_as_github_pages_serves_it(address):
    with urlopen(Request(f"{address}index.html")) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Cache-Control"] == "max-age=600"
        assert int(answer.headers["Content-Length"]) == len(answer.read()) < 100_000


# ---- A page that is all wrong ----

WRONG = """<!DOCTYPE html>
<html lang="ja"><head><meta charset="utf-8"><title>x</title>
<meta name="viewport" content="width=device-width"></head>
<body><main><h1>x</h1>
<p align="left" style="color: #ccc; width: 900px">grey words</p>
<img src="large.bin" alt="">
<img src="http://127.0.0.2:9/x.png" alt="">
</main><script>console.log("mind")</script></body></html>
"""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "wrong.html").write_text(WRONG, encoding="utf-8")
    (folder / "large.bin").write_bytes(bytes(audit.MOST_BYTES["large"]))
    return folder


@pytest.mark.slow
@needs_browser
@needs_axe
def test_what_is_wrong_with_a_page_is_seen_in_a_browser(browser, wrong):
    page = audit.Audit("wrong")
    with served(wrong) as address:
        page.look(browser, address, {"axe"})
    said = "\n".join(page.wrong)
    assert page.cells["kB"] == "200"
    for line in (
        "kB: 200",
        "320px: ",
        "console: log: mind",
        "console: failed: http://127.0.0.2:9/x.png",
        "axe: 390 px, light, color-contrast: ",
        "axe: 1350 px, dark, color-contrast: ",
    ):
        assert line in said


@pytest.mark.slow
@needs_vnu
def test_what_is_wrong_with_html_is_seen(wrong):
    (line,) = audit.html_errors(wrong)["wrong"]
    assert "align" in line


def test_marks_below_their_bounds_are_seen(monkeypatch):
    marks = {"mobile": (95, 100, 100, 100), "desktop": (99, 100, 100, 100)}
    monkeypatch.setattr(audit, "lighthouse", lambda _address, _name, form: (marks[form], ["slow"]))
    page = audit.Audit("x")
    page.rate("")
    assert page.cells == {"mobile": "95/100/100/100", "desktop": "99/100/100/100"}
    assert page.wrong == ["desktop: at least 100/100/100/100; ['slow']"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command where no tool is found."""
    return subprocess.run(
        [sys.executable, audit.__file__, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in {"CI", "CHROMIUM"}}
        | {"PATH": os.devnull}
        | environment,
    )


def test_what_is_missing_is_skipped_and_said(tmp_path):
    (tmp_path / "good.html").write_text("<p>x</p>", encoding="utf-8")
    done = run(str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "skipped: mobile, desktop" in done.stdout
    assert "skipped: vnu: needs java" in done.stdout
    assert run(str(tmp_path), CI="1").returncode == 1


def test_an_unknown_page_is_an_error(wrong):
    done = run(str(wrong), "wrongly")
    assert done.returncode == 2
    assert done.stderr == "no such page: wrongly; there are wrong\n"
