"""Keeps what a benchmark measured, and on which machine, for the book to show.

A record is a JSON file in docs/_data: ``machine`` says where and when, ``rows`` what was measured.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from snn_docs.book.files import write_atomically

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    Row = dict[str, Any]  # what was measured, and the conditions, in plain words and numbers

FOLDER = Path(__file__).parents[1] / "docs" / "_data"
CPUINFO = Path("/proc/cpuinfo")
DIGITS = 4
"""Significant digits that are kept of a measurement: more of them are noise."""


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark be told to keep what it measures."""
    parser.add_argument(
        "--record", action="store_true", help="also write the figures to docs/_data, for the book"
    )


def save(name: str, rows: Sequence[Row], folder: Path = FOLDER) -> Path:
    """Write a record: at once, so that none is ever half-written, and in the order of the rows."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    lines = ",\n".join(f"    {json.dumps(_rounded(row), ensure_ascii=False)}" for row in rows)
    about = json.dumps(machine(), ensure_ascii=False, indent=4).replace("\n}", "\n  }")
    text = f'{{\n  "machine": {about},\n  "rows": [\n{lines}\n  ]\n}}\n'
    write_atomically(path, text.encode())
    return path


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


def _rounded(row: Row) -> Row:
    return {
        key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for key, value in row.items()
    }
