"""A checkpoint is written whole or not at all, and only one that is whole is gone on from."""

import os
from pathlib import Path

import pytest
import torch
from fit_checks import (
    assert_same_bits,
    bits,
    checkpoint,
    loaders,
    metrics,
    one_thread,  # noqa: F401 - a fixture
    reader,
)

from snn_docs.checkpoints import FILES, read
from snn_docs.fitting import RunError, fit

DAMAGED = "is damaged, or no checkpoint of this version; start anew with another folder"


def run_in(folder, *, epochs=2, resume=False):
    fit(reader(), *loaders(), folder, epochs=epochs, resume=resume)
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

    def test_a_write_that_is_interrupted_leaves_what_was_there(self, run, monkeypatch):
        def interrupt(_):
            raise KeyboardInterrupt

        before = checkpoint(run)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", interrupt)
            with pytest.raises(KeyboardInterrupt):
                run_in(run, epochs=3, resume=True)
        assert bits(checkpoint(run)) == bits(before)
        assert {path.name for path in run.iterdir()} == {*FILES}

    @pytest.mark.parametrize("name", FILES)
    def test_no_file_of_another_is_overwritten(self, name, tmp_path):
        (tmp_path / name).write_text("another program's")
        with pytest.raises(RunError, match=f"holds {name}: a run already; go on with resume"):
            run_in(tmp_path)
        assert (tmp_path / name).read_text() == "another program's"


class Runs:
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class TestReading:
    def test_no_checkpoint(self, tmp_path):
        told = f"there is no {tmp_path / 'checkpoint.pt'} to resume; start without resume"
        assert refusal(tmp_path) == told

    @pytest.mark.parametrize("part", [0, 0.5, 0.999])
    def test_a_file_cut_short(self, part, run):
        content = (run / "checkpoint.pt").read_bytes()
        (run / "checkpoint.pt").write_bytes(content[: int(len(content) * part)])
        assert refusal(run) == f"{run / 'checkpoint.pt'} {DAMAGED}"

    def test_a_wrong_bit_anywhere_is_told_of_or_changes_nothing(self, run):
        whole, path = bits(checkpoint(run)), run / "checkpoint.pt"
        content, told = path.read_bytes(), 0
        for place in range(0, len(content), 101):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            try:
                assert bits(read(run)) == whole
            except RunError:
                told += 1
        assert told > 10  # the rest is padding

    @pytest.mark.parametrize(
        "foreign", [[1, 2], {"model": torch.ones(2)}, {"format": "snn_docs.fitting 0"}], ids=str
    )
    def test_a_file_of_another_program(self, foreign, run):
        torch.save(foreign, run / "checkpoint.pt")
        assert DAMAGED in refusal(run)

    def test_a_file_that_would_run_code(self, run):
        torch.save(Runs(run / "has run"), run / "checkpoint.pt")
        assert DAMAGED in refusal(run)
        assert not (run / "has run").exists()
