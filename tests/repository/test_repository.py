"""What the repository says about itself is true."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pages import FILES
from pybtex.database import parse_string

import bookproof
import snn_docs
from bookproof.page import is_page, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PROJECT, ENGINE_PROJECT = (
    tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["project"]
    for name in ("pyproject.toml", "engine/pyproject.toml")
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def files() -> list[Path]:
    """Return what git has or would take, or every file where there is no git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if shutil.which("git") and (ROOT / ".git").exists():
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        return sorted(ROOT / name for name in names.decode().split("\0")[:-1])
    made = {".venv", "node_modules", "_build", "__pycache__", ".git"}
    found = (path for path in ROOT.rglob("*") if path.is_file())
    return sorted(path for path in found if not made & set(path.relative_to(ROOT).parts))


def imports(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield every module that a file imports, also for a type alone, and what it takes of it."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, set()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module, {f"{module}.{alias.name}" for alias in node.names}


def modules() -> dict[str, Path]:
    """Return every module of the repository, by the name under which others import it."""
    homes = {ROOT: "snn_docs", ROOT / "engine": "bookproof"}
    homes |= dict.fromkeys((ROOT / f for f in ("docs/_ext", "tests", "engine/tests")), ".")
    homes |= dict.fromkeys(
        (ROOT / f for f in ("benchmarks", "docs/experiments", "docs/_data")), "."
    )
    found = {}
    for home, folder in homes.items():
        for path in sorted((home / folder).rglob("*.py")):
            parts = path.relative_to(home).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules of the repository that one imports."""
    names = set()
    for module, inner in imports(path):
        names |= inner & known.keys() or {module}
    return names & known.keys()


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = modules()
    assert {"snn_docs.neurons", "bookproof.kernels.start", "book.web.stylesheet"} <= known.keys()
    needs = {name: imported(path, known) - {name} for name, path in known.items()}
    TopologicalSorter(needs).prepare()  # raises CycleError, which names the circle


SITE = [ROOT / "conf.py", *sorted((ROOT / "docs" / "_ext").rglob("*.py"))]
FOREIGN = {
    "neurons": (sorted((ROOT / "snn_docs").glob("*.py")), {"bookproof"}),
    "engine": (sorted((ROOT / "engine" / "bookproof").rglob("*.py")), {"snn_docs", "torch"}),
    "site": (SITE, {"snn_docs", "bookproof"}),
}
"""What each part does without: the neurons know no engine, the engine no neuron."""


@pytest.mark.parametrize(("paths", "foreign"), FOREIGN.values(), ids=FOREIGN)
def test_no_part_knows_another(paths: list[Path], foreign: set[str]) -> None:
    used = {path.name: {name.split(".")[0] for name, _ in imports(path)} for path in paths}
    assert used
    assert not {name: found for name, names in used.items() if (found := names & foreign)}


def test_each_part_of_the_site_is_set_up() -> None:
    with_setup = [
        name.removeprefix("book.")
        for name, path in modules().items()
        if path in SITE[1:] and "\ndef setup(" in path.read_text(encoding="utf-8")
    ]
    assert sorted(importlib.import_module("book").PARTS) == sorted(set(with_setup) - {"book"})


def test_the_commands_that_are_documented_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    documented = set(re.findall(r"^([a-z]+):.*##", read("Makefile"), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:^|`)make ([a-z]+)", read(name), re.MULTILINE))
        assert named <= targets, name
    both = read("README.md") + read("CONTRIBUTING.md")
    assert documented - {"help"} <= set(re.findall(r"`make ([a-z]+)", both))


def test_the_plain_commands_are_those_of_the_makefile() -> None:
    lines = re.findall(r"^\.venv/bin/python (-m .+)$", read("README.md"), re.MULTILINE)
    (install, *plain) = lines
    assert install == '-m pip install -c constraints.txt -e "./engine[test]" -e ".[book,dev]"'
    makefile = read("Makefile").replace("$(or $(ARGS),docs)", "docs")
    (build,) = re.findall(r"^build = (.+)$", makefile, re.MULTILINE)
    for command in plain:
        assert command.removeprefix("-m pytest") in makefile.replace("$(build)", build), command


def test_the_examples_of_the_readme_print_what_it_says() -> None:
    readme = read("README.md")
    names: dict[str, object] = {}
    code = re.findall(
        r"^```(?:python|\{code-cell\} ipython3)\n(.*?)^```", readme, re.MULTILINE | re.DOTALL
    )
    expected = re.findall(
        r"^```(?:text|\{testoutput\})\n(.*?)^```", readme, re.MULTILINE | re.DOTALL
    )
    assert len(code) == len(expected) == 2
    for source, output in zip(code, expected, strict=True):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(source, names)
        assert printed.getvalue() == output


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", read(name)):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_one_version() -> None:
    version = snn_docs.__version__
    assert bookproof.__version__ == version
    assert re.search(rf"^version: {re.escape(version)}$", read("CITATION.cff"), re.MULTILINE)
    assert re.search(r"^## \[([^\]]+)\]", read("CHANGELOG.md"), re.MULTILINE)[1] == version
    assert runpy.run_path(str(ROOT / "conf.py"))["version"] == version


def test_the_site_is_cited_as_the_citation_file_says() -> None:
    cited = yaml.safe_load(read("CITATION.cff"))
    (block,) = re.findall(r"^```bibtex\n(.*?)^```", read("docs/about.md"), re.MULTILINE | re.DOTALL)
    entries = parse_string(block, "bibtex").entries
    book, article = entries["snn_docs"], entries["chizuchizu2022if"]
    source = cited["references"][0]
    plain = {key: value.replace("\\_", "_") for key, value in book.fields.items()}
    assert (plain["title"], plain["version"]) == (cited["title"], cited["version"])
    names = [str(person).strip("{}").replace("\\_", "_") for person in book.persons["author"]]
    assert names == [author["name"] for author in cited["authors"]]
    assert article.fields["title"] == source["title"]
    assert [str(person) for person in article.persons["author"]] == [source["authors"][0]["alias"]]
    months = {"09": "September"}
    year, month, _ = source["date-published"].split("-")
    assert (article.fields["year"], article.fields["month"]) == (year, months[month])


def test_one_range_of_pythons() -> None:
    classifiers = [line.rsplit(" ", 1)[-1] for line in PROJECT["classifiers"]]
    pythons = [name for name in classifiers if re.fullmatch(r"3\.\d+", name)]
    for project in (PROJECT, ENGINE_PROJECT):
        assert project["requires-python"] == f">={pythons[0]}"
    workflow = read(".github/workflows/test.yml")
    assert json.loads(re.search(r"python: (\[.*\])", workflow)[1]) == pythons
    assert f'python-version: "{pythons[0]}"' in workflow
    needed = ", ".join(pythons[0].split("."))
    assert f"sys.version_info < ({needed})" in read("Makefile")
    for place in ("Makefile", "README.md", "CONTRIBUTING.md"):
        floors = re.findall(r"Python (3\.\d+)(?:以降| or newer)", read(place))
        assert set(floors) == {pythons[0]}, place


@pytest.mark.parametrize("name", ["pyproject.toml", "engine/pyproject.toml"])
def test_every_dependency_has_an_oldest_version_and_a_reason(name: str) -> None:
    text = read(name)
    project = tomllib.loads(text)["project"]
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        for requirement in group:
            own_extras = requirement.startswith(f"{project['name']}[")
            assert own_extras or re.match(r"[\w.\[\]-]+>=\d", requirement), requirement
            assert re.search(rf'"{re.escape(requirement)}",? +# \w', text), requirement


def test_every_dependency_has_a_version_of_record_in_its_range() -> None:
    pins = [Requirement(line) for line in read("constraints.txt").splitlines() if line[0] != "#"]
    record = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(record) == len(pins)
    for project in (PROJECT, ENGINE_PROJECT):
        for group in (project["dependencies"], *project["optional-dependencies"].values()):
            for wanted in map(Requirement, group):
                if wanted.name not in {PROJECT["name"], ENGINE_PROJECT["name"]}:
                    assert record[canonicalize_name(wanted.name)] in wanted.specifier, wanted


@pytest.mark.parametrize(
    ("repository", "words"),
    [("", "この本のリポジトリ"), ("a/b", "[この本のリポジトリ](https://github.com/a/b)")],
)
def test_a_book_that_is_published_names_its_repository(monkeypatch, repository, words) -> None:
    monkeypatch.setenv("BOOK_REPOSITORY", repository)
    monkeypatch.setattr("sys.path", sys.path.copy())
    conf = runpy.run_path(str(ROOT / "conf.py"))
    assert conf["takeaway_repository"] == repository
    assert conf["myst_substitutions"] == {"repository": words}
    assert "{{ repository }}" in read("docs/about.md")
    pages = yaml.safe_load(read(".github/workflows/pages.yml"))
    assert pages["jobs"]["build"]["env"]["BOOK_REPOSITORY"] == "${{ github.repository }}"


def test_every_cell_that_needs_another_library_runs_in_an_environment_of_make_peers() -> None:
    extras = {
        extra: {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
        for extra, requirements in PROJECT["optional-dependencies"].items()
    }
    everywhere = extras["notebooks"]
    (others,) = re.findall("^others = (.+)$", read("Makefile"), re.MULTILINE)
    makefile = read("Makefile").replace("$(others)", others)
    checked = re.findall(r"\.venv-(\w+)/.* -m bookproof check (.+)", makefile)
    assert [environment for environment, _ in checked] == ["peers", "sinabs"]
    for path in FILES.values():
        for cell in read_page(path).cells if is_page(path) else ():
            needed, name = set(cell.requires) - everywhere, path.relative_to(ROOT).as_posix()
            assert not needed or any(
                needed <= extras[environment] and name in pages.split()
                for environment, pages in checked
            ), f"{name}:{cell.line}: {needed}"


def test_no_file_names_a_machine_or_a_registry() -> None:
    hosts = [
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "npmjs" + ".org",
        "download.pytorch" + ".org",
    ]
    homes = [r"/ho" + r"me/\w", r"/ro" + r"ot/\w", r"/Use" + r"rs/\w", r"[A-Z]:\\Use" + "rs"]
    unwanted = re.compile("|".join([*map(re.escape, hosts), *homes]))
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture, a font
        assert not (found := unwanted.search(text)), f"{path.relative_to(ROOT)}: {found[0]}"


def test_the_lock_of_the_node_tools_names_no_host() -> None:
    lock = json.loads(read("package-lock.json"))
    assert not [name for name, data in lock["packages"].items() if "resolved" in data]
    package = json.loads(read("package.json"))
    assert lock["packages"][""]["devDependencies"] == package["devDependencies"]
