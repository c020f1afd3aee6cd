"""Write where other projects document the names that the book's code uses: inventories/*.txt.

They are Sphinx inventories, in the first of its formats, which can be read and compared. A name is
in one only if it exists in the package as installed, and its page follows from a rule below. Run it
when a page begins to use another name: ``python docs/_data/inventories.py``. Nothing is fetched.
"""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from bookproof.page import is_page, read_page

DOCS = Path(__file__).parents[1]
FOLDER = Path(__file__).with_name("inventories")
sys.path.insert(0, str(DOCS / "_ext"))

from book.links.names import meanings  # noqa: E402  # One of the site's own extensions.

# For each project: rules, the first that fits the whole name tells its page; {0} is the name.
RULES = {
    "torch": {
        r"torch": "torch.html",
        r"torch\.(Tag|nn\.Parameter|Tensor\.dtype)": "",  # Documented elsewhere, or nowhere.
        r"torch\.(dtype|device)": "tensor_attributes.html",
        r"torch\.Tensor(\.T)?": "tensors.html",
        r"torch\.autograd\.(Function|graph\.saved_tensors_hooks)": "autograd.html",
        r"torch\.nn\.init\.\w+": "nn.init.html",
        r"torch\.utils\.checkpoint\.checkpoint": "checkpoint.html",
        r"torch\.backends\.cpu\.\w+": "backends.html",
        r"torch\.utils\.data\.\w+": "data.html",
        r"torch\.(nn\.utils(\.rnn)?|optim\.lr_scheduler)\.\w+": "generated/{0}.html",
        r"torch\.(nn\.parameter\.Parameter|autograd\.gradcheck\.gradcheck)": "generated/{0}.html",
        r"torch\.optim\.Optimizer\.\w+": "generated/{0}.html",
        r"(torch\.(?:(?:nn|optim)\.[A-Z]\w+|Generator))\.[a-z]\w+": "generated/{1}.html",
        r"torch\.((Tensor|autograd|cuda|func|nn|nn\.functional|optim)\.)?\w+": "generated/{0}.html",
    },
    "python": {
        r"builtins\.(str|list|dict|tuple|set|frozenset|range|bytes)": "library/stdtypes.html",
        r"builtins\.(str|dict)\.\w+": "library/stdtypes.html",
        r"builtins\.\w+(Error|Exception)": "library/exceptions.html",
        r"builtins\.[a-z]+": "library/functions.html",
        r"([a-z]+)": "library/{1}.html",
        r"importlib\.metadata(\.\w+)?": "library/importlib.metadata.html",
        r"collections\.abc\.\w+": "library/collections.abc.html",
        r"(?!builtins)([a-z]+)\..+": "library/{1}.html",
    },
    "numpy": {
        r"numpy": "reference/index.html",
        r"numpy\.float32": "reference/arrays.scalars.html",
        r"numpy\.(\w+|ndarray\.\w+)": "reference/generated/{0}.html",
    },
    "matplotlib": {
        r"matplotlib\.pyplot": "api/pyplot_summary.html",
        r"matplotlib\.(pyplot\.\w+|axes\.Axes(\.\w+)?)": "api/_as_gen/{0}.html",
        r"(matplotlib\.lines\.Line2D)(\.\w+)?": "api/_as_gen/{1}.html",
        r"(matplotlib\.figure\.Figure)(\.\w+)?": "api/figure_api.html",
    },
    "sklearn": {
        r"(sklearn\.\w+\.[A-Z]\w+)(\.\w+)?": "modules/generated/{1}.html",
        r"sklearn\.datasets\.load_\w+": "modules/generated/{0}.html",
    },
}
# Classes whose pages have what they inherit.
WITH_INHERITED = ("matplotlib.", "pathlib.", "sklearn.", "torch.Tensor.")
# What the package's docstrings name besides.
DOCSTRINGS = """
collections.abc.Callable collections.abc.Iterable collections.abc.Iterator collections.abc.Mapping
collections.abc.Sequence matplotlib.axes.Axes matplotlib.lines.Line2D os.PathLike pathlib.Path
torch.Generator torch.Tensor torch.autograd.Function torch.device torch.dtype torch.nn.Module
bool float int str tuple
"""


def found(name: str) -> tuple[Any, Any]:
    """Return what a name stands for, and what it is an attribute of."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            holder, value = None, import_module(".".join(parts[:count]))
        except ImportError:
            continue
        break
    else:
        count, holder, value = 0, None, import_module("builtins")
    for part in parts[count:]:
        holder, value = value, getattr(value, part)
    return holder, value


def kind(name: str) -> str:
    """Tell what a name is, in the words of Sphinx; nothing if it cannot be documented there."""
    try:
        holder, value = found(name)
    except AttributeError:
        return ""
    if inspect.isclass(holder):
        own = name.rpartition(".")[2] in vars(holder) or name.startswith(WITH_INHERITED)
        return ("method" if callable(value) else "attribute") if own else ""
    if inspect.isclass(value):
        return "exception" if issubclass(value, Exception) else "class"
    what = "mod" if isinstance(value, ModuleType) else "function" if callable(value) else "data"
    is_bare = what == "data" and name.partition(".")[0] not in sys.stdlib_module_names
    return "" if is_bare else what


def place(name: str) -> tuple[str, str]:
    """Return the project that documents a name, and its line there; nothing if none does."""
    root, what = name.partition(".")[0], kind(name)
    is_builtin = hasattr(builtins, root)
    project = "python" if is_builtin or root in sys.stdlib_module_names else root
    if not what or re.search(r"\._", name):
        return "", ""
    for rule, page in RULES.get(project, {}).items():
        if match := re.fullmatch(rule, f"builtins.{name}" if is_builtin else name):
            fits = page and not (what == "mod" and "{0}" in page)
            line = f"{name} {what} {page.format(name, *match.groups())}"
            return (project, line) if fits else ("", "")
    return "", ""


def used() -> list[tuple[str, ...]]:
    """List the names in the book's cells, each with all that it may be documented under."""
    pages = [read_page(path) for path in sorted(DOCS.rglob("[a-z]*.md")) if is_page(path)]
    cells = [
        span for page in pages for one in meanings([c.source for c in page.cells]) for span in one
    ]
    return [span.targets for span in cells] + [(name,) for name in DOCSTRINGS.split()]


def inventories() -> dict[str, str]:
    """Make the text of each project's inventory."""
    lines: dict[str, set[str]] = {project: set() for project in RULES}
    for targets in used():
        project, line = next(filter(all, map(place, targets)), ("", ""))
        if project:
            lines[project].add(line)
    head = "# Sphinx inventory version 1\n# Project: {}\n# Version: \n"
    return {
        name: head.format(name) + "".join(f"{x}\n" for x in sorted(lines[name])) for name in RULES
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for project, text in inventories().items():
        (FOLDER / f"{project}.txt").write_text(text, encoding="utf-8")
