"""A checkpoint is written whole or not at all, and only one that is whole is gone on from."""

import contextlib
import copy
import functools
import operator
import os
from pathlib import Path

import pytest
import torch
from train_checks import (
    assert_same_bits,
    bits,
    checkpoint,
    loaders,
    metrics,
    one_thread,  # noqa: F401 - a fixture
    reader,
)

from snn_docs.checkpoints import FILES, RunError, alone, digest
from snn_docs.fitting import fit

DAMAGED = "is damaged, or no checkpoint of this version; start anew with another folder"


def run_in(folder, *, epochs=2, resume=False):
    fit(reader(), *loaders(), folder, epochs=epochs, resume=resume, about={"leak": 0.1})
    return folder


@pytest.fixture
def run(tmp_path):
    return run_in(tmp_path / "run")


def refusal(folder):
    """Return what is said instead of going on."""
    with pytest.raises(RunError) as refused:
        run_in(folder, epochs=3, resume=True)
    return str(refused.value)


class TestWriting:
    def test_what_others_want_is_that_of_the_checkpoint(self, run):
        before = checkpoint(run)
        (run / "metrics.jsonl").write_text('{"epoch": 5}\n{"epo')
        (run / "best.pt").write_text("cut")
        run_in(run, resume=True)
        assert bits(checkpoint(run)) == bits(before)
        assert_same_bits(run, run)
        assert len(metrics(run)) == 2

    def test_a_write_that_fails_leaves_what_was_there(self, run, monkeypatch):
        def full(_):
            raise OSError(28, "No space left on device")

        before = checkpoint(run)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OSError, match=f"No space left on device: '{run / FILES[0]}'"):
                run_in(run, epochs=3, resume=True)
        assert bits(checkpoint(run)) == bits(before)
        assert {path.name for path in run.iterdir()} == {*FILES}

    @pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("elsewhere")])
    def test_what_lies_where_a_file_is_written_first(self, make, tmp_path):
        make(tmp_path / "checkpoint.pt.part")
        run_in(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {*FILES}

    @pytest.mark.parametrize("name", FILES)
    def test_no_file_of_another_is_overwritten(self, name, tmp_path):
        (tmp_path / name).write_text("another program's")
        with pytest.raises(RunError, match=f"holds {name}: a run already; go on with resume"):
            run_in(tmp_path)
        assert (tmp_path / name).read_text() == "another program's"


def paths(state, path=()):
    """Yield the keys and positions that lead to each thing in a checkpoint."""
    items = state.items() if isinstance(state, dict) else enumerate(state)
    for key, value in items:
        yield *path, key
        if isinstance(value, dict | list):
            yield from paths(value, (*path, key))


class Runs:
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def later(value):
    return pytest.param(value, marks=pytest.mark.slow)


def spoilt(whole, parents, last, wrong):
    """A copy of a checkpoint with another value at one place, or with none."""
    state = copy.deepcopy(whole)
    holder = functools.reduce(operator.getitem, parents, state)
    if wrong is None:
        del holder[last]
    else:
        holder[last] = wrong
    return state


class TestReading:
    def test_no_checkpoint(self, tmp_path):
        told = f"there is no {tmp_path / 'checkpoint.pt'} to resume; start without resume"
        assert refusal(tmp_path) == told

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
    def test_no_file(self, make, tmp_path):
        make(tmp_path / "checkpoint.pt")
        assert f"{tmp_path / 'checkpoint.pt'} is not a file; start anew" in refusal(tmp_path)

    @pytest.mark.parametrize("part", [0, 0.5, 0.999])
    def test_a_file_cut_short(self, part, run):
        content = (run / "checkpoint.pt").read_bytes()
        (run / "checkpoint.pt").write_bytes(content[: int(len(content) * part)])
        assert DAMAGED in refusal(run)

    def test_one_wrong_bit(self, run):
        content = bytearray((run / "checkpoint.pt").read_bytes())
        weight = checkpoint(run)["network"]["layers.0.weight"].numpy().tobytes()
        content[content.index(weight) + 10] ^= 1
        (run / "checkpoint.pt").write_bytes(content)
        assert DAMAGED in refusal(run)

    @pytest.mark.parametrize(
        "foreign", [[1, 2], {"model": torch.ones(2)}, {"format": "snn_docs.train 0"}], ids=str
    )
    def test_a_file_of_another_program(self, foreign, run):
        torch.save(foreign, run / "checkpoint.pt")
        assert DAMAGED in refusal(run)

    @pytest.mark.parametrize("wrong", [None, {}, *map(later, (-1, "x", torch.ones(3)))], ids=repr)
    def test_one_thing_wrong(self, wrong, run):
        whole = checkpoint(run)
        places = [*paths(whole)]
        assert len(places) > 60
        for *parents, last in places:
            state = spoilt(whole, parents, last, wrong)
            torch.save(state, run / "checkpoint.pt")
            assert DAMAGED in refusal(run), (*parents, last)

    @pytest.mark.parametrize("wrong", [None, -1, "x", [], {}], ids=repr)
    def test_one_thing_wrong_under_a_right_seal(self, wrong, run):
        whole = checkpoint(run)
        del whole["digest"]
        places = [path for path in paths(whole) if len(path) < 4 and "state" not in path]
        for *parents, last in places:
            state = spoilt(whole, parents, last, wrong)
            torch.save(state | {"digest": digest(state)}, run / "checkpoint.pt")
            with contextlib.suppress(RunError):  # a sentence, or it is as good as another value
                run_in(run, epochs=3, resume=True)

    def test_a_folder_in_which_another_run_trains(self, run, tmp_path):
        before = (run / "checkpoint.pt").read_bytes()
        with alone(run):
            assert refusal(run) == (
                f"another run is training in {run}; wait until it has ended, or give another folder"
            )
        assert (run / "checkpoint.pt").read_bytes() == before
        run_in(run, epochs=3, resume=True)  # it has ended
        (tmp_path / "new").mkdir()
        with alone(tmp_path / "new"), pytest.raises(RunError, match="another run is training in"):
            run_in(tmp_path / "new")

    def test_a_file_that_would_run_code(self, run):
        torch.save(Runs(run / "has run"), run / "checkpoint.pt")
        assert DAMAGED in refusal(run)
        assert not (run / "has run").exists()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (torch.ones(2), torch.ones(2, dtype=torch.float64)),
            (torch.ones(2), torch.ones(2, 1)),
            (torch.tensor([0.0]), torch.tensor([-0.0])),
            (1, 1.0),
            ("1", 1),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            ([[1], 2], [[1, 2]]),
            ([1], (1,)),
        ],
        ids=str,
    )
    def test_what_differs_has_another_digest(self, one, other):
        assert digest(one) != digest(other)
        assert digest(one) == digest(copy.deepcopy(one))
