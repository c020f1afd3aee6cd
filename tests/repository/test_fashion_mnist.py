"""The experiment on Fashion-MNIST can be told apart, and keeps the test set for the end."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

EXPERIMENTS = Path(__file__).parents[2] / "docs" / "experiments"


@pytest.fixture
def script(monkeypatch):
    """The experiment, on few images."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    script = importlib.import_module("fashion_mnist")
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(10).repeat(13)
    images = torch.rand(len(labels), 1, 28, 28, generator=generator)
    images[range(len(labels)), 0, labels] = 1.0
    part = script.Part(images, labels)
    parts = dict.fromkeys(["training", "subset", "validation", "test"], part)
    monkeypatch.setattr(script, "parts", lambda: parts)
    return script


def test_settings_are_chosen_on_the_subset_and_without_the_test(script, monkeypatch):
    parts = {**script.parts()}
    del parts["test"], parts["training"]
    monkeypatch.setattr(script, "parts", lambda: parts)
    assert set(script.train("ReLU", {"rate": 1e-3}, script.TUNING[0])) == {"validation"}
    assert not {*script.TUNING} & {*script.SEEDS}


def test_a_whole_run_keeps_what_tells_it_apart(script):
    first, second = (script.train("ReLU", {"rate": 1e-3}, seed) for seed in script.SEEDS[:2])
    assert first["twice"] == first["early"] != second["early"]
    assert second["twice"] is None
    assert first["validation"] == first["curve"][first["epoch"] - 1] == max(first["curve"])
    assert len(first["curve"]) == script.EPOCHS


@pytest.mark.parametrize("network", ["ReLU", "stairs", "SNN"])
def test_a_training_that_is_begun_again_has_the_same_weights(script, network):
    whole = script.Run(network, 1e-3, 0, script.parts()["training"], script.EPOCHS).go(3)
    torch.rand(5)
    assert script.early(network, 1e-3, 0).digests == whole.digests[: script.EARLY]
    assert len(set(whole.digests)) == 3


@pytest.mark.parametrize(
    ("cpu", "curve", "same"),
    [("here", 0.0, True), ("here", 0.001, False), ("there", 0.001, True), ("there", 0.1, False)],
)
def test_another_processor_may_give_other_digits(script, monkeypatch, cpu, curve, same):
    run = script.early("ReLU", 1e-3, 0)
    made = {**script.record.machine(), "cpu": cpu}
    monkeypatch.setattr(script.record, "machine", lambda: {**made, "cpu": "here"})
    known = {
        "network": "ReLU", "chosen": {"rate": 1e-3}, "seed": [0], "made": made,
        "curve": [[each + curve for each in run.curve]], "early": [run.digests],
    }  # fmt: skip
    old, new = script.again(known)
    assert (old == new) == same


def test_images_that_are_missing_are_asked_for(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    script = importlib.import_module("fashion_mnist")
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    with pytest.raises(SystemExit, match=r"train-images.*dataset-fashion-mnist"):
        script.parts()
