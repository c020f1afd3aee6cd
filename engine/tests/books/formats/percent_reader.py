"""Reads scripts whose cells are divided by `# %%`."""

from __future__ import annotations

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KERNEL = {"name": "python3", "display_name": "Python 3"}


def read(text):
    """Return the notebook that a script is."""
    cells = []
    for part in text.split("# %%")[1:]:
        if part.startswith(" [markdown]\n"):
            lines = part.removeprefix(" [markdown]\n").splitlines()
            source = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
            cells.append(new_markdown_cell(source.strip(), id=f"cell-{len(cells)}"))
        else:
            cells.append(new_code_cell(part.strip(), id=f"cell-{len(cells)}"))
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
