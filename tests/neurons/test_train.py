"""Training: learns, stops at any moment and goes on bit for bit, alone or among processes."""

import copy
import functools
import io
import itertools
import json
import math
import operator
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import torch
import torch.distributed as dist
from torch_checks import DEVICES

from snn_docs import data, train
from snn_docs.network import Network
from snn_docs.neurons import LIF
from snn_docs.surrogate import ArcTan
from snn_docs.train import Config, main

ROOT = Path(__file__).parents[2]
LIMIT = 300  # seconds after which a process that should have ended hangs
MATCH = ["--task", "delayed_match"]


@pytest.fixture(autouse=True)
def one_thread():
    """The bits depend on the number of threads. The command line takes one: so does all here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


few_samples_here = pytest.mark.usefixtures("few_samples")


@pytest.fixture
def few_samples(monkeypatch):
    monkeypatch.setattr(train, "SAMPLES", (150, 50))  # the last batch is smaller


def environment():
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def start(*arguments, processes=None):
    """Start Python, under torchrun if a number of processes is given."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [sys.executable, *(launcher if processes else []), *map(str, arguments)],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    """Wait for a process, and return its status, output and errors."""
    try:
        output, errors = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        give_up(process, f"still running after {LIMIT} s")
    return process.returncode, output, errors


def give_up(process, why):
    """End a process and what it has started, and fail."""
    if process.poll() is None:
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.kill()
    pytest.fail(f"{why}: {process.communicate()}")


def wait_for_epochs(folder, number, process):
    """Return the metrics as soon as there are so many."""
    deadline = time.monotonic() + LIMIT
    while len(found := metrics(folder)) < number:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
        if process.poll() is not None or time.monotonic() > deadline:
            give_up(process, f"no {number} epochs in {LIMIT} s")
    return found


def metrics(folder):
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def bits(state):
    """Return what a checkpoint holds, with the bytes of each tensor, but not how long it took."""
    if isinstance(state, torch.Tensor):
        return state.dtype, state.shape, state.numpy().tobytes()
    if isinstance(state, dict):
        return {key: bits(value) for key, value in state.items() if key != "seconds"}
    if isinstance(state, list):
        return [bits(each) for each in state]
    return state


def assert_same_bits(folder, other):
    """Two runs have the same checkpoints and metrics, except how long they took."""
    ours, theirs = (checkpoint(each) for each in (folder, other))
    assert bits(ours) == bits(theirs)
    assert metrics(folder) == ours["records"]
    assert metrics(other) == theirs["records"]


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
        assert records[-1]["test_accuracy"] >= 0.97
        assert records[-1]["train_loss"] < records[0]["train_loss"]
        output, errors = capsys.readouterr()
        assert output.startswith(f"test accuracy {records[-1]['test_accuracy']:.4f} after 30")
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
        records = train.train(tmp_path, task="delayed_match", epochs=10, device=device)
        assert places == {device}
        assert records[-1]["test_accuracy"] >= 0.97
        records = train.train(tmp_path, resume=True, epochs=11, device="cpu")
        assert len(records) == 11
        assert records[-1]["test_accuracy"] >= 0.97

    def test_an_epoch_by_hand(self, tmp_path):
        torch.manual_seed(3)
        neuron = functools.partial(LIF, leak=0.1, reset="subtract", surrogate=ArcTan())
        network = Network([64, 512, 10], neuron)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        split = data.digits()
        losses, right = [], 0
        order = torch.randperm(1437, generator=torch.Generator().manual_seed(3))
        for chosen in order.split(64):
            inputs = split.train_inputs[chosen].expand(16, -1, -1)
            scores = network(inputs)[0].sum(0)
            labels = split.train_labels[chosen]
            loss = torch.nn.functional.cross_entropy(scores, labels)
            losses.append(loss.item() * len(chosen))
            right += (scores.argmax(-1) == labels).sum().item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        answers = network(split.test_inputs.expand(16, -1, -1))[0].sum(0).argmax(-1)
        (record,) = train.train(tmp_path, epochs=1, seed=3)
        assert record.pop("seconds") > 0
        assert record == {
            "epoch": 1,
            "train_loss": pytest.approx(math.fsum(losses) / 1437, rel=1e-5),
            "train_accuracy": pytest.approx(right / 1437, abs=2e-3),
            "test_accuracy": pytest.approx(
                (answers == split.test_labels).double().mean().item(), abs=6e-3
            ),
        }
        torch.testing.assert_close(checkpoint(tmp_path)["network"], network.state_dict())

    @pytest.mark.parametrize(
        "flags",
        [
            *({"surrogate": name} for name in train.SURROGATES),
            *({"readout": name} for name in train.READOUTS),
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
            train.train(tmp_path / name, encoding=name, epochs=1, steps=4)[0]["train_loss"]
            for name in train.ENCODINGS
        }
        assert len(losses) == 3

    @few_samples_here
    def test_the_state_of_the_global_generator_is_left_alone(self, tmp_path):
        before = torch.get_rng_state()
        train.train(tmp_path, task="delayed_match", epochs=1)
        assert torch.equal(torch.get_rng_state(), before)

    @few_samples_here
    def test_an_explosion_ends_the_run(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(train, "LEARNING_RATE", math.inf)
        line = refusal([*MATCH, "--out", tmp_path], capsys)
        assert "a parameter is infinite or NaN after epoch 1: the gradient has exploded" in line

    @few_samples_here
    @pytest.mark.parametrize("steps", [10**10, 2**62])
    @pytest.mark.parametrize("flags", [MATCH, [], ["--encoding", "rate"]], ids=str)
    def test_too_many_steps_are_told_and_block_nothing(self, flags, steps, tmp_path, capsys):
        out = ["--out", tmp_path / "run"]
        line = refusal([*flags, *out, "--steps", steps], capsys)
        assert f"{steps} steps take more memory than there is; give fewer --steps" in line
        assert not list((tmp_path / "run").iterdir())


class Terminal(io.StringIO):
    def isatty(self):
        return True


@few_samples_here
def test_a_terminal_shows_a_bar(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    records = train.train(tmp_path, task="delayed_match", epochs=3)
    shown = sys.stderr.getvalue()
    assert "3/3" in shown
    assert f"test={records[-1]['test_accuracy']:.3f}" in shown


@few_samples_here
def test_the_command_line_takes_one_thread(tmp_path):
    torch.set_num_threads(2)
    assert main([*MATCH, "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert torch.get_num_threads() == 1


class TestGoingOn:
    @pytest.fixture(params=[["--encoding", "rate", "--steps", "4"], MATCH], ids=["digits", "match"])
    def flags(self, request, few_samples):  # noqa: ARG002
        return request.param

    @pytest.fixture
    def whole(self, flags, tmp_path):
        """A run that nothing interrupts."""
        assert main([*flags, "--epochs", "4", "--out", str(tmp_path / "whole")]) == 0
        return tmp_path / "whole"

    def test_after_fewer_epochs(self, flags, whole, tmp_path):
        out = ["--out", str(tmp_path / "parts")]
        assert main([*flags, *out, "--epochs", "1"]) == 0
        assert main(["--resume", *out, "--epochs", "3"]) == 0
        assert main([*flags, "--resume", *out, "--epochs", "4"]) == 0
        assert_same_bits(tmp_path / "parts", whole)

    @pytest.mark.parametrize("batches", [0, 1, 5, 6])
    def test_after_ctrl_c_at_any_moment(  # noqa: PLR0917
        self, batches, flags, whole, tmp_path, monkeypatch, capsys
    ):
        out = tmp_path / "a run"
        optimizer_step, left = torch.optim.Adam.step, [None] * batches

        def step(*arguments):
            if not left:
                raise KeyboardInterrupt
            left.pop()
            return optimizer_step(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(torch.optim.Adam, "step", step)
            assert main([*flags, "--epochs", "4", "--out", str(out)]) == 130
        line = capsys.readouterr().err
        assert line.startswith("interrupted; go on from the last whole epoch: python -m snn_docs")
        assert line.count("\n") == 1
        command = shlex.split(line.split("python -m snn_docs.train")[1])
        assert main(command) == 0
        assert_same_bits(out, whole)

    def test_a_finished_run_stays_as_it_is(self, whole):
        before = checkpoint(whole)
        assert main(["--resume", "--out", str(whole)]) == 0
        assert bits(checkpoint(whole)) == bits(before)

    def test_metrics_are_those_of_the_checkpoint(self, whole):
        before = (whole / "metrics.jsonl").read_text()
        (whole / "metrics.jsonl").write_text(before + '{"epoch": 5}\n{"epo')
        assert main(["--resume", "--out", str(whole)]) == 0
        assert (whole / "metrics.jsonl").read_text() == before

    def test_a_write_that_fails_leaves_what_was_there(self, whole, monkeypatch, capsys):
        def full(_):
            raise OSError(28, "No space left on device")

        before = checkpoint(whole)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            arguments = ["--resume", "--epochs", "5", "--out", whole]
            line = refusal(arguments, capsys)
        assert f"No space left on device: '{whole / 'checkpoint.pt'}'" in line
        assert bits(checkpoint(whole)) == bits(before)
        assert sorted(path.name for path in whole.iterdir()) == ["checkpoint.pt", "metrics.jsonl"]


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


def test_ctrl_c_before_anything_is_saved(tmp_path, monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(train.TASKS, "digits", interrupt)
    assert main(["--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted; nothing had been saved\n"
    assert list(tmp_path.iterdir()) == []


RECORDED = ("train_loss", "train_accuracy", "test_accuracy", "seconds")


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
            (
                {"task": "delayed_match", "encoding": "rate"},
                ValueError,
                "encoding is for digits, but rate came for delayed_match",
            ),
            ({"detach_reset": 1}, TypeError, "detach_reset must be True or False, but 1 came"),
            ({"steps": 1.0}, TypeError, "steps must be an int, but a float came"),
            ({"lr": 1.0}, TypeError, "lr"),
            ({"task": ["digits"]}, TypeError, "task must be one of .*, but a list came"),
            ({"leak": torch.tensor(0.1)}, TypeError, r"leak must be a number, but a torch\.Tensor"),
            ({"device": "meta"}, train.RunError, "device meta can't compute here; give cpu"),
            ({"device": "gpu"}, train.RunError, "device gpu can't compute here; give cpu"),
        ],
    )
    def test_a_bad_setting(self, flags, error, message, tmp_path):
        with pytest.raises(error, match=message):
            train.train(tmp_path / "run", **flags)
        assert not (tmp_path / "run").exists()

    @pytest.fixture
    def run(self, tmp_path, few_samples):  # noqa: ARG002
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
            (["--resume", "--epochs", "1"], "epochs is 1, but the run in {run} has had 2"),
            (
                [],
                "{run} holds checkpoint.pt: a run already; go on with --resume, or give another",
            ),
            (["--resume", "--device", "meta"], "device meta can't compute here"),
        ],
    )
    def test_what_does_not_fit_the_checkpoint(self, flags, message, run, capsys):
        capsys.readouterr()
        before = (run / "checkpoint.pt").read_bytes()
        assert message.format(run=run) in refusal([*flags, "--out", run], capsys)
        assert (run / "checkpoint.pt").read_bytes() == before

    def test_no_checkpoint(self, tmp_path, capsys):
        line = refusal(["--resume", "--out", tmp_path], capsys)
        assert f"there is no {tmp_path / 'checkpoint.pt'} to resume; start without" in line

    def test_a_file_where_the_folder_should_be(self, tmp_path, capsys):
        (tmp_path / "run").touch()
        assert "File exists" in refusal(["--out", tmp_path / "run"], capsys)

    def test_metrics_without_a_checkpoint_are_not_overwritten(self, tmp_path, capsys):
        (tmp_path / "metrics.jsonl").write_text("another program's")
        assert f"{tmp_path} holds metrics.jsonl: a run" in refusal(["--out", tmp_path], capsys)
        assert (tmp_path / "metrics.jsonl").read_text() == "another program's"

    def test_a_folder_without_a_name(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert "out names no folder; give for example run, or ." in refusal(["--out", ""], capsys)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
    def test_a_checkpoint_that_is_no_file(self, make, tmp_path, capsys):
        make(tmp_path / "checkpoint.pt")
        line = refusal(["--resume", "--out", tmp_path], capsys)
        assert f"{tmp_path / 'checkpoint.pt'} is not a file; start anew" in line

    @few_samples_here
    @pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("elsewhere")])
    def test_what_lies_where_a_file_is_written_first(self, make, tmp_path):
        make(tmp_path / "checkpoint.pt.part")
        train.train(tmp_path, task="delayed_match", epochs=1)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "checkpoint.pt",
            "metrics.jsonl",
        ]

    @pytest.mark.parametrize("part", [0, 0.5, 0.999])
    def test_a_checkpoint_cut_short(self, part, run, capsys):
        capsys.readouterr()
        content = (run / "checkpoint.pt").read_bytes()
        (run / "checkpoint.pt").write_bytes(content[: int(len(content) * part)])
        assert "is damaged, or no checkpoint of this version" in refusal(
            ["--resume", "--out", run], capsys
        )

    def test_a_checkpoint_with_one_wrong_bit(self, run, capsys):
        capsys.readouterr()
        content = bytearray((run / "checkpoint.pt").read_bytes())
        weight = checkpoint(run)["network"]["linears.0.weight"].numpy().tobytes()
        content[content.index(weight) + 1000] ^= 1
        (run / "checkpoint.pt").write_bytes(content)
        assert "is damaged" in refusal(["--resume", "--out", run], capsys)

    @pytest.mark.parametrize(
        "foreign", [[1, 2], {"model": torch.ones(2)}, {"format": "snn_docs.train 0"}], ids=str
    )
    def test_a_file_of_another_program(self, foreign, run, capsys):
        capsys.readouterr()
        torch.save(foreign, run / "checkpoint.pt")
        assert "no checkpoint of this version" in refusal(["--resume", "--out", run], capsys)

    @pytest.mark.parametrize("wrong", [None, {}, -1, "x", torch.ones(3)], ids=repr)
    def test_a_checkpoint_with_one_thing_wrong(self, wrong, run):
        """Whatever is wrong is told as such, but for what was measured, and what torch fills in."""
        whole, accepted = checkpoint(run), []
        places = [*paths(whole)]
        assert len(places) > 60
        for *parents, last in places:
            state = copy.deepcopy(whole)
            holder = functools.reduce(operator.getitem, parents, state)
            if wrong is None:
                del holder[last]
            else:
                holder[last] = wrong
            torch.save(state, run / "checkpoint.pt")
            try:
                train.train(run, resume=True, epochs=3)
            except train.RunError as error:
                assert "is damaged, or no checkpoint of this version" in str(error)  # noqa: PT017
            else:
                accepted.append(".".join(map(str, [*parents, last])))
        assert not [
            place
            for place in accepted
            if not (isinstance(wrong, int) and place.endswith(RECORDED))
            and not (wrong is None and place.startswith("optimizer.param_groups.0."))
        ]

    def test_a_file_that_would_run_code(self, run, capsys):
        capsys.readouterr()
        torch.save(Runs(run / "has run"), run / "checkpoint.pt")
        assert "is damaged, or no checkpoint of this version" in refusal(
            ["--resume", "--out", run], capsys
        )
        assert not (run / "has run").exists()

    @pytest.mark.parametrize("module", ["tqdm", "sklearn.datasets"])
    def test_a_missing_package(self, module, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, module, None)
        line = refusal(["--out", tmp_path], capsys)
        assert 'install it with pip install "snn-docs[train]"' in line


def test_importing_needs_torch_alone():
    script = "import sys; sys.modules |= {'tqdm': None, 'sklearn': None}; import snn_docs.train"
    assert finish(start("-c", script)) == (0, "", "")


SIZES = 64, 29, 3  # of batches: the last leaves nothing for one of four processes
WORKER = f"""
import sys
from pathlib import Path
import torch
from torch.nn.parallel import DistributedDataParallel
from snn_docs import train

folder = Path(sys.argv[1])
train.join()
me = folder / str(train.rank())
try:
    train.train(folder / "missing", resume=True)
except train.RunError as error:
    me.with_suffix(".refused").write_text(str(error))
run = train.Run(train.Config(task="delayed_match"), torch.device("cpu"))
model = DistributedDataParallel(run.network)
gradients = []
for size in {SIZES}:
    inputs, labels = (part[:size] for part in run.task.split[:2])
    run.backward(model, run.task.encode(inputs, run.generator), labels)
    gradients.append([parameter.grad.clone() for parameter in run.network.parameters()])
torch.save(gradients, me.with_suffix(".gradients"))
train.train(folder / "run", task="delayed_match", epochs=2)
train.join = lambda: None  # they have met already
train.main(["--resume", "--out", str(folder / "run"), "--epochs", "10000"])
"""


class Job(NamedTuple):
    """What some processes did together, until one of them was killed."""

    processes: int
    folder: Path
    status: int
    survivors: list
    seen: list  # metrics before the kill


@pytest.fixture(scope="module", params=[(2, 1), (4, 0)], ids=["2", "4"])
def job(request, tmp_path_factory):
    processes, victim = request.param
    folder = tmp_path_factory.mktemp("job")
    (folder / "worker.py").write_text(WORKER)
    launcher = start(folder / "worker.py", folder, processes=processes)
    seen = wait_for_epochs(folder / "run", 4, launcher)
    workers = psutil.Process(launcher.pid).children(recursive=True)
    (worker,) = (each for each in workers if each.environ().get("RANK") == str(victim))
    worker.kill()
    status, _, _ = finish(launcher)
    return Job(processes, folder, status, psutil.wait_procs(workers, timeout=LIMIT)[1], seen)


class TestSeveralProcesses:
    @pytest.mark.slow
    def test_they_have_the_gradients_of_one(self, job):
        run = train.Run(Config(task="delayed_match"), torch.device("cpu"))
        expected = []
        for size in SIZES:
            inputs, labels = (part[:size] for part in run.task.split[:2])
            spikes, _ = run.network(inputs.transpose(0, 1))
            loss = torch.nn.functional.cross_entropy(spikes.sum(0), labels)
            expected.append(list(torch.autograd.grad(loss, list(run.network.parameters()))))
        for rank in range(job.processes):
            gradients = torch.load(job.folder / f"{rank}.gradients", weights_only=True)
            torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.slow
    def test_they_have_the_metrics_of_one(self, job, tmp_path):
        alone = train.train(tmp_path, task="delayed_match", epochs=4)
        for ours, theirs in zip(job.seen, alone, strict=False):
            assert list(ours) == list(theirs)
            seconds = {"seconds": theirs["seconds"]}
            assert ours | seconds == pytest.approx(theirs, rel=1e-3, abs=5e-3)

    @pytest.mark.slow
    def test_they_refuse_the_same(self, job):
        told = {(job.folder / f"{rank}.refused").read_text() for rank in range(job.processes)}
        (line,) = told
        assert line.startswith("there is no ")

    @pytest.mark.slow
    def test_a_killed_one_ends_them_all(self, job):
        assert job.status not in (0, None)
        assert not job.survivors

    @pytest.mark.slow
    def test_after_a_kill_the_run_goes_on(self, job):
        done = len(checkpoint(job.folder / "run")["records"])
        arguments = ["--resume", "--out", str(job.folder / "run"), "--epochs", str(done + 1)]
        assert main(arguments) == 0
        records = metrics(job.folder / "run")
        assert [record["epoch"] for record in records] == list(range(1, done + 2))
        assert records[: len(job.seen)] == job.seen

    @few_samples_here
    def test_one_in_a_group_does_what_one_alone_does_and_leaves_it(self, tmp_path):
        flags = [*MATCH, "--epochs", "2", "--out"]
        assert main([*flags, str(tmp_path / "alone")]) == 0
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        assert main([*flags, str(tmp_path / "group")]) == 0
        assert not dist.is_initialized()
        assert_same_bits(tmp_path / "group", tmp_path / "alone")

    @few_samples_here
    def test_only_the_first_writes_and_speaks(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(train, "rank", lambda: 1)
        monkeypatch.setattr(train, "processes", lambda: 2)
        monkeypatch.setattr(train, "agreed", lambda decide: decide())
        monkeypatch.setenv("RANK", "1")
        monkeypatch.setattr(sys, "stderr", Terminal())
        assert main([*MATCH, "--epochs", "1", "--out", str(tmp_path)]) == 0
        with monkeypatch.context() as patched:
            patched.setattr(train, "train", interrupt)
            assert main(["--out", str(tmp_path)]) == 130
        with pytest.raises(SystemExit) as stopped:
            main(["--steps", "0"])
        assert stopped.value.code == 2
        assert sys.stderr.getvalue() == capsys.readouterr().out == ""
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("size", range(10))
    @pytest.mark.parametrize("processes", [1, 2, 3, 4])
    def test_shares_are_even_and_make_up_the_whole(self, size, processes, monkeypatch):
        monkeypatch.setattr(train, "processes", lambda: processes)
        parts = []
        for rank in range(processes):
            monkeypatch.setattr(train, "rank", lambda rank=rank: rank)
            parts.append(list(range(size))[train.share(size)])
        assert [*itertools.chain(*parts)] == list(range(size))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1

    def test_where_there_is_a_gpu_each_process_takes_its_own(self, monkeypatch):
        backends = []
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(dist, "is_torchelastic_launched", lambda: True)
        monkeypatch.setattr(dist, "init_process_group", backends.append)
        monkeypatch.setenv("LOCAL_RANK", "3")
        train.join()
        assert backends == ["cpu:gloo,cuda:nccl"]
        monkeypatch.setattr(torch, "ones", lambda shape, **_: torch.zeros(shape))
        assert train.place_of(None) == train.place_of("cuda") == torch.device("cuda", 3)
        assert train.place_of("cuda:1") == torch.device("cuda", 1)


def interrupt(*_arguments, **_flags):
    raise KeyboardInterrupt
