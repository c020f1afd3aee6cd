"""Versions of the site side by side, put there by the scripts that the Pages workflow calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest
import test_browser
from bs4 import BeautifulSoup
from site_server import served
from test_browser import DESK, PHONE, opened

CI = Path(__file__).parent.parent / ".ci"
ADDRESS = "https://example.org/book/"
in_browser = test_browser.pytestmark

PAGE = """\
<!doctype html><html lang="ja"><head><title>{0}</title>{1}</head>
<body><div><!-- book:versions --></div><main><!-- book:notice --><h1>{0}</h1></main></body></html>
"""
OWN = '<link rel="canonical" href="https://example.org/book/index.html" />\n'


def write(folder: Path, label: str, *names: str) -> Path:
    """Write a site."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGE.format(f"{label} {name}", OWN), encoding="utf-8")
    (folder / "style.css").write_text(label, encoding="utf-8")
    return folder


def pack(folder: Path, kept: Path, version: str) -> None:
    with tarfile.open(kept / f"{version}.tar.gz", "w:gz") as archive:
        archive.add(folder, ".")


class Site:
    """A whole site, with what it is made of."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.newest, self.kept = folder, folder / "html", folder / "versions"
        self.whole = folder / "site"
        self.kept.mkdir()
        write(self.newest, "main", "index.html", "if.html", "part/a b.html", "new.html")

    def keep(self, version: str, *names: str) -> None:
        pack(write(self.folder / version, version, *names), self.kept, version)

    def publish(self, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, CI / "publish.py", self.newest, self.kept, self.whole]
        return subprocess.run(
            command,
            env=os.environ | environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.whole.rglob("*") if path.is_file())
        return {path.relative_to(self.whole).as_posix(): path.read_bytes() for path in found}

    def page(self, name: str) -> BeautifulSoup:
        return BeautifulSoup((self.whole / name).read_text(encoding="utf-8"), "html.parser")

    def menu(self, name: str) -> dict[str, str]:
        """Where a page's menu leads, from the top of the whole."""
        links = self.page(name).select("nav[aria-label=版] li a")
        return {link.text: unquote(urljoin(f"/{name}", link["href"])[1:]) for link in links}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.keep("v1.9", "index.html", "if.html", "old.html")
    site.keep("v1.10", "index.html", "if.html", "part/a b.html")
    return site


def test_versions_lie_side_by_side_each_as_it_was_built(site):
    done = site.publish()
    assert done.returncode == 0, done.stderr
    assert set(site.files()) == {
        *("index.html", "if.html", "new.html", "part/a b.html", "style.css", "versions.json"),
        *("v1.9/index.html", "v1.9/if.html", "v1.9/old.html", "v1.9/style.css"),
        *("v1.10/index.html", "v1.10/if.html", "v1.10/part/a b.html", "v1.10/style.css"),
    }
    assert site.files()["style.css"] == b"main"
    assert site.files()["v1.9/style.css"] == b"v1.9"
    assert site.page("v1.10/part/a b.html").h1.text == "v1.10 part/a b.html"


def test_the_list_of_versions_has_the_newest_first(site):
    site.publish()
    assert json.loads((site.whole / "versions.json").read_text(encoding="utf-8")) == [
        {"version": "最新", "folder": "./"},
        {"version": "v1.10", "folder": "v1.10/"},
        {"version": "v1.9", "folder": "v1.9/"},
    ]


def test_the_menu_leads_to_the_same_page_or_else_to_the_first_one(site):
    site.publish()
    both = {"最新": "if.html", "v1.10": "v1.10/if.html", "v1.9": "v1.9/if.html"}
    assert site.menu("if.html") == site.menu("v1.9/if.html") == both
    assert list(site.menu("if.html")) == ["最新", "v1.10", "v1.9"]
    assert site.menu("v1.10/part/a b.html") == {
        "最新": "part/a b.html",
        "v1.10": "v1.10/part/a b.html",
        "v1.9": "v1.9/index.html",
    }
    assert site.page("v1.10/part/a b.html").nav.li.a["href"] == "../../part/a%20b.html"
    for name, label in (("if.html", "最新"), ("v1.10/if.html", "v1.10")):
        page = site.page(name)
        assert page.select_one("nav a[aria-current=true]").text == label
        assert page.select_one("nav summary").text == f"版: {label}"


def test_old_versions_say_so_and_the_others_do_not(site):
    site.publish()
    for name in ("if.html", "new.html", "v1.10/index.html", "v1.10/part/a b.html"):
        assert not site.page(name).select(".book-old"), name
    notice = site.page("v1.9/if.html").select_one("main .book-old")
    assert list(notice.stripped_strings) == [
        "これは古い版です",
        "v1.9の内容です。",
        "最新の版のこのページ",
        "をご覧ください。",
    ]
    assert notice.a["href"] == "../if.html"
    notice = site.page("v1.9/old.html").select_one(".book-old")
    assert "このページは、最新の版にはありません。" in notice.text
    assert notice.a["href"] == "../index.html"


@pytest.mark.parametrize(
    ("address", "name", "canonical"),
    [
        (ADDRESS, "index.html", f"{ADDRESS}index.html"),
        (ADDRESS, "v1.10/if.html", f"{ADDRESS}if.html"),
        (ADDRESS, "v1.9/if.html", f"{ADDRESS}if.html"),
        (ADDRESS, "v1.10/part/a b.html", f"{ADDRESS}part/a%20b.html"),
        (ADDRESS, "v1.9/old.html", f"{ADDRESS}v1.9/old.html"),
        ("", "v1.9/if.html", "../if.html"),
        ("", "v1.10/part/a b.html", "../../part/a%20b.html"),
    ],
)
def test_search_engines_are_shown_the_newest(site, address, name, canonical):
    site.publish(BOOK_URL=address)
    links = site.page(name).select("head link[rel=canonical]")
    assert [link["href"] for link in links] == [canonical]


def test_the_same_versions_make_the_same_site(site):
    site.publish(BOOK_URL=ADDRESS)
    first = site.files()
    for path in (*site.newest.rglob("*"), *site.kept.iterdir()):
        os.utime(path, (0, 0))
    site.publish(BOOK_URL=ADDRESS)
    assert site.files() == first


def test_an_update_of_main_leaves_the_versions_but_for_their_links(site):
    site.publish()
    before = site.files()
    write(site.newest, "main again", "index.html", "if.html")
    (site.newest / "new.html").unlink()
    site.publish()
    after = site.files()
    assert site.page("index.html").h1.text == "main again index.html"
    assert before.keys() - after.keys() == {"new.html"}
    for name in ("v1.9/old.html", "v1.10/if.html", "v1.9/style.css"):
        assert after[name] == before[name]


def test_a_new_version_makes_the_last_one_old(site):
    site.keep("v2.0", "index.html")
    site.publish()
    assert not site.page("v2.0/index.html").select(".book-old")
    assert site.page("v1.10/if.html").select(".book-old")
    assert list(site.menu("v1.9/if.html")) == ["最新", "v2.0", "v1.10", "v1.9"]


def test_a_version_that_is_taken_away_is_gone(site):
    site.publish()
    (site.kept / "v1.10.tar.gz").unlink()
    site.publish()
    assert not [name for name in site.files() if name.startswith("v1.10")]
    assert list(site.menu("index.html")) == ["最新", "v1.9"]
    assert not site.page("v1.9/if.html").select(".book-old")


def test_without_versions_the_site_is_as_it_was_built(site):
    for path in site.kept.iterdir():
        path.unlink()
    assert site.publish().returncode == 0
    del (files := site.files())["versions.json"]
    assert files == {
        path.relative_to(site.newest).as_posix(): path.read_bytes()
        for path in site.newest.rglob("*")
        if path.is_file()
    }


def outside(site: Site) -> None:
    with tarfile.open(site.kept / "v3.tar.gz", "w:gz") as archive:
        archive.add(site.newest / "index.html", "../../outside.html")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda site: (site.kept / "notes.txt").touch(), "are named like v1.2.tar.gz"),
        (lambda site: site.keep("v3", "other.html"), "has no index.html at its top"),
        (lambda site: write(site.newest / "v1.9", "", "x.html"), "a page or folder v1.9"),
        (lambda site: (site.kept / "v3.tar.gz").write_text("no archive"), "ReadError"),
        (outside, "OutsideDestinationError"),
    ],
)
def test_what_cannot_be_published_leaves_the_site_as_it_is(site, spoil, said):
    site.publish()
    before = site.files()
    spoil(site)
    done = site.publish()
    assert done.returncode == 1
    assert said in done.stderr
    assert site.files() == before
    assert not (site.folder.parent / "outside.html").exists()
    assert not (site.folder / "outside.html").exists()


@pytest.mark.parametrize("address", ["example.org", "https://example.org/book"])
def test_an_address_that_is_none_is_refused(site, address):
    done = site.publish(BOOK_URL=address)
    assert done.returncode == 1
    assert f"BOOK_URL is '{address}'" in done.stderr
    assert not site.whole.exists()


# ---- With the site itself ----


@pytest.fixture(scope="module")
def real(built_site, tmp_path_factory) -> Site:
    """The site itself, beside two versions of itself."""
    site = Site(tmp_path_factory.mktemp("published"))
    site.newest = built_site
    for version in ("v0.1", "v0.2"):
        pack(built_site, site.kept, version)
    done = site.publish(BOOK_URL=ADDRESS)
    assert done.returncode == 0, done.stderr
    return site


def test_every_page_has_the_menu_and_says_if_it_is_old(real, built_site):
    names = [path.name for path in built_site.glob("*.html")]
    assert len(names) > 20
    for name in names:
        assert set(real.menu(name)) == {"最新", "v0.2", "v0.1"}, name
        assert real.menu(f"v0.1/{name}")["最新"] == name
        for target in real.menu(f"v0.1/{name}").values():
            assert (real.whole / target).is_file()
        if name not in {"search.html", "404.html"}:
            assert len(real.page(f"v0.1/{name}").select("main .book-old")) == 1, name
    assert "book:versions" in (built_site / "index.html").read_text(encoding="utf-8")


@in_browser
@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_reader_goes_from_an_old_version_to_the_newest_and_back(browser, real, place, width):
    with ExitStack() as stack:
        if place == "file":
            address = f"{real.whole.as_uri()}/"
        else:
            address = f"{stack.enter_context(served(real.folder))}{real.whole.name}/"
        page = stack.enter_context(opened(browser, address, width=width))
        page.goto(f"{address}v0.1/if_model.html", wait_until="networkidle")
        notice = page.locator(".book-old")
        assert notice.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        notice.get_by_role("link").click()
        page.wait_for_url(f"{address}if_model.html")
        if width == PHONE:
            page.locator(".primary-toggle:visible").click()
        page.locator(".book-versions summary").click()
        page.locator(".book-versions").get_by_role("link", name="v0.1").click()
        page.wait_for_url(f"{address}v0.1/if_model.html")


# ---- What is gathered ----

GH = """\
#!/bin/sh
printf '%s\\n' "$*" >>calls
case "$1" in
  api) cat answers ;;
  release) [ ! -e fails ] && printf 'site of %s' "$3" >"$8" ;;
esac
"""


def release(tag: str, *assets: str, draft: bool = False) -> dict[str, object]:
    return {"tag_name": tag, "draft": draft, "assets": [{"name": name} for name in assets]}


@pytest.fixture
def gather(tmp_path):
    """Gather, with a stand-in for gh."""
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    answers = [
        [release("v1.2", "book.tar.gz", "other.zip"), release("v1.3", "book.tar.gz", draft=True)],
        [release("v1.1", "other.zip"), release("nightly", "book.tar.gz")],
        [release("v1.0", "book.tar.gz")],
    ]
    (tmp_path / "answers").write_text(json.dumps(answers))

    def gather():
        return subprocess.run(
            [sys.executable, CI / "gather.py", "versions"],
            cwd=tmp_path,
            env=os.environ | {"PATH": f"{gh.parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            check=False,
        )

    return gather


def test_sites_are_gathered_from_all_releases_that_have_one(gather, tmp_path):
    assert gather().returncode == 0
    kept = {path.name: path.read_text() for path in (tmp_path / "versions").iterdir()}
    assert kept == {"v1.2.tar.gz": "site of v1.2", "v1.0.tar.gz": "site of v1.0"}
    assert (tmp_path / "calls").read_text().splitlines() == [
        "api --paginate --slurp repos/{owner}/{repo}/releases",
        "release download v1.2 --pattern book.tar.gz --clobber --output versions/v1.2.tar.gz",
        "release download v1.0 --pattern book.tar.gz --clobber --output versions/v1.0.tar.gz",
    ]


def test_nothing_is_published_where_a_version_could_not_be_fetched(gather, tmp_path):
    (tmp_path / "fails").touch()
    assert gather().returncode == 1
