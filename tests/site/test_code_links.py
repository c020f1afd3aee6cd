"""Each name of a package in the book's cells leads to its documentation, or is known not to."""

from __future__ import annotations

import ast
import builtins
import importlib
import posixpath
import re
import sys
import types
from typing import TYPE_CHECKING

import pytest
from pages import DOCS, FILES
from sphinx_project import opening, part_of, script

from bookproof.page import is_page, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = [name for name, path in FILES.items() if is_page(path)]
LINKED = {"snn_docs", "torch", "numpy", "matplotlib", "sklearn"}
# What leads nowhere, or no farther than to what stands before its last dot, and why.
UNDOCUMENTED = {
    "snn_docs": "the package itself: all of the API is about it",
    "snn_docs.__version__": "a constant that needs no words",
    "snn_docs.Heaviside.apply": "how torch calls any of its functions: the function is linked",
    "snn_docs.nir.RESET": "the name of an entry, explained where it is used",
    "bookproof": "the engine: its command line documents it, not the book's API",
    "torch.Tag.pointwise": "torch documents its tags as one",
    "torch.inf": "torch documents it nowhere",
    "torch.nan": "torch documents it nowhere",
    "torch.utils._python_dispatch": "torch keeps it to itself",
    "torch.utils.flop_counter": "torch documents it nowhere",
}


def imported(tree: ast.AST) -> dict[str, str]:
    """Map the names that imports bring to what they stand for."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                known[alias.asname or name] = name
        elif isinstance(node, ast.ImportFrom):
            taken = {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
            known |= taken
    return known


def redefined(tree: ast.AST) -> set[str]:
    """List the names that a page gives a meaning of its own."""
    nodes = list(ast.walk(tree))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    made = {n.name for n in nodes if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    return stored | made | {n.arg for n in nodes if isinstance(n, ast.arg)}


def dotted(node: ast.AST) -> Iterator[list[str]]:
    """Yield names with all their dots, except those in f-strings, whose place is not known."""
    parts: list[str] = []
    root = node
    while isinstance(root, ast.Attribute):
        parts.insert(0, root.attr)
        root = root.value
    if isinstance(root, ast.Name):
        yield [root.id, *parts]
    elif not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from dotted(child)


def thing(target: str) -> object:
    """Return what an imported name, or a built-in one, stands for."""
    if target in vars(builtins):
        return vars(builtins)[target]
    try:
        return importlib.import_module(target)
    except ImportError:
        module, _, name = target.rpartition(".")
        return getattr(importlib.import_module(module), name)


def resolved(parts: list[str], target: str) -> tuple[str, str]:
    """Cut a dotted name where what is in a package ends, and what belongs to a value begins."""
    value = thing(target)
    for count, part in enumerate(parts[1:], 1):
        if not isinstance(value, types.ModuleType | type) or not hasattr(value, part):
            return ".".join(parts[:count]), target
        value, target = getattr(value, part), f"{target}.{part}"
    return ".".join(parts), target


def is_ours(target: str) -> bool:
    root = target.partition(".")[0]
    return root in LINKED | sys.stdlib_module_names or target in vars(builtins)


def is_documented(target: str) -> bool:
    inside = (name for name in UNDOCUMENTED if name != "snn_docs")
    return target not in UNDOCUMENTED and not any(target.startswith(f"{x}.") for x in inside)


@pytest.mark.slow  # each page is read whole
@pytest.mark.parametrize("name", PAGES)
def test_each_name_of_a_package_is_a_link(built_site, name):
    page = part_of(built_site / f"{name}.html", "div", "cell_input")
    linked = {
        code.text.rstrip("\n"): {link.text.lstrip("@") for link in code.select("a.code-link")}
        for code in page.select(".cell_input pre")
    }
    cells = [cell.source for cell in read_page(FILES[name]).cells if cell.source in linked]
    trees = [ast.parse(re.sub(r"^\s*[%!].*", "", cell, flags=re.MULTILINE)) for cell in cells]
    known = dict.fromkeys(vars(builtins)) | imported(ast.Module([*trees], []))
    own = set().union(*map(redefined, trees))
    missing = set()
    for cell, tree in zip(cells, trees, strict=True):
        for parts in dotted(tree):
            root = parts[0]
            if root not in known or root in own or not is_ours(known[root] or root):
                continue
            shown, target = resolved(parts, known[root] or root)
            if is_documented(target) and shown not in linked[cell]:
                missing.add((shown, target))
    assert not missing


def test_what_leads_nowhere_does_not():
    """A name that is documented by now is no exception any more."""
    lines = "".join(path.read_text("utf-8") for path in (DOCS / "_data/inventories").glob("*.txt"))
    assert lines
    for name in UNDOCUMENTED:
        assert f"\n{name} " not in lines, name


def test_the_inventories_are_those_of_the_cells():
    """If this fails, run docs/_data/inventories.py, and read the difference."""
    made = script(DOCS / "_data" / "inventories.py").inventories()
    for project, text in made.items():
        kept = (DOCS / "_data" / "inventories" / f"{project}.txt").read_text(encoding="utf-8")
        assert kept == text, project


def test_links_in_code_lead_to_five_projects_and_the_api(built_site):
    hosts = set()
    for name in PAGES:
        for link in opening(built_site / f"{name}.html", "a", "code-link").select("a.code-link"):
            place, _, anchor = link["href"].partition("#")
            assert anchor, link
            ours = "://" not in place
            place = posixpath.basename(place) if ours else place
            hosts.add(place if ours else place.split("/")[2])
            assert ("noopener" in link.get("rel", [])) != ours
    assert hosts == {
        *("api_neurons.html", "api_extended_neurons.html"),
        *("api_surrogates.html", "api_networks.html"),
        *("docs.python.org", "docs.pytorch.org"),
        *("matplotlib.org", "numpy.org", "scikit-learn.org"),
    }
