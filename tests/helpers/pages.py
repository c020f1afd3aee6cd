"""The pages of the book, by the names that Sphinx gives them: ``lif``, ``experiments/memory``."""

from __future__ import annotations

import ast
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
FILES = {
    path.relative_to(DOCS).with_suffix("").as_posix(): path
    for path in sorted(DOCS.rglob("*.md"))
    if not any(part.startswith("_") for part in path.relative_to(DOCS).parts)
}
PAGES = sorted(FILES)
MOVED: dict[str, str] = next(
    ast.literal_eval(node.value)
    for node in ast.parse((DOCS.parent / "conf.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "head_moved"
)
"""Old addresses, and the pages that they lead to."""
