"""The foreign books that the engine is tried on. The conf.py of each says what it is for."""

from __future__ import annotations

from pathlib import Path

BOOKS = Path(__file__).parent / "books"

# The kernels of the book `languages` are found here.
ENVIRONMENT = {"JUPYTER_PATH": str(BOOKS / "languages")}

# Another output in each run, and meant to be: times of the clock, and what is drawn without a seed.
UNSTABLE = {"lectures/status.md", "state/entropy.md"}


def books() -> list[Path]:
    """Return the folders of the books that are built without a warning."""
    return sorted(conf.parent for conf in BOOKS.glob("*/conf.py") if conf.parent.name != "broken")


def pages() -> list[Path]:
    """Return the sources of those books that print the same in each run, plain pages too."""
    found = sorted(path for book in books() for path in book.rglob("*"))
    sources = [path for path in found if path.suffix in {".md", ".ipynb", ".percent"}]
    return [path for path in sources if path.relative_to(BOOKS).as_posix() not in UNSTABLE]
