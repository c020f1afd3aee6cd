"""`snn_docs.train`: each task learns, stops and goes on; what it can't do it says in one line."""

import functools
import math
import shlex
import signal
import sys
from dataclasses import asdict

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from torch_checks import DEVICES
from train_checks import (
    MATCH,
    Terminal,
    assert_same_bits,
    bits,
    checkpoint,
    few_samples,  # noqa: F401 - a fixture
    few_samples_here,
    finish,
    metrics,
    one_thread,  # noqa: F401 - a fixture
    start,
    wait_for_epochs,
)

from snn_docs import data, fitting, tasks, train
from snn_docs.checkpoints import RunError
from snn_docs.network import Network
from snn_docs.neurons import LIF
from snn_docs.surrogate import ArcTan
from snn_docs.train import Config, main


def refusal(arguments, capsys):
    """Return the one line with which the command line says no."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    output, errors = capsys.readouterr()
    assert stopped.value.code == 2
    assert output == ""
    assert errors.count("\n") == 1
    return errors


class TestLearning:
    @pytest.mark.slow
    def test_the_digits_with_no_flags(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert main([]) == 0
        records = metrics(tmp_path / "run")
        assert len(records) == 30
        assert records[-1]["train_loss"] < records[0]["train_loss"]
        output, errors = capsys.readouterr()
        assert float(output.split()[2]) >= 0.97
        told = f" with the weights of epoch {fitting.best(records)['epoch']} of 30, whose valid"
        assert told in output
        assert errors == ""  # no bar, because this is no terminal

    @pytest.mark.slow
    @pytest.mark.parametrize("device", DEVICES)
    def test_the_delayed_match_on_each_device_and_on_from_there_on_the_cpu(
        self, device, tmp_path, monkeypatch
    ):
        forward, places = Network.forward, set()

        def noted(network, inputs):
            places.add(inputs.device.type)
            return forward(network, inputs)

        monkeypatch.setattr(Network, "forward", noted)
        _, accuracy = train.train(tmp_path, task="delayed_match", epochs=10, device=device)
        assert places == {device}
        assert accuracy >= 0.97
        records, accuracy = train.train(tmp_path, resume=True, epochs=11, device="cpu")
        assert len(records) == 11
        assert accuracy >= 0.97

    @pytest.mark.slow
    @pytest.mark.parametrize(("task", "epochs"), [("images", 3), ("speech", 30)])
    def test_other_tasks(self, task, epochs, tmp_path):
        records, accuracy = train.train(tmp_path, task=task, epochs=epochs)
        assert accuracy >= {"images": 0.9, "speech": 0.95}[task]
        assert fitting.best(records)["validation_accuracy"] >= 0.9

    @pytest.mark.parametrize(
        ("task", "split", "parameters"),
        [
            ("images", lambda: data.mnist(validation=500), 8882),
            ("speech", lambda: data.vowels(validation=45), 2825),
        ],
        ids=["images", "speech"],
    )
    def test_networks_are_those_of_the_pages(self, task, split, parameters):
        made, expected = tasks.TASKS[task](Config(task=task)), split()
        assert sum(each.numel() for each in made.network.parameters()) == parameters
        for part in ("train", "validation", "test"):
            batches = made.training if part == "train" else getattr(made, part)
            labels = torch.cat([batch[-1] for batch in batches])
            assert torch.equal(labels.bincount(), getattr(expected, f"{part}_labels").bincount())

    @few_samples_here
    def test_an_epoch_by_hand(self, tmp_path):
        torch.manual_seed(3)
        neuron = functools.partial(LIF, leak=0.1, reset="subtract", surrogate=ArcTan())
        network = Network([20, 512, 2], neuron)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        generator = torch.Generator().manual_seed(0)
        known, held, test = (data.delayed_match(n, 6, generator=generator) for n in (150, 50, 50))
        losses, right = [], 0
        order = DataLoader(TensorDataset(torch.arange(150)), batch_size=64, shuffle=True)
        for (chosen,) in order:
            scores = network(known[0][:, chosen])[0].sum(0)
            labels = known[1][chosen]
            loss = torch.nn.functional.cross_entropy(scores, labels)
            losses.append(loss.item() * len(chosen))
            right += (scores.argmax(-1) == labels).sum().item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        (record,), accuracy = train.train(tmp_path, task="delayed_match", epochs=1, seed=3)
        answers, asked = network(held[0])[0].sum(0), network(test[0])[0].sum(0)
        assert record.pop("seconds") > 0
        assert record == {
            "epoch": 1,
            "train_loss": pytest.approx(math.fsum(losses) / 150, rel=1e-5),
            "train_accuracy": pytest.approx(right / 150, abs=2e-2),
            "validation_loss": pytest.approx(
                torch.nn.functional.cross_entropy(answers, held[1]).item(), rel=1e-4
            ),
            "validation_accuracy": pytest.approx(
                (answers.argmax(-1) == held[1]).double().mean().item(), abs=4e-2
            ),
        }
        assert accuracy == pytest.approx(
            (asked.argmax(-1) == test[1]).double().mean().item(), abs=4e-2
        )
        weights = torch.load(tmp_path / "best.pt", weights_only=True)
        inner = {name.removeprefix("layers."): value for name, value in weights.items()}
        torch.testing.assert_close(inner, network.state_dict(), equal_nan=True)

    @pytest.mark.parametrize(
        "flags",
        [
            *({"surrogate": name} for name in tasks.SURROGATES),
            *({"readout": name} for name in tasks.READOUTS),
            *({"reset": name} for name in ("zero", "subtract")),
            *({"detach_reset": True}, {"leak": 0.0}, {"steps": 12}, {"seed": 1}),
        ],
        ids=str,
    )
    @few_samples_here
    def test_each_flag_has_its_effect(self, flags, tmp_path):
        for name, each in (("changed", flags), ("default", {})):
            train.train(tmp_path / name, task="delayed_match", epochs=2, **each)
        changed, default = (
            bits(checkpoint(tmp_path / name)["network"]) for name in ("changed", "default")
        )
        assert (changed == default) == (flags.items() <= asdict(Config()).items())

    def test_each_encoding_has_its_effect(self, tmp_path):
        losses = {
            train.train(tmp_path / name, encoding=name, epochs=1, steps=4)[0][0]["train_loss"]
            for name in tasks.ENCODINGS
        }
        assert len(losses) == 3

    @few_samples_here
    def test_the_state_of_the_global_generator_is_left_alone(self, tmp_path):
        before = torch.get_rng_state()
        train.train(tmp_path, task="delayed_match", epochs=1)
        assert torch.equal(torch.get_rng_state(), before)

    @few_samples_here
    @pytest.mark.parametrize("steps", [10**10, 2**62])
    @pytest.mark.parametrize("flags", [MATCH, [], ["--encoding", "rate"]], ids=str)
    def test_too_many_steps_are_told_and_block_nothing(self, flags, steps, tmp_path, capsys):
        out = ["--out", tmp_path / "run"]
        line = refusal([*flags, *out, "--steps", steps], capsys)
        assert f"{steps} steps take more memory than there is; give fewer --steps" in line
        assert not list(tmp_path.glob("run/*"))


class Counted(TensorDataset):
    """Notes, whenever it is read, how many epochs there have been."""

    def __init__(self, folder, *parts):
        super().__init__(*parts)
        self.folder, self.read = folder, []

    def __getitem__(self, k):
        self.read.append(len(metrics(self.folder)))
        return super().__getitem__(k)


@few_samples_here
def test_the_test_is_read_once_and_by_the_best_weights(tmp_path, monkeypatch):
    made = tasks.delayed_match(Config(task="delayed_match", seed=1))
    test = Counted(tmp_path, *made.test.dataset.tensors)
    loader = DataLoader(test, batch_size=16)
    monkeypatch.setitem(train.TASKS, "delayed_match", lambda _: made._replace(test=loader))
    records, accuracy = train.train(tmp_path, task="delayed_match", epochs=4)
    assert test.read == [4] * 50
    made.network.load_state_dict(torch.load(tmp_path / "best.pt", weights_only=True))
    assert fitting.measure(made.network, made.test)[1] == accuracy
    told = fitting.measure(made.network, made.validation)
    chosen = fitting.best(records)
    assert told == (chosen["validation_loss"], chosen["validation_accuracy"])


@few_samples_here
def test_a_terminal_shows_a_bar(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    records, _ = train.train(tmp_path, task="delayed_match", epochs=3)
    shown = sys.stderr.getvalue()
    assert "3/3" in shown
    assert f"validation={records[-1]['validation_accuracy']:.3f}" in shown


@few_samples_here
def test_the_command_line_takes_one_thread(tmp_path):
    torch.set_num_threads(2)
    assert main([*MATCH, "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("flags", "batches"),
    [(["--encoding", "rate", "--steps", "4"], 20), (MATCH, 4), (["--task", "speech"], 8)],
    ids=["digits", "match", "speech"],
)
@few_samples_here
def test_going_on(flags, batches, tmp_path, monkeypatch, capsys):
    """Whatever a task draws; `fit` itself is stopped at any moment in its own tests."""
    optimizer_step, left = torch.optim.Adam.step, [None] * batches
    whole, out = tmp_path / "whole", tmp_path / "a run"

    def step(*arguments):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return optimizer_step(*arguments)

    assert main([*flags, "--epochs", "4", "--out", str(whole)]) == 0
    assert main([*flags, "--epochs", "1", "--out", str(out)]) == 0
    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.Adam, "step", step)
        assert main([*flags, "--epochs", "4", "--resume", "--out", str(out)]) == 130
    line = capsys.readouterr().err
    assert line.startswith("interrupted; go on from the last whole epoch: python -m snn_docs")
    assert line.count("\n") == 1
    assert main(shlex.split(line.split("python -m snn_docs.train")[1])) == 0
    assert_same_bits(out, whole)
    before = bits(checkpoint(whole))
    assert main(["--resume", "--out", str(whole)]) == 0
    assert bits(checkpoint(whole)) == before


@pytest.mark.slow
def test_ctrl_c_in_a_terminal(tmp_path):
    arguments = [*MATCH, "--seed", "2", "--out", tmp_path / "run"]
    process = start("-m", "snn_docs.train", *arguments, "--epochs", 10_000)
    wait_for_epochs(tmp_path / "run", 2, process)
    process.send_signal(signal.SIGINT)
    status, output, errors = finish(process)
    assert (status, output) == (130, "")
    assert errors.count("\n") == 1
    command = shlex.split(errors.split("python -m snn_docs.train")[1])
    epochs = ["--epochs", str(len(metrics(tmp_path / "run")) + 1)]
    assert main([*command, *epochs]) == 0
    whole = [*MATCH, "--seed", "2", "--out", str(tmp_path / "whole"), *epochs]
    assert main(whole) == 0
    assert_same_bits(tmp_path / "run", tmp_path / "whole")


INTERRUPTED = """
import os, signal, sys
from contextlib import suppress

class Interrupt:
    def find_spec(name, path, target=None):
        if name == os.environ["INTERRUPTED"]:
            with suppress(KeyboardInterrupt):  # as torch does where it looks for NumPy
                os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt)
"""


@pytest.mark.parametrize("module", ["torch", "torch.nn", "snn_docs.tasks"])
def test_ctrl_c_while_modules_are_imported(module, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("INTERRUPTED", module)
    status, output, errors = finish(start("-m", "snn_docs.train", "--out", tmp_path / "run"))
    assert (status, output, errors) == (130, "", "interrupted before the training began\n")
    assert not (tmp_path / "run").exists()


def test_ctrl_c_before_anything_is_saved(tmp_path, monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(train.TASKS, "digits", interrupt)
    assert main(["--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted; nothing had been saved\n"
    assert list(tmp_path.iterdir()) == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--steps", "0"], "steps must be 1 or more, but 0 came"),
            (["--steps", "2.5"], "argument --steps: invalid int value: '2.5'"),
            ([*MATCH, "--steps", "9"], "steps must be 10 or more, but 9 came"),
            (["--epochs", "0"], "epochs must be 1 or more, but 0 came"),
            (["--seed", "-1"], "seed must be 0 or more, but -1 came"),
            (["--seed", str(2**63)], "seed must be less than 2**63"),
            (["--steps", str(10**400)], "steps must be less than 2**63, but 2**1328 or more came"),
            (["--leak", "1.5"], "leak must be between 0 and 1, but 1.5 came"),
            (["--leak", "nan"], "leak must be between 0 and 1, but nan came"),
            (["--surrogate", "relu"], "argument --surrogate: invalid choice: 'relu'"),
            (["--task", "mnist"], "argument --task: invalid choice: 'mnist'"),
            ([*MATCH, "--encoding", "rate"], "delayed_match has no encoding to choose, but rate"),
            (
                ["--task", "images", "--readout", "last"],
                "images has no readout to choose, but last",
            ),
            (
                ["--task", "speech", "--steps", "16"],
                "speech has no steps to choose, but 16 came; le",
            ),
            (["--lr", "1"], "unrecognized arguments: --lr 1"),
        ],
    )
    def test_a_bad_flag(self, flags, message, tmp_path, capsys):
        line = refusal([*flags, "--out", tmp_path / "run"], capsys)
        assert line.startswith(f"python -m snn_docs.train: {message}")
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        ("flags", "error", "message"),
        [
            ({"reset": "never"}, ValueError, "reset must be one of zero, subtract, but never came"),
            ({"detach_reset": 1}, TypeError, "detach_reset must be True or False, but 1 came"),
            ({"steps": 1.0}, TypeError, "steps must be an int, but a float came"),
            ({"lr": 1.0}, TypeError, "lr"),
            ({"task": ["digits"]}, TypeError, "task must be one of .*, but a list came"),
            ({"leak": torch.tensor(0.1)}, TypeError, r"leak must be a number, but a torch\.Tensor"),
            ({"device": "gpu"}, RunError, "device gpu can't compute here; give cpu"),
        ],
    )
    def test_a_bad_setting(self, flags, error, message, tmp_path):
        with pytest.raises(error, match=message):
            train.train(tmp_path / "run", **flags)
        assert not (tmp_path / "run").exists()

    @pytest.fixture
    def run(self, tmp_path, few_samples):  # noqa: ARG002, F811
        assert main([*MATCH, "--epochs", "2", "--out", str(tmp_path / "run")]) == 0
        return tmp_path / "run"

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--resume", "--steps", "17"], "steps is 17, but the run in {run} has 16"),
            (["--resume", "--task", "digits"], "task is digits, but the run in {run} has delayed"),
            (
                ["--resume", "--detach-reset"],
                "detach_reset is True, but the run in {run} has False",
            ),
            ([], "{run} holds checkpoint.pt: a run already; go on with resume, or give another"),
        ],
    )
    def test_what_does_not_fit_the_checkpoint(self, flags, message, run, capsys):
        capsys.readouterr()
        before = (run / "checkpoint.pt").read_bytes()
        assert message.format(run=run) in refusal([*flags, "--out", run], capsys)
        assert (run / "checkpoint.pt").read_bytes() == before

    def test_a_file_where_the_folder_should_be(self, tmp_path, capsys):
        (tmp_path / "run").touch()
        assert "File exists" in refusal(["--out", tmp_path / "run"], capsys)

    @pytest.mark.parametrize("about", [{}, {"speed": 1}])
    def test_the_run_of_another_program(self, about, run, capsys):
        capsys.readouterr()
        split = [(torch.ones(2, 2), torch.tensor([0, 1]))]
        fitting.fit(torch.nn.Linear(2, 2), split, split, run / "own", epochs=1, about=about)
        line = refusal(["--resume", "--out", run / "own"], capsys)
        assert "is damaged, or no checkpoint of this version; start anew with another" in line

    @pytest.mark.parametrize(("task", "package"), [("images", "mlxtend"), ("speech", "aeon")])
    def test_a_missing_extra(self, task, package, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(data, "find_spec", lambda _: None)
        line = refusal(["--task", task, "--out", tmp_path], capsys)
        assert f"needs {package}, which could not be found; install it with pip install" in line
        assert '"snn-docs[notebooks]"' in line

    @pytest.mark.parametrize("module", ["tqdm", "sklearn.datasets"])
    def test_a_missing_package(self, module, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, module, None)
        line = refusal(["--out", tmp_path], capsys)
        assert 'install it with pip install "snn-docs[notebooks]"' in line
