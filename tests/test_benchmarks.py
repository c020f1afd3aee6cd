"""Benchmarks keep what they measure in files that the book reads."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from book_project import cell, page

from snn_docs.book.settings import Settings

ROOT = Path(__file__).parents[1]
BENCHMARKS = ["build_time", "if_speed", "page_time", "train_speed"]
MACHINE = {"cpu", "cores", "system", "python", "torch", "date"}


@pytest.fixture
def load(monkeypatch):
    """Import a file of the folder benchmarks, as those files import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def record(load):
    return load("record")


def test_a_record_says_what_was_measured_and_where(record, tmp_path):
    path = record.save("speed", [{"other": "C", "ratio": 2.345678, "count": 12345}], tmp_path / "a")
    assert path == tmp_path / "a" / "speed.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert set(found["machine"]) == MACHINE
    assert found["rows"] == [{"other": "C", "ratio": 2.346, "count": 12345}]


def test_a_record_keeps_the_order_of_its_rows_one_a_line(record, tmp_path):
    rows = [{"z": 1, "a": [2, 3]}, {"z": None, "名": "膜"}]
    text = record.save("speed", rows, tmp_path).read_text(encoding="utf-8")
    assert '\n    {"z": 1, "a": [2, 3]},\n    {"z": null, "名": "膜"}\n' in text
    assert record.save("speed", rows, tmp_path).read_text(encoding="utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["speed.json"]


def test_a_machine_without_a_list_of_processors_has_a_name_too(record, monkeypatch, tmp_path):
    monkeypatch.setattr(record, "CPUINFO", tmp_path / "missing")
    assert record.machine()["cpu"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_record_of_the_book_is_whole(name):
    found = json.loads((ROOT / "docs" / "_data" / f"{name}.json").read_text(encoding="utf-8"))
    assert set(found) == {"machine", "rows"}
    assert set(found["machine"]) == MACHINE
    assert found["rows"]


def test_every_benchmark_can_be_recorded():
    for name in BENCHMARKS:
        text = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
        assert "record.add_option(parser)" in text
        assert f"record.save({name!r}, " in text


def test_the_time_of_a_page_is_that_of_its_cells(load, tmp_path, monkeypatch):
    page_time = load("page_time")
    monkeypatch.setattr(page_time, "find_settings", lambda _: Settings(modules=()))
    busy = "import time\nwhile time.process_time() < 1.5: pass"
    (tmp_path / "busy.md").write_text(page(cell("x = 1"), cell(busy)))
    (tmp_path / "idle.md").write_text(page(cell("x = 1")))
    first, second = page_time.page_rows([tmp_path / "busy.md", tmp_path / "idle.md"])
    assert (first["page"], first["cells"], second["cells"]) == ("busy", 2, 1)
    assert 0.5 < first["seconds"] < 2
    assert second["seconds"] < 0.5


def test_a_page_that_fails_stops_the_clock_and_is_told(load, tmp_path, monkeypatch):
    page_time = load("page_time")
    monkeypatch.setattr(page_time, "find_settings", lambda _: Settings(modules=()))
    (tmp_path / "page.md").write_text(page(cell("1 / 0")))
    with pytest.raises(SystemExit, match="the cell failed"):
        list(page_time.page_rows([tmp_path / "page.md"]))
