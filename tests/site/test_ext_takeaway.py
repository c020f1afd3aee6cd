"""Pages to take away: what is downloaded reads well, and does what the page says."""

from __future__ import annotations

import asyncio
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import jupytext
import nbformat
import pytest
import yaml
from book.downloads.takeaway import FOLDER, cleaned
from nbclient import NotebookClient
from nbformat.v4 import new_output
from pages import FILES, PAGES
from sphinx_project import CELLS, EXTENSIONS, build, part_of

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
FRONT = {
    name: yaml.safe_load(path.read_text("utf-8").split("---")[1]) for name, path in FILES.items()
}
WITH_CODE = [name for name in PAGES if FRONT[name].get("file_format") == "mystnb"]
# What the book's own kernels run under: sums come out the same.
CONDITIONS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


@pytest.fixture(scope="module")
def folder(built_site) -> Path:
    return built_site / FOLDER


@cache
def notebook(folder: Path, name: str) -> nbformat.NotebookNode:
    return nbformat.read(folder / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)


@cache
def soup(site: Path, name: str) -> BeautifulSoup:
    """Read the menus and outputs of a page: pages are long, and all of them are kept."""
    return part_of(site / f"{name}.html", ["details", "div"], "takeaway|cell_output")


def at(name: str, link: str) -> str:
    """Return the place that a link on a page leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(link)))


def outputs(cells) -> list[nbformat.NotebookNode]:
    return [output for cell in cells for output in cell.get("outputs", [])]


def printed(cells) -> str:
    return "".join(output.text for output in outputs(cells) if output.output_type == "stream")


def sources(name: str) -> list[str]:
    """Take the cells' code out of a page's own file."""
    text = FILES[name].read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [
        re.sub(r"\A(---\n.*?\n---\n|(:[^\n]*\n)+\n?)", "", cell, flags=re.DOTALL) for cell in cells
    ]


def test_every_page_can_be_taken_away(folder):
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    pages = {name for name in files if not name.endswith(".json")}
    assert pages == {f"{name}.md" for name in PAGES} | {
        f"{name}.{kind}" for name in WITH_CODE for kind in ("ipynb", "py")
    }


@pytest.mark.parametrize("name", PAGES)
def test_the_source_is_the_page_itself(folder, name):
    assert (folder / f"{name}.md").read_bytes() == FILES[name].read_bytes()


@pytest.mark.parametrize("name", PAGES)
def test_the_menu_leads_to_the_files_of_its_page(built_site, name):
    page = soup(built_site, name)
    (menu,) = page.select("details.takeaway")
    assert menu.summary.text == "このページを持ち帰る"
    assert not menu.has_attr("open")
    links = {at(name, link["href"]): link for link in menu.select("a")}
    kinds = (".ipynb", ".py", ".md") if name in WITH_CODE else (".md",)
    records = [href for href in links if href.endswith(".json")]
    assert list(links) == [*(f"{FOLDER}/{name}{kind}" for kind in kinds), *records]
    for href, link in links.items():
        assert (built_site / href).is_file()
        assert link.has_attr("download")
        assert href.rpartition(".")[2] in link.text


FOLD = re.compile(r"<details><summary>(?!図の説明)(.*?)</summary>(.*?)\s*</details>", re.DOTALL)
"""A fold of text, which a script has open; what a figure shows is no fold of the page's."""


@pytest.mark.parametrize("name", WITH_CODE)
class TestNotebook:
    def test_is_valid_and_its_cells_are_named_the_same_each_time(self, folder, name):
        nbformat.validate(notebook(folder, name))
        ids = [cell.id for cell in notebook(folder, name).cells]
        assert ids == [f"{name.replace('/', '-')}-{n}" for n in range(1, len(ids) + 1)]

    def test_has_the_code_of_the_page(self, folder, name):
        code = [cell.source for cell in notebook(folder, name).cells if cell.cell_type == "code"]
        assert [text.strip() for text in code] == [text.strip() for text in sources(name)]

    def test_has_the_outputs_of_the_page(self, folder, built_site, name):
        page = soup(built_site, name)
        cells = notebook(folder, name).cells
        streams = page.select(".cell_output .output.stream pre")
        assert printed(cells) == "".join(pre.text for pre in streams)
        kinds = [
            kind
            for cell in cells
            for out in cell.get("outputs", [])
            for kind in out.get("data", {})
        ]
        assert kinds.count("image/svg+xml") == len(page.select(".cell_output svg"))

    def test_is_plain_markdown(self, folder, name):
        for cell in notebook(folder, name).cells:
            shown = [cell.source] if cell.cell_type == "markdown" else []
            shown += [
                out.data.get("text/markdown", "")
                for out in cell.get("outputs", [])
                if "data" in out
            ]
            for text in shown:
                prose = re.sub(r"^(`{3,}).*?^\1$|`[^`]+`", "", text, flags=re.MULTILINE | re.DOTALL)
                assert not re.search(r"\{[a-z:]+\}`|^:::|testoutput|^\([\w-]+\)=", prose), text

    def test_says_nothing_of_machine_or_moment(self, folder, name):
        text = (folder / f"{name}.ipynb").read_text(encoding="utf-8")
        assert str(ROOT) not in text
        assert "dc:date" not in text
        data = json.loads(text)
        assert set(data["metadata"]) == {"kernelspec", "language_info"}
        assert "version" not in data["metadata"]["language_info"]
        for cell in data["cells"]:
            assert set(cell["metadata"]) <= {"tags", "jupyter"}

    def test_figures_are_captioned_described_and_set_on_a_light_ground(self, folder, name):
        cells = notebook(folder, name).cells
        for cell, following in zip(cells, [*cells[1:], None], strict=True):
            for output in cell.get("outputs", []):
                if "image/svg+xml" not in output.get("data", {}):
                    continue
                assert following.source.startswith("**図")
                assert "<details><summary>図の説明</summary>" in following.source

    def test_script_has_the_same_prose_and_code(self, folder, name):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        compile(text, name, "exec")
        script = jupytext.reads(text, {"extension": ".py", "format_name": "percent"}).cells
        cells = notebook(folder, name).cells
        assert [cell.cell_type for cell in script] == [cell.cell_type for cell in cells]
        for ours, theirs in zip(cells, script, strict=True):
            if ours.cell_type == "code":
                assert theirs.source.removesuffix("\nplt.show()") == ours.source.strip("\n")
            else:
                folded = FOLD.sub(r"**\1**\2", ours.source)
                described = re.sub(r"\s*<details>.*?</details>", "", folded)
                assert theirs.source.strip() == described.strip()


# A build has run the pages' code: here, that it needs nothing else. One page writes files.
@pytest.mark.parametrize("name", ["heaviside", pytest.param("own_data", marks=pytest.mark.slow)])
def test_script_prints_what_the_page_says(folder, tmp_path, name):
    """It runs from its bytes, in a folder where nothing else is but the records that it reads."""
    environment = os.environ | CONDITIONS | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    script = (folder / f"{name}.py").read_bytes()
    (tmp_path / "page.py").write_bytes(script)
    records = {
        record.decode() for record in re.findall(rb"(?:_data|experiments)/\w+\.json", script)
    }
    for record in records:
        (tmp_path / record).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "docs" / record, tmp_path / record)
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed(notebook(folder, name).cells)
    left = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {"page.py", *records}


@pytest.mark.slow
def test_notebook_prints_what_the_page_says(folder, tmp_path, monkeypatch):
    name = "if_model"
    for key, value in CONDITIONS.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    anew = nbformat.reads((folder / f"{name}.ipynb").read_text("utf-8"), as_version=4)
    for cell in anew.cells:
        cell.pop("outputs", None)
    client = NotebookClient(anew, resources={"metadata": {"path": str(tmp_path)}})
    asyncio.run(client.async_execute())
    assert printed(anew.cells) == printed(notebook(folder, name).cells)
    kinds = [
        [set(out.data) for out in outputs(cells) if "data" in out]
        for cells in (anew.cells, notebook(folder, name).cells)
    ]
    assert kinds[0] == kinds[1]


def test_pages_that_need_the_repository_say_so(folder):
    for name in WITH_CODE:
        introduction = notebook(folder, name).cells[0].source
        place = "`docs/experiments`に置" if "/" in name else "`docs`に置"
        assert (place in introduction) == bool(FRONT[name].get("needs_repository"))
        assert "chizuchizu" in introduction
    needed = "`norse`、`sinabs`、`snntorch`、`spikingjelly`"
    assert needed in notebook(folder, "experiments/peers").cells[0].source


def test_records_that_a_page_reads_are_offered_beside_it(built_site, folder):
    """What reads files of the repository says so: nothing else runs the pages' scripts alone."""
    for name in WITH_CODE:
        links = [at(name, link["href"]) for link in soup(built_site, name).select(".takeaway a")]
        records = [Path(link) for link in links if link.endswith(".json")]
        introduction = notebook(folder, name).cells[0].source
        assert bool(records) == bool(FRONT[name].get("needs_repository")), name
        for record in records:
            ours = ROOT / "docs" / record.relative_to(FOLDER)
            assert (built_site / record).read_bytes() == ours.read_bytes()
            beside = os.path.relpath(record, Path(FOLDER, name).parent)
            assert f"`{beside}`" in introduction


def test_solutions_are_folded(folder):
    cells = notebook(folder, "if_model").cells
    folded = [n for n, cell in enumerate(cells) if "hide-cell" in cell.metadata.get("tags", [])]
    assert len(folded) == 2
    for n in folded:
        assert cells[n].metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}
        assert cells[n - 1].source.endswith("\n\n**解答**")


def test_errors_are_kept_without_the_way_through_this_machine():
    where = ["a file of this machine, line 3", "not so"]
    error = new_output("error", ename="ValueError", evalue="not so", traceback=where)
    assert cleaned(error).traceback == ["ValueError: not so"]


def test_drawings_do_not_say_when_they_were_drawn():
    svg = "<svg>\n <metadata>\n  <dc:date>2026</dc:date>\n </metadata>\n <g/>\n</svg>"
    said = {"needs_background": "light", "seconds": 0.1}
    output = cleaned(new_output("display_data", {"image/svg+xml": svg}, metadata=said))
    assert output.data["image/svg+xml"] == "<svg>\n <g/>\n</svg>"
    assert output.metadata == {"needs_background": "light"}


def test_drawings_do_not_say_which_bit_a_place_has():
    def drawing(clip, line="M 0 0"):
        svg = f'<svg><path d="{line}" clip-path="url(#{clip})"/><clipPath id="{clip}"/></svg>'
        return cleaned(new_output("display_data", {"image/svg+xml": svg})).data["image/svg+xml"]

    assert drawing("pd44a1da7c0") == drawing("p44a4e42a8e")
    clip = re.search(r"#(clip-\w+-0)", drawing("pd44a1da7c0"))[1]
    assert f'id="{clip}"' in drawing("pd44a1da7c0")
    assert clip not in drawing("pd44a1da7c0", "M 1 1")


# ---- Small books ----

DOWNLOADS = ("myst_nb", "bookproof", "book.downloads.takeaway")
BOOK = f"{CELLS}# 題\n\n前\n\n```{{code-cell}} ipython3\nprint(1)\n```\n\n後\n"
SETTINGS = (
    'nb_execution_mode = "force"\nproject = "本"\ntakeaway_requirement = "pack[extra]"\n'
    'templates_path = ["templates"]\n'
)
TEMPLATE = (EXTENSIONS / "downloads" / "templates" / "takeaway.html").read_text(encoding="utf-8")


@pytest.fixture
def small(tmp_path):
    """Build a small book whose pages have the menu."""
    templates = tmp_path / "docs" / "templates"
    templates.mkdir(parents=True)
    (templates / "layout.html").write_text(
        '{% extends "!layout.html" %}{% block footer %}{% include "takeaway.html" %}{% endblock %}',
        encoding="utf-8",
    )
    (templates / "takeaway.html").write_text(TEMPLATE, encoding="utf-8")

    def make(pages: dict[str, str], settings: str = ""):
        built = build(tmp_path, pages, *DOWNLOADS, settings=SETTINGS + settings)
        assert built.code == 0, built.messages
        return built

    return make


def cells_of(built, name: str = "index"):
    return nbformat.read(built.folder / FOLDER / f"{name}.ipynb", as_version=4).cells


def test_without_a_repository_nothing_leads_to_colab(small):
    built = small({"index.md": BOOK})
    assert "colab" not in built.html()
    assert [cell.source for cell in cells_of(built) if cell.cell_type == "code"] == ["print(1)"]
    assert '`pip install ".[extra]"`' in cells_of(built)[0].source


def test_with_a_repository_notebooks_open_in_colab_and_install_what_they_need(small):
    local = BOOK.replace("file_format", "needs_repository: true\norphan: true\nfile_format")
    pages = {
        "index.md": BOOK,
        "local.md": local,
        "prose.md": "---\norphan: true\n---\n# 文\n\n文\n",
    }
    built = small(pages, 'takeaway_repository = "someone/book"\n')
    first = built.page().select_one(".takeaway li a")
    colab = "https://colab.research.google.com/github/someone/book/blob/notebooks/index.ipynb"
    assert first["href"] == colab
    assert first.text == "Google Colabで開く"
    code = [cell.source for cell in cells_of(built) if cell.cell_type == "code"]
    install = '%pip install --quiet "pack[extra] @ git+https://github.com/someone/book"'
    assert code == [install, "print(1)"]
    assert "次のセルから" in cells_of(built)[0].source
    script = (built.folder / FOLDER / "index.py").read_text(encoding="utf-8")
    assert f"\n# {install}\n" in script
    for name in ("local", "prose"):
        assert "colab" not in built.html(name)
    assert "%pip" not in (built.folder / FOLDER / "local.ipynb").read_text(encoding="utf-8")


def test_records_are_those_that_cells_name_and_that_are_there(small, tmp_path):
    data = tmp_path / "docs" / "_data"
    data.mkdir()
    for name in ("read.json", "other.json"):
        (data / name).write_text(f'"{name}"', encoding="utf-8")
    built = small({"index.md": BOOK.replace("print(1)", 'files = "_data/read.json", "made.json"')})
    links = {link.text: link["href"] for link in built.page().select(".takeaway a")}
    assert links["記録（read.json）"] == f"{FOLDER}/_data/read.json"
    assert (built.folder / FOLDER / "_data/read.json").read_text(encoding="utf-8") == '"read.json"'
    assert [path.name for path in (built.folder / FOLDER / "_data").iterdir()] == ["read.json"]
    assert "`_data/read.json`も" in cells_of(built)[0].source


def test_a_page_in_a_folder_is_taken_away_with_the_record_beside_it(small, tmp_path):
    (tmp_path / "docs" / "part").mkdir()
    (tmp_path / "docs" / "part" / "a.json").write_text("1", encoding="utf-8")
    page = BOOK.replace("print(1)", 'file = "a.json"')
    local = page.replace("file_format", "needs_repository: true\norphan: true\nfile_format")
    built = small({"index.md": BOOK, "part/a.md": local})
    menu = built.page("part/a").select(".takeaway a")
    links = {link["href"].removeprefix(f"../{FOLDER}/part/") for link in menu}
    assert links == {"a.ipynb", "a.py", "a.md", "a.json"}
    assert all((built.folder / FOLDER / "part" / name).is_file() for name in links)
    first = cells_of(built, "part/a")[0]
    assert "本のリポジトリの`docs/part`に置き" in first.source
    assert "`a.json`も" in first.source
    assert first.id == "part-a-1"


def test_with_an_address_references_lead_to_the_site(small):
    pages = {
        "index.md": BOOK.replace("前", "{doc}`other`"),
        "other.md": "---\norphan: true\n---\n# 他\n",
    }
    assert "「他」" in cells_of(small(pages))[0].source
    built = small(pages, 'html_baseurl = "https://example.org/book/"\n')
    assert "[他](https://example.org/book/other.html)" in cells_of(built)[0].source


def test_books_are_offered_when_they_were_made_and_only_then(small, tmp_path):
    (tmp_path / "book.epub").write_text("the book", encoding="utf-8")
    pages = {"index.md": BOOK}
    named = [str(tmp_path / name) for name in ("book.epub", "book.pdf")]
    built = small(pages, f"takeaway_books = {named!r}\n")
    links = {link.text: link["href"] for link in built.page().select(".takeaway a")}
    assert links["本全体（EPUB）"] == f"{FOLDER}/book.epub"
    assert "本全体（PDF）" not in links
    assert (built.folder / FOLDER / "book.epub").read_text(encoding="utf-8") == "the book"
    assert "本全体" not in small(pages).html()


def test_what_cannot_be_written_fails_the_build(tmp_path):
    page = BOOK.replace("前", "````{eval-rst}\n| 行\n````")
    built = build(tmp_path, {"index.md": page}, *DOWNLOADS, settings=SETTINGS)
    assert built.code == 1
    assert re.search(r"index\.md:\d+: WARNING: a line_block has no form", built.messages)


def test_drawings_are_shown_by_the_script_where_the_notebook_shows_them(small):
    draw = "import matplotlib.pyplot as plt\nplt.plot([0, 1]);"
    page = BOOK.replace("print(1)", draw).replace(
        "ipython3\n", "ipython3\n:tags: [hide-input]\n\n", 1
    )
    built = small({"index.md": page + "```{code-cell}\nplt.close()\n```\n"})
    script = (built.folder / FOLDER / "index.py").read_text(encoding="utf-8")
    assert f"\n{draw}\nplt.show()\n" in script
    assert script.count("plt.show()") == 1
    (first, _) = [cell for cell in cells_of(built) if cell.cell_type == "code"]
    assert first.metadata.jupyter == {"source_hidden": True}
