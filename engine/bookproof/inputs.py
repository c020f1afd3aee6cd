"""What a page's outputs depend on, by what its code names: nothing is watched for that.

Names are the texts in its code, with their parts, and what it imports. They lead to files, to
folders with all that is in them, to what a pattern matches and to variables of the environment; the
code of a local module or script that is named names more, module by module. Each `Look` follows the
names anew, so what comes counts like what changes or goes.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import site
import stat
import sysconfig
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.inputtransformer2 import TransformerManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

MOST = 2000
"""Files of a folder that are counted: of a larger one, its names alone are."""
LARGE = 64 << 20
"""Bytes from which a file counts by its size and time."""
LONGEST = 1000
"""Letters of a text that may name a file."""
SYSTEM = ("/proc", "/sys", "/dev")
"""Folders that hold no files, but what the system says of itself."""
SKIPPED = {"__pycache__", "node_modules", "_build", "jupyter_execute"}
"""Folders that tools make and nobody reads; those whose names start with a dot are skipped too."""
UNNAMED = ("matplotlibrc",)
"""Files that a library reads in the folder where it runs, though no code names them."""
PREFIXES = ("CUDA_", "FORCE_COLOR", "KMP_", "LANG", "LC_", "LD_", "MPL", "NO_COLOR", "NPY_",
            "PYTHON", "PYTORCH_", "SOURCE_DATE_EPOCH", "TF_", "TZ")  # fmt: skip
"""How variables begin that Python, the system and libraries read for a page."""
WILD = re.compile(r"[*?\[]")
SEPARATORS = re.compile(r"[\s'\"?;:,=()<>|&]+")
SUFFIX = re.compile(r"\.[A-Za-z]\w{0,5}")
"""A text that is put behind a name: files that end so count beside the page."""
PLACEHOLDER = re.compile(r"%[-.\d]*[sdifg]|\{[^{}]*\}")
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass
class Names:
    """What some code names."""

    texts: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)


@dataclass
class Named:
    """Where the names of a page's code lead."""

    files: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    """The modules that are imported, by their first names."""


_transform: Callable[[str], str] = TransformerManager().transform_cell  # type: ignore[no-untyped-call]


@cache
def python_of(cell: str) -> str:
    """Return a cell as Python: magics and commands are calls there, with their texts."""
    with suppress(SyntaxError, ValueError):
        ast.parse(cell)
        return cell
    with suppress(SyntaxError):
        return _transform(cell)
    return cell


@cache
def names_of(code: str) -> Names:
    """Return what code names: its texts, with the parts of each, and what it imports."""
    found = Names()
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):  # it does not run, so it reads nothing
        return found
    nodes = list(ast.walk(tree))
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    found.modules.update(*map(_imported, nodes))
    for text in set().union(*(_texts(node) for node in nodes if node not in docstrings)):
        own = {text, PLACEHOLDER.sub("*", text), *SEPARATORS.split(text)}
        own |= {f"*{text}"} if SUFFIX.fullmatch(text) else set()
        found.texts |= {part for part in own if part.strip("./*\\ ")}
        found.words |= set(re.findall(r"\w+", text))
    return found


def _texts(node: ast.AST) -> set[str]:
    match node:
        case ast.Constant(str(text)):
            return {text}
        case ast.Constant(bytes(text)):
            return {os.fsdecode(text)}
        case ast.JoinedStr(parts):
            return {"".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in parts)}
    return set()


def _imported(node: ast.AST) -> set[str]:
    match node:
        case ast.Import(aliases):
            return {alias.name for alias in aliases}
        case ast.ImportFrom(module, aliases, level):
            home = "." * (level or 0) + (module or "")
            inner = home if home.endswith(".") else f"{home}."
            return {home, *(f"{inner}{alias.name}" for alias in aliases)}
    return set()


@cache
def installed_folders() -> tuple[str, ...]:
    """Return the folders of Python and of installed packages, which are known by their versions."""
    found = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple(dict.fromkeys([*found, *site.getsitepackages()]))


def package_folders() -> list[str]:
    """Return the folders of installed packages."""
    return [folder for folder in installed_folders() if folder.endswith("-packages")]


@cache
def editable_folders() -> tuple[str, ...]:
    """Return the folders outside of these that installed packages are imported from."""
    files = [file for folder in package_folders() for file in sorted(Path(folder).glob("*.pth"))]
    lines = [line for file in files for line in file.read_text(errors="replace").splitlines()]
    return tuple(line for line in lines if os.path.isabs(line) and os.path.isdir(line))


def is_local(file: str) -> bool:
    """Whether a file may change while Python and the installed packages stay the same."""
    return not any(is_below(file, folder) for folder in (*installed_folders(), *SYSTEM))


def is_below(file: str, folder: str) -> bool:
    """Whether a file is a folder or in it."""
    return file == folder or file.startswith(folder.rstrip(os.sep) + os.sep)


def variables(words: set[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that code names, or how they begin, and those that libraries read."""
    begin = [word for word in words if len(word) > 2 and (word.endswith("_") or word.isupper())]  # noqa: PLR2004
    prefixes = (*PREFIXES, *begin)
    # PYTHON alone is a Makefile's
    return {
        name: value for name, value in environ.items()
        if name in words or (name.startswith(prefixes) and name != "PYTHON")
    }  # fmt: skip


def is_followed(words: Sequence[str], folder: str) -> bool:
    """Whether each word of a command is a program, an option or a file, and one is a file."""
    parts = [part for word in words for part in SEPARATORS.split(word) if part]
    files = [part for part in parts[1:] if os.path.exists(os.path.join(folder, part))]
    rest = [part for part in parts if part not in files and not part.startswith("-")]
    return bool(files) and all(shutil.which(part) for part in rest)


_digests: dict[str, tuple[list[int], str]] = {}
"""By file, its sizes and times, and the digest that it had then."""


def digest(file: str) -> str:
    """Return what identifies the contents of a file, or the names in a folder."""
    try:
        about = os.stat(file)
        if stat.S_ISDIR(about.st_mode):
            listed = sorted(set(os.listdir(file)) - SKIPPED)
            return "folder " + hashlib.sha256("\n".join(listed).encode()).hexdigest()
        if not stat.S_ISREG(about.st_mode):
            return "special"
        key = [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
        if about.st_size >= LARGE:
            return f"large {key[:2]}"
        if _digests.get(file, ([], ""))[0] != key:
            _digests[file] = key, hashlib.sha256(Path(file).read_bytes()).hexdigest()
        # where a link leads, and whether a file may be run, a page may print
        return f"{_digests[file][1]} {about.st_mode:o} {os.path.realpath(file)}"
    except OSError:
        return ""


class Look:
    """One look at the file system, at which nothing is asked twice."""

    def __init__(self) -> None:
        self.walk, self.modules_in, self.digest = cache(_walked), cache(_modules_in), cache(digest)
        self.follow = cache(self._follow)

    def _follow(
        self, cells: tuple[str, ...], folder: Path, root: Path, path: tuple[str, ...] = ()
    ) -> Named:
        """Follow the names in the cells of a page in a folder.

        ``path`` has the other folders from which it can import.
        """
        here, found = str(folder), Named()
        found.files |= {file for name in UNNAMED if os.path.exists(file := f"{here}/{name}")}
        todo: list[tuple[str, str, tuple[str, ...]]]
        todo = [(python_of(cell), here, (here, str(root))) for cell in cells]
        while todo:
            code, own, bases = todo.pop()
            names = names_of(code)
            found.words |= names.words
            found.modules |= {name.partition(".")[0] for name in names.modules} - {""}
            named = [
                list(self.named(base, text))
                for base in dict.fromkeys(bases)
                for text in names.texts
                if base == bases[0] or re.search("[./]", text)  # else it may be any word
            ]
            scripts = {files[0] for files in named if len(files) == 1}
            for base in dict.fromkeys((own, here, *path)):
                scripts |= {file for name in names.modules for file in self.module(base, name)}
                scripts |= {
                    file for text in names.texts
                    if DOTTED.fullmatch(text) and (bases or "." in text)
                    # table.json is a file, not what the module table has
                    and not ("." in text and os.path.isfile(os.path.join(base, text)))
                    for file in self.module(base, text, text=True)
                }  # fmt: skip
            for file in scripts - found.files:
                if file.endswith(".py") and os.path.isfile(file):
                    place = os.path.dirname(file)
                    # what the texts of a package name, they name for whoever calls it
                    whole = os.path.exists(os.path.join(place, "__init__.py"))
                    text = Path(file).read_text(encoding="utf-8", errors="replace")
                    todo.append((text, place, () if whole else (place, here)))
            found.files |= scripts.union(*named)
        found.words |= {f"{name.upper()}_" for name in found.modules}
        return found

    def named(self, base: str, text: str) -> Iterator[str]:
        """Yield what a text names, seen from a folder: a file, a folder, or what it matches."""
        fixed = WILD.split(text)[0]
        if len(text) > LONGEST or "\0" in text:
            return
        place = os.path.normpath(os.path.join(base, os.path.expanduser(fixed)))
        if place.startswith(SYSTEM) or (fixed == text and place in {base, *_everyones()}):
            return
        if fixed == text and os.path.exists(place):
            yield from self.walk(place) if os.path.isdir(place) else [place]
        elif fixed == text and "/" not in text[:-1]:
            return
        elif "/" in fixed and os.path.isdir(
            folder := place if fixed.endswith("/") else os.path.dirname(place)
        ):
            # data/*.csv, f"data/{x}", "data/part_" + x: all there whose path begins like this
            pattern = os.path.normpath(os.path.join(base, os.path.expanduser(text)))
            for file in self.walk(folder) if folder != base else ():
                like = fixed == text or fnmatchcase(file, pattern)
                if (like and file.startswith(place)) or self.walk(folder) == [folder]:
                    yield file
        elif fixed != text and re.search(r"\w", WILD.sub("", text)) and re.search("[./]", text):
            with suppress(ValueError, NotImplementedError, OSError, IndexError):
                yield from map(str, islice(Path(base).glob(text), MOST))

    def module(self, base: str, name: str, *, text: bool = False) -> Iterator[str]:
        """Yield the files of a module that a folder has, and of the packages around it.

        What its code imports is followed later. A text may be any word: it names no bare folder.
        """
        if name.startswith("."):  # of the package that the module is in
            up = len(name) - len(name.lstrip("."))
            base = os.path.normpath(os.path.join(base, *[".."] * (up - 1)))
            name = name.lstrip(".")
        first, _, rest = name.partition(".")
        for file in self.modules_in(base).get(first, ()):
            if not file.endswith(os.sep):
                yield file
                continue
            package = os.path.exists(f"{file}__init__.py")
            if text and not package:
                continue
            if not package and not rest:
                yield from self.walk(file[:-1])
                continue
            data = (f for f in self.walk(file[:-1]) if not f.endswith(".py"))
            yield from data if package else ()
            yield from [f"{file}__init__.py"] if package else []
            yield from self.module(file[:-1], rest, text=text) if rest else ()


def _walked(folder: str) -> list[str]:
    """Return a folder, the folders in it and their files; only the folder if there are too many."""
    found = [] if folder in _everyones() else list(islice(_below(folder), MOST))
    return found if 0 < len(found) < MOST else [folder]


def _everyones() -> set[str]:
    """Return the folders in which too much is that is nobody's."""
    return {"/", tempfile.gettempdir(), os.path.expanduser("~")}


def _below(folder: str) -> Iterator[str]:
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
        yield place
        yield from (os.path.join(place, file) for file in sorted(files))


def _modules_in(folder: str) -> dict[str, list[str]]:
    """Return the modules of a folder, each with its files or its folder."""
    found: dict[str, list[str]] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name.partition(".")[0]
            if entry.is_dir() and name == entry.name and name not in SKIPPED:
                found.setdefault(name, []).append(entry.path + os.sep)
            elif entry.name.endswith((".py", ".so", ".pyd", ".pyc")):
                found.setdefault(name, []).append(entry.path)
    return found


def packages_of(modules: Iterable[str]) -> dict[str, str]:
    """Return the installed packages that have these modules, by their folders of records."""
    return {place: record(place) for name in modules for place in providers().get(name, ())}


def record(place: str) -> str:
    """Return what identifies an installed package: the hashes of its files, or its version."""
    files = (os.path.join(place, name) for name in ("RECORD", "METADATA", "PKG-INFO"))
    return next(filter(None, map(digest, files)), digest(place))


@cache
def providers() -> dict[str, set[str]]:
    """Return by module the folders of records of the packages that have it."""
    found: dict[str, set[str]] = {}
    for folder in package_folders():
        for info in Path(folder).glob("*-info"):
            for name in _tops(info):
                found.setdefault(name, set()).add(str(info))
    return found


def _tops(info: Path) -> Iterator[str]:
    """Yield the first names of a package's modules, by its record."""
    with suppress(OSError):
        for line in (info / "RECORD").read_text(encoding="utf-8").splitlines():
            first = line.partition(",")[0].split("/")[0]
            if not first.startswith((".", "__")) and not first.endswith(("-info", ".pth", ".egg")):
                yield first.partition(".")[0]
        return
    with suppress(OSError):
        yield from (info / "top_level.txt").read_text(encoding="utf-8").split()


def describe(place: str) -> str:
    """Name an installed package by its folder of records."""
    return os.path.basename(place).rpartition(".")[0].replace("-", " ")
