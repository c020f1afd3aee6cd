"""An experiment chooses on seeds of its own, goes on where it was, and runs as the pages do."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "docs" / "experiments"
FREE = {"fashion_mnist": Path("/usr/share/datasets/fashion-mnist")}
"""Records that are made with the processor's own arithmetic, and the data that they need."""
NAMES = sorted(
    path.stem
    for path in EXPERIMENTS.glob("*.json")
    if path.stem in FREE or '"environment"' in path.read_text("utf-8")
)
"""Records that were made as the book's pages are run: the others are to be made anew."""
GRID = [{"rate": 0.1}, {"rate": 0.2}]


@pytest.fixture
def harness(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    harness = importlib.import_module("harness")
    monkeypatch.setattr(harness, "NOTES", tmp_path)
    return harness


class Training:
    """A network that is best with a setting on most seeds, and counts how often it was trained."""

    def __init__(self):
        self.runs = []

    def __call__(self, network, setting, seed):
        self.runs.append((network, setting["rate"], seed))
        lucky = seed == 100 and setting["rate"] == 0.1
        return {"validation": 1.0 if lucky else setting["rate"] * 4, "test": seed / 10}


def test_settings_are_chosen_on_the_mean_of_seeds_that_are_used_for_no_more(harness):
    train = Training()
    row, _ = harness.studied("study", {"LIF": GRID, "GRU": GRID}, train)
    assert row["network"] == "LIF"
    assert row["tried"] == pytest.approx([0.6, 0.8])
    assert row["chosen"] == {"rate": 0.2}
    assert row["test"] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert len(train.runs) == 2 * (2 * 3 + 5)


def test_a_study_that_was_stopped_goes_on_where_it_was(harness):
    first, second = Training(), Training()
    rows = harness.studied("study", {"LIF": GRID, "GRU": GRID}, first)
    known = next(rows)
    rows.close()
    with (harness.NOTES / "study.jsonl").open("a") as file:
        file.write('["half a li')
    again = list(harness.studied("study", {"LIF": GRID, "GRU": GRID}, second))
    assert again[0] == known
    assert {network for network, _, _ in second.runs} == {"GRU"}


def test_what_other_code_has_found_is_not_taken_up(harness, monkeypatch):
    first, second = Training(), Training()
    list(harness.studied("study", {"LIF": GRID}, first))
    monkeypatch.setattr(harness.record, "loaded_code", lambda: {"a.py": "other"})
    list(harness.studied("study", {"LIF": GRID}, second))
    assert second.runs == first.runs


@pytest.mark.parametrize(
    ("networks", "others", "told"),
    [
        ({"LIF": GRID, "GRU": GRID[:1]}, {}, "as many settings"),
        ({"LIF": GRID}, {"tuning": [100, 101]}, "three seeds or more"),
        ({"LIF": GRID}, {"tuning": [0, 100, 101]}, "used for no more"),
    ],
)
def test_an_unfair_study_is_refused(harness, networks, others, told):
    with pytest.raises(ValueError, match=told):
        next(harness.studied("study", networks, Training(), **others))


@pytest.mark.parametrize("again", [False, True])
def test_an_experiment_runs_as_the_pages_do(harness, monkeypatch, again):
    """Also where one that was recorded so is checked."""
    begun = []
    monkeypatch.setattr(sys, "argv", [str(EXPERIMENTS / "memory.py"), *["--again"] * again])
    monkeypatch.setattr(harness.record, "is_pinned", lambda _: True)
    monkeypatch.setattr(harness.record, "PINNED", False)
    monkeypatch.setattr(harness.os, "execve", lambda *told: begun.append(told))
    harness.begin()
    ((_, command, environment),) = begun
    assert command == [sys.executable, *sys.argv]
    assert environment["PYTHONHASHSEED"] == "0"
    assert environment["MKL_CBWR"] == "COMPATIBLE"
    assert harness.record.PINNED


def test_an_experiment_that_would_take_hours_runs_as_it_is(harness, monkeypatch):
    monkeypatch.setattr(harness.os, "execve", lambda *_: pytest.fail("it started anew"))
    monkeypatch.setattr(harness.record, "PINNED", False)
    assert set(harness.FREE) == set(FREE)
    for name in harness.FREE:
        monkeypatch.setattr(sys, "argv", [str(EXPERIMENTS / f"{name}.py"), "--record"])
        harness.begin()
        assert not harness.record.PINNED


def test_a_study_can_say_what_its_cheap_row_is(harness, monkeypatch):
    told = []
    monkeypatch.setattr(harness.record, "run", lambda *_, again, **__: told.append(again))
    harness.study("", "study", {"LIF": GRID}, Training(), again="own")
    harness.study("", "study", {"LIF": GRID}, Training())
    known = {"network": "LIF", "chosen": {"rate": 0.2}, "validation": [0.8, 0], "test": [0.0, 0]}
    assert told[0] == "own"
    assert told[1](known) == ({"validation": 0.8, "test": 0.0}, {"validation": 0.8, "test": 0.0})


@pytest.mark.parametrize(
    ("known", "found", "same"),
    [
        (0.91, 0.91, True),
        (0.91, 0.912, False),
        ([0.5, 3.0], [0.5, 4.0], True),
        (3.0, 6.1, False),
        (-3.0, 3.0, False),
        ({"a": 1}, {"a": 2}, False),
        (None, None, True),
    ],
)
def test_accuracies_are_compared_by_their_digits_and_ratios_within_a_factor(
    harness, known, found, same
):
    assert harness.record.alike(known, found) == same


def test_a_record_that_is_behind_is_told_of_with_the_command_that_makes_it(harness, capsys):
    harness.record.compare("memory", {"made": {}, "test": [0.5, 3.0]}, {"test": [0.50001, 4.0]})
    assert capsys.readouterr().out == "memory: as recorded\n"
    with pytest.raises(SystemExit, match=r"python docs/experiments/memory\.py --record"):
        harness.record.compare("memory", {"test": [0.5]}, {"test": [0.6]})
    with pytest.raises(SystemExit, match="another row"):
        harness.record.compare("memory", {"test": [0.5]}, {"other": 1})


def test_epochs_train_on_each_sample_once(harness):
    weight = harness.torch.nn.Parameter(harness.torch.zeros(()))
    seen = []

    def loss(chosen):
        seen.extend(chosen.tolist())
        return (weight - 1) ** 2

    optimizer = harness.torch.optim.SGD([weight], lr=0.1)
    told = list(harness.epochs(loss, 5, optimizer, count=2, batch=2))
    assert told == [1, 2]
    assert sorted(seen[:5]) == sorted(seen[5:]) == [0, 1, 2, 3, 4]
    assert float(weight.detach()) == pytest.approx(1 - 0.8**6)


@pytest.mark.parametrize(("clip", "weight"), [(None, 20.0), (1.0, 1.0)])
def test_gradients_are_clipped_if_there_is_a_limit(harness, clip, weight):
    layer = harness.torch.nn.Linear(1, 1, bias=False)
    harness.torch.nn.init.zeros_(layer.weight)
    sgd = harness.torch.optim.SGD
    loss = lambda _: -20 * layer.weight.sum()  # noqa: E731
    harness.train(layer, loss, 1, 1.0, count=1, batch=1, clip=clip, by=sgd)
    assert float(layer.weight.detach()) == pytest.approx(weight)


def test_the_test_counts_of_the_epoch_that_was_best_in_validation(harness):
    held = iter([0.5, 0.9, 0.9, 1.0, 0.4, 1.0, 1.0, 1.0, 0.2])
    tested = iter(range(9))
    found = harness.best_epoch(
        range(1, 10), lambda: next(held), lambda: {"test": next(tested)}, until=1.0
    )
    best = {"validation": 1.0, "epoch": 4, "test": 2}
    assert found == {**best, "epochs": 8, "learned": True}
    assert not harness.best_epoch([1], lambda: 1.0, dict, until=1.0)["learned"]
    assert harness.best_epoch([1], lambda: 1.0, dict, until=1.0, times=1)["learned"]


def test_a_rate_can_fall_to_nothing(harness):
    weight = harness.torch.nn.Parameter(harness.torch.zeros(()))
    optimizer = harness.torch.optim.SGD([weight], lr=0.1)
    slower = harness.CosineAnnealingLR(optimizer, 2)
    told = [
        slower.get_last_lr()[0]
        for _ in harness.epochs(lambda _: weight**2, 1, optimizer, count=2, batch=1, slower=slower)
    ]
    assert told == pytest.approx([0.05, 0.0])


def test_all_settings_of_a_grid_are_tried_and_the_first_of_the_best_is_chosen(harness):
    settings = harness.grid(rate=[1, 2], leak=[0, 3])
    assert settings[:2] == [{"rate": 1, "leak": 0}, {"rate": 1, "leak": 3}]
    chosen, tried = harness.best(settings, lambda each: each["leak"])
    assert chosen is settings[1]
    assert tried == [0, 3, 0, 3]


def test_rows_that_are_measured_one_by_one_go_on_where_they_were(harness, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speed.py"])
    measured = []

    def measure(steps):
        measured.append(steps)
        return {"steps": steps}

    harness.each("How fast?", "speed", [(1,)], measure)
    harness.each("How fast?", "speed", [(1,), (2,)], measure)
    assert measured == [1, 2]
    assert capsys.readouterr().out.endswith('{"steps": 1}\n{"steps": 2}\n')


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_cheap_row_of_each_record_is_as_it_was(name):
    """If this fails, what made the record has changed: make it again, by the command told."""
    if name in FREE and not FREE[name].is_dir():
        pytest.skip(f"{name} needs {FREE[name]}, which Debian's dataset-{FREE[name].name} brings")
    command = [sys.executable, str(EXPERIMENTS / f"{name}.py"), "--again"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
