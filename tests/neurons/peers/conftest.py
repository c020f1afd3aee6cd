"""The tests of a peer are collected where it is installed: the last word of a file names it."""

from importlib.util import find_spec
from pathlib import Path

collect_ignore = [
    path.name
    for path in Path(__file__).parent.glob("test_*.py")
    if find_spec(path.stem.rsplit("_", 1)[-1]) is None
]
