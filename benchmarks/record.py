"""Keeps what a benchmark measured, and on which machine, for the book to show.

A record is a JSON file, beside its script if that is an experiment (docs/experiments), and else in
docs/_data: ``machine`` says where and when, ``libraries`` in which versions of what is compared,
``code`` by which code of this repository, ``rows`` what was measured.
``environment`` is there if it was made as the book's pages are run. ``python benchmarks/record.py``
tells which records were made by other code than there is now. An experiment with ``--again`` makes
one cheap row of its record once more, and fails if it is another.
"""

import argparse
import ast
import datetime as dt
import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bookproof.files import write_atomically

Row = dict[str, Any]  # what was measured, and the conditions, in plain words and numbers


ROOT = Path(__file__).resolve().parents[1]
EXPERIMENTS = ROOT / "docs" / "experiments"
SPEED = ROOT / "docs" / "_data"
OWN = (ROOT / "benchmarks", EXPERIMENTS, ROOT / "snn_docs")
"""Where the code lies that decides what is measured; this file decides only how it is kept."""
KEEPS = "benchmarks/record.py"
CPUINFO = Path("/proc/cpuinfo")
PINNED = False
"""Whether this program runs as the book's pages do."""
DIGITS = 4
"""Significant digits that are kept of a measurement: more of them are noise."""


def new_parser(told: str | None) -> argparse.ArgumentParser:
    """Return a benchmark's command line, on which it can be told to keep what it measures."""
    parser = argparse.ArgumentParser(
        description=told, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help="also keep the figures, for the book")
    parser.add_argument(
        "--again", action="store_true", help="make one cheap row of the record again, and compare"
    )
    return parser


def run(
    told: str | None,
    name: str,
    rows: Callable[[], Iterable[Row]],
    libraries: Iterable[str] = (),
    *,
    again: Callable[[Row], tuple[Row, Row]] | None = None,
) -> None:
    """Be a benchmark's command: print each row as soon as it is known, and keep all if told to.

    One thread, so that the bits are the same however many processors there are. ``again`` makes a
    part of a row again, if the whole first row takes long: it returns what is kept of it, and that.
    """
    options = new_parser(told).parse_args()
    torch.set_num_threads(1)
    if options.again:
        compare(name, *(again or (lambda row: (row, next(iter(rows())))))(kept(name)[0]))
        return
    keep(name, rows(), libraries, save_too=options.record)


def keep(name: str, rows: Iterable[Row], libraries: Iterable[str], *, save_too: bool) -> None:
    """Print each row as soon as it is known, and then write the record, if told to."""
    found = []
    for row in rows:
        sys.stdout.write(f"{_line(row)}\n")
        sys.stdout.flush()
        found.append(row)
    if save_too:
        save(name, found, libraries)


def _line(row: Row) -> str:
    """Return a row as it is kept."""
    return json.dumps(_rounded(row), ensure_ascii=False)


def compare(name: str, known: Row, found: Row) -> None:
    """Say whether a row that was made again is that of the record; if not, the program fails."""
    plain = json.loads(json.dumps(_rounded(found)))
    wrong = [key for key, value in known.items() if key in plain and not alike(value, plain[key])]
    if wrong or not known.keys() & plain.keys():
        told = "; ".join(f"{key} was {known[key]}, is {plain[key]}" for key in wrong)
        again = f"python docs/experiments/{name}.py --record"
        sys.exit(f"{name}: {told or 'another row'}. The record is behind; make it again: {again}")
    sys.stdout.write(f"{name}: as recorded\n")


def alike(known: Any, found: Any) -> bool:  # noqa: ANN401 - what JSON can hold
    """Compare figures: from 0 to 1 (accuracies) by their digits, others by sign and within two."""
    if isinstance(known, list) and isinstance(found, list):
        return len(known) == len(found) and all(map(alike, known, found))
    if isinstance(known, dict) and isinstance(found, dict):
        return known.keys() == found.keys() and all(alike(known[k], found[k]) for k in known)
    if isinstance(known, float) and isinstance(found, float) and not 0 <= known <= 1:
        return known * found > 0 and 0.5 <= found / known <= 2  # noqa: PLR2004 - a factor of two
    return bool(known == found)


def kept(name: str) -> list[Row]:
    """Return the rows of a record, each with what made it."""
    there = json.loads((home(name) / f"{name}.json").read_text(encoding="utf-8"))
    made = {key: there["machine"][key] for key in ("cpu", "torch", "date")}
    return [{"made": made, **row} for row in there["rows"]]


def is_pinned(name: str) -> bool:
    """Tell whether a record was made as the book's pages are run; what is not yet, will be."""
    path = home(name) / f"{name}.json"
    return not path.is_file() or "environment" in json.loads(path.read_text(encoding="utf-8"))


def home(name: str) -> Path:
    """Return the folder of a record: its experiment's, or that of what measures speed."""
    return EXPERIMENTS if (EXPERIMENTS / f"{name}.py").is_file() else SPEED


def save(
    name: str, rows: Sequence[Row], libraries: Iterable[str] = (), folder: Path | None = None
) -> Path:
    """Write a record: at once, so that none is ever half-written, and in the order of the rows."""
    folder = folder or home(name)
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    lines = ",\n".join(f"    {_line(row)}" for row in rows)
    about = json.dumps(machine(), ensure_ascii=False, indent=4).replace("\n}", "\n  }")
    versions = json.dumps({library: version(library) for library in libraries})
    code = json.dumps(loaded_code(), indent=4).replace("\n}", "\n  }")
    pinned = '\n  "environment": "book",' if PINNED else ""
    text = (
        f'{{\n  "machine": {about},{pinned}\n  "libraries": {versions},\n  "code": {code},\n'
        f'  "rows": [\n{lines}\n  ]\n}}\n'
    )
    write_atomically(path, text.encode())
    return path


def loaded_code() -> dict[str, str]:
    """Return, by file, what identifies the code of this repository that this program has loaded."""
    files = {Path(sys.argv[0]).resolve()}
    files |= {Path(file) for module in list(sys.modules.values()) if (file := source_of(module))}
    own = sorted(file for file in files if file.suffix == ".py" and set(OWN) & set(file.parents))
    named = {file.relative_to(ROOT).as_posix(): file for file in own}
    return {name: code_digest(file) for name, file in named.items() if name != KEEPS}


def source_of(module: object) -> str:
    """Return the file that a module was read from, if it was."""
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else ""


def code_digest(file: Path) -> str:
    """Return what identifies a program; comments, its layout and docstrings do not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                body[0] = ast.Pass()
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:12]


def changed_code(record: Row, root: Path = ROOT) -> list[str]:
    """Return the files whose code is not that which made a record."""
    made = {name: digest for name, digest in record.get("code", {}).items() if name != KEEPS}
    there = {name: (root / name).is_file() and code_digest(root / name) for name in made}
    return [name for name, digest in made.items() if there[name] != digest]


def tell() -> None:
    """Say of each record by which code it was made."""
    for path in sorted([*EXPERIMENTS.glob("*.json"), *SPEED.glob("*.json")]):
        found = json.loads(path.read_text(encoding="utf-8"))
        changed = changed_code(found)
        what = f"made by other code: {', '.join(changed)} changed" if changed else "as the code is"
        what = what if "code" in found else "made by code that it does not name"
        if path.parent == EXPERIMENTS and "environment" not in found:
            what += ", not as the book's pages are run"
        machine = found["machine"]
        sys.stdout.write(f"{path.name}: {machine['date']}, {machine['cpu']}: {what}\n")


def machine() -> Row:
    """Return where and when this runs."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def _cpu() -> str:
    """Return the processor's model, as the system calls it."""
    told = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    models = [line.partition(":")[2].strip() for line in told.splitlines() if "model name" in line]
    return next(iter(models), platform.processor() or platform.machine())


def _rounded(value: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    """Return a row, or a part of one, with the digits that say something."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    tell()
