"""The folder that `make lab` opens: notebooks run there, and what a reader has changed stays."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from book.downloads.lab import lay_out
from nbclient import NotebookClient

DOCS = Path(__file__).parents[2] / "docs"


def test_what_a_reader_has_changed_is_never_written_over(tmp_path):
    download, docs, lab = (tmp_path / name for name in ("download", "docs", "lab"))
    for file in (download / "a.ipynb", download / "experiments/b.ipynb", docs / "matplotlibrc",
                 docs / "experiments/b.json", docs / "page.md"):  # fmt: skip
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("1")
    assert lay_out(download, docs, lab) == []
    found = {p.relative_to(lab).as_posix() for p in lab.rglob("*") if p.is_file()}
    assert found - {".laid_out.json"} == {
        "a.ipynb", "experiments/b.ipynb", "experiments/b.json", "matplotlibrc",
    }  # fmt: skip
    (lab / "a.ipynb").write_text("a reader's")
    for file in (download / "a.ipynb", download / "experiments/b.ipynb"):
        file.write_text("2")
    for _ in range(2):
        assert lay_out(download, docs, lab) == ["a.ipynb"]
        assert (lab / "a.ipynb").read_text() == "a reader's"
        assert (lab / "experiments/b.ipynb").read_text() == "2"
    (lab / "a.ipynb").unlink()
    assert lay_out(download, docs, lab) == []
    assert (lab / "a.ipynb").read_text() == "2"


@pytest.mark.slow
def test_notebooks_run_there(built_site, tmp_path):
    """One of the first pages, one that draws, and one that reads a record of an experiment."""
    assert not lay_out(built_site / "download", DOCS, tmp_path)
    for name in ("if_pytorch", "lif", "claims"):
        path = tmp_path / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata.kernelspec.name = "python3"
        client = NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}})
        client.execute()  # which raises what a cell raises
