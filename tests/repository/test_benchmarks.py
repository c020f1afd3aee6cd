"""Benchmarks keep what they measure in files that the book reads."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import myst_nb
import pytest
import torch
from book_project import cell, page

import bookproof
from bookproof.settings import Settings

ROOT = Path(__file__).parents[2]
RECORDS = {
    path.stem: path
    for folder in ("docs/experiments", "docs/_data")
    for path in sorted((ROOT / folder).glob("*.json"))
}
SCRIPTS = {
    name: path.with_suffix(".py")
    if path.parent.name == "experiments"
    else ROOT / "benchmarks" / f"{name}.py"
    for name, path in RECORDS.items()
}
MACHINE = {"cpu", "cores", "system", "python", "torch", "date"}


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark or an experiment, as those files import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "experiments"))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def record(load):
    return load("record")


def test_a_record_says_what_was_measured_and_where(record, tmp_path):
    rows = [{"other": "C", "ratio": 2.345678, "count": 12345, "runs": [0.123456, 7]}]
    path = record.save("speed", rows, ["torch"], folder=tmp_path / "a")
    assert path == tmp_path / "a" / "speed.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert set(found["machine"]) == MACHINE
    assert found["libraries"] == {"torch": version("torch")}
    assert found["rows"] == [{"other": "C", "ratio": 2.346, "count": 12345, "runs": [0.1235, 7]}]


def test_a_record_keeps_the_order_of_its_rows_one_a_line(record, tmp_path):
    rows = [{"z": 1, "a": [2, 3]}, {"z": None, "名": "膜"}]
    text = record.save("speed", rows, folder=tmp_path).read_text(encoding="utf-8")
    assert '\n    {"z": 1, "a": [2, 3]},\n    {"z": null, "名": "膜"}\n' in text
    assert record.save("speed", rows, folder=tmp_path).read_text(encoding="utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["speed.json"]


def test_a_record_names_the_code_that_made_it(record, load, tmp_path):
    load("speech")
    path = record.save("speed", [], folder=tmp_path)
    code = json.loads(path.read_text(encoding="utf-8"))["code"]
    assert {"docs/experiments/speech.py", "snn_docs/neurons.py"} <= set(code)


def test_a_record_whose_code_has_changed_is_told_of(record, tmp_path):
    (tmp_path / "a.py").write_text(
        '"""Old."""\nx = 1\n\n\ndef f():\n    """Say so."""\n    return x\n'
    )
    made = {"code": {"a.py": record.code_digest(tmp_path / "a.py")}}
    (tmp_path / "a.py").write_text(
        '"""New."""\nx = 1  # one\ndef f():\n    """Say."""\n    return x\n'
    )
    assert record.changed_code(made, tmp_path) == []
    (tmp_path / "a.py").write_text('"""New."""\nx = 2\ndef f():\n    """Say."""\n    return x\n')
    assert record.changed_code(made, tmp_path) == ["a.py"]
    (tmp_path / "a.py").unlink()
    assert record.changed_code(made, tmp_path) == ["a.py"]


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_of_the_book_is_whole(name):
    found = json.loads(RECORDS[name].read_text(encoding="utf-8"))
    assert {"machine", "libraries", "rows"} <= set(found)
    assert set(found) <= {"machine", "environment", "libraries", "code", "rows"}
    assert set(found["machine"]) == MACHINE
    assert found["rows"]


@pytest.mark.parametrize("told", [[], ["--record"]])
def test_a_benchmark_shows_its_rows_and_keeps_them_if_told_to(
    record, monkeypatch, tmp_path, capsys, told
):
    monkeypatch.setattr("sys.argv", ["speed.py", *told])
    monkeypatch.setattr(record, "save", functools.partial(record.save, folder=tmp_path))
    threads = torch.get_num_threads()
    record.run("How fast?", "speed", lambda: [{"a": 1}, {"a": 2.345678}])
    torch.set_num_threads(threads)
    assert capsys.readouterr().out.startswith('{"a": 1}\n{"a": 2.346}\n')
    assert [file.name for file in tmp_path.iterdir()] == (["speed.json"] if told else [])


def test_how_a_record_is_kept_is_not_what_made_it(record, tmp_path):
    assert record.KEEPS not in record.loaded_code()
    assert record.changed_code({"code": {record.KEEPS: "0"}}, tmp_path) == []


def test_who_gives_other_gradients_is_not_compared(load, monkeypatch):
    """The same spikes are not enough: another derivative is another computation."""
    if_speed = load("if_speed")
    monkeypatch.setitem(if_speed.CAN, "peer", {"zero, triangle", "zero, arctan"})
    triangle = if_speed.article(if_speed.CASES["zero, triangle"])
    monkeypatch.setattr(if_speed, "theirs", lambda _name, _rule: triangle)
    assert "peer" in if_speed.contenders_for("zero, triangle", None, ["peer"])
    assert "peer" not in if_speed.contenders_for("zero, detached", None, ["peer"])
    with pytest.raises(SystemExit, match="peer does not give the same gradients: zero, arctan"):
        if_speed.contenders_for("zero, arctan", None, ["peer"])


def test_a_network_that_gives_another_loss_is_not_compared(load):
    network_speed = load("network_speed")
    case = network_speed.CASES["connected"]
    found = network_speed.contenders(case, 4, [])
    assert {who for who, _ in found} == {"ours", "relu", "one pass"}
    with pytest.raises(SystemExit, match="relu, layers, does not give the same loss"):
        network_speed.contenders(case, 4, ["relu"])


def test_a_network_with_another_derivative_is_not_compared(load):
    network_speed = load("network_speed")
    case = network_speed.CASES["connected"]
    inputs, labels = torch.ones(4, 2, 784), torch.tensor([0, 1])
    one, same, other = (
        network_speed.Contender(network_speed.ours(case, *rule), inputs, labels)
        for rule in [(), (), (network_speed.RULES["norse"],)]
    )
    network_speed.check("the same", one, same)
    with pytest.raises(SystemExit, match="other, does not give the same gradients"):
        network_speed.check("other", one, other)


def test_a_factor_in_front_of_all_weights_does_not_show_in_the_slopes(load):
    network_speed = load("network_speed")
    layer = torch.nn.Linear(3, 2)
    inputs, labels = torch.rand(4, 5, 3), torch.zeros(5, dtype=torch.long)
    plain = network_speed.Contender(layer, inputs, labels).slopes()
    network_speed.weigh([layer, network_speed.Neurons()], 4.0)
    weighed = network_speed.Contender(layer, inputs / 4, labels)
    with torch.no_grad():
        layer.bias.div_(4)
    torch.testing.assert_close(weighed.slopes(), plain)


def test_the_faster_arrangement_of_a_library_counts(load, monkeypatch):
    network_speed = load("network_speed")
    monkeypatch.setattr(network_speed, "TURN", 0)
    case = network_speed.CASES["recurrent"]
    rows = list(network_speed.compared(network_speed.contenders(case, 4, []), rounds=1))
    assert [(row["pass"], row["who"]) for row in rows] == [
        (each, who) for each in ("training", "inference") for who in ("ours", "relu")
    ]
    assert rows[0]["ratio"] == 1
    assert rows[0]["mib"] > 0


def test_all_take_turns_and_ratios_count_within_a_round(load):
    clock = load("clock")
    now = iter(range(100))
    turns = []
    works = {name: lambda name=name: turns.append(name) for name in "ab"}
    times = clock.rounds_of(works, 2, at_least=2, turn=0, clock=lambda: next(now))
    assert turns == list("aabbaabb")
    assert times == {"a": [1, 1], "b": [1, 1]}
    found = clock.ratios([2.0, 9.0, 8.0], [1.0, 3.0, 1.0])
    assert found == {"ratio": 3.0, "least": 2.0, "most": 8.0}
    steps = iter([0, 1, 0, 3])
    assert clock.rounds_of({"a": lambda: None}, 1, 1, 4, lambda: next(steps)) == {"a": [2]}


def test_what_noise_spoils_is_measured_again(load, monkeypatch):
    if_speed = load("if_speed")
    rounds = [{"ours": [1.0, 1.0], "peer": [2.0, 7.0]}, {"ours": [1.0, 1.0], "peer": [2.0, 4.0]}]
    monkeypatch.setattr(if_speed.clock, "rounds_of", lambda *_, **__: rounds.pop(0))
    assert if_speed.steady({}) == {"peer": {"ratio": 3.0, "least": 2.0, "most": 4.0}}
    assert not rounds


def test_no_ratio_of_the_book_is_noise():
    found = json.loads((ROOT / "docs" / "_data" / "if_speed.json").read_text(encoding="utf-8"))
    rows = [row for row in found["rows"] if row["kind"] == "speed"]
    assert rows
    assert not [row for row in rows if row["most"] > 3 * row["least"]]


def test_calls_are_the_operations_of_the_way_there_and_back(load):
    ways = load("ways")
    inputs = torch.rand(3, 4, requires_grad=True)

    def twice(inputs: torch.Tensor) -> torch.Tensor:
        return (inputs[1:] * 2).exp()  # the slice only looks at the inputs in another way

    def there(*, gradient: bool) -> int:
        return ways.count_calls(twice, inputs, gradient=gradient)

    assert there(gradient=False) == len(["mul", "exp"])
    forward = ["mul", "exp", "sum"]
    back = ["ones_like", "mul", "mul", "slice_backward"]  # of exp and of mul; expand is a view
    assert there(gradient=True) == len(forward + back)


def test_the_time_of_a_page_is_that_of_its_cells(load, tmp_path, monkeypatch):
    page_time = load("page_time")
    monkeypatch.setattr(page_time, "find_settings", lambda _: Settings(modules=()))
    busy = "import time\nwhile time.process_time() < 1.5: pass"
    (tmp_path / "busy.md").write_text(page(cell("x = 1"), cell(busy)))
    (tmp_path / "idle.md").write_text(page(cell("x = 1")))
    first, second = page_time.page_rows([tmp_path / "busy.md", tmp_path / "idle.md"])
    assert (first["page"], second["page"]) == ("busy", "idle")
    assert 0.5 < first["seconds"] < 2
    assert second["seconds"] < 0.5


def test_a_page_that_fails_stops_the_clock_and_is_told(load, tmp_path, monkeypatch):
    page_time = load("page_time")
    monkeypatch.setattr(page_time, "find_settings", lambda _: Settings(modules=()))
    (tmp_path / "page.md").write_text(page(cell("1 / 0")))
    with pytest.raises(SystemExit, match="the cell failed"):
        list(page_time.page_rows([tmp_path / "page.md"]))


SAY = {bookproof: "the cell failed", myst_nb: "Executing notebook failed"}
WAITS = "import select, sys\nselect.select([sys.stdin], [], [], 30)"


def test_a_build_whose_cells_fail_is_told_of(load, tmp_path, capfd, monkeypatch):
    build_time = load("build_time")
    said = iter(SAY.values())

    def measure(_arguments, folder):
        (folder / build_time.LOG).write_text(f"page.md:7: WARNING: {next(said)}: boom\n")
        return build_time.Cost(2, 1)

    monkeypatch.setattr(build_time, "measure", measure)
    monkeypatch.setattr(build_time, "STEPS", ["cold"])
    book = tmp_path / "book"
    book.mkdir()
    (book / "conf.py").write_text('extensions = ["myst_nb"]\n')
    (book / "index.md").write_text(page(cell("1 / 0")))
    build_time.compare("book", book, tmp_path)
    assert capfd.readouterr().err.count("CPU  cells that failed: 1\n") == len(SAY)


def test_a_build_s_clock_waits_for_no_children_of_others(load, tmp_path):
    with subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE) as other:
        cost = load("build_time").measure(["-c", "sum(range(1_000_000))"], tmp_path)
        assert other.poll() is None
        other.communicate(b"\n")
    assert cost.cpu > 0


def test_a_build_s_clock_counts_what_the_build_leaves_behind(load, tmp_path):
    busy = "import time\nwhile time.process_time() < 1: pass"
    left = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {busy!r}])"
    assert load("build_time").measure(["-c", left], tmp_path).cpu > 1
