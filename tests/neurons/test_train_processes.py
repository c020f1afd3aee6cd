"""Training among processes: what one would do, all or none, and one writes."""

import itertools
import sys
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import torch
import torch.distributed as dist
from train_checks import (
    LIMIT,
    MATCH,
    Terminal,
    assert_same_bits,
    checkpoint,
    few_samples,  # noqa: F401 - a fixture
    few_samples_here,
    finish,
    metrics,
    one_thread,  # noqa: F401 - a fixture
    start,
    wait_for_epochs,
)

from snn_docs import processes, tasks, train
from snn_docs.train import Config, main

SIZES = 64, 29, 3  # of batches: the last leaves nothing for one of four processes
WORKER = f"""
import sys
from pathlib import Path
import torch
from torch.nn.parallel import DistributedDataParallel
from snn_docs import fitting, processes, tasks, train

folder = Path(sys.argv[1])
processes.join()
me = folder / str(processes.rank())
try:
    train.train(folder / "missing", resume=True)
except train.RunError as error:
    me.with_suffix(".refused").write_text(str(error))
torch.manual_seed(0)
task = tasks.delayed_match(train.Config(task="delayed_match"))
run = fitting.Run(task.network, [], [], torch.device("cpu"), 1, 0.1, {{}})
model = DistributedDataParallel(run.network)
gradients = []
for size in {SIZES}:
    run.backward(model, task.training.dataset[:size])
    gradients.append([parameter.grad.clone() for parameter in run.network.parameters()])
torch.save(gradients, me.with_suffix(".gradients"))
train.train(folder / "run", task="delayed_match", epochs=2)
train.main(["--resume", "--out", str(folder / "run"), "--epochs", "10000"])
"""


OWN = """
import sys
from train_checks import loaders, reader
from snn_docs.fitting import fit, measure
from snn_docs.processes import rank

training, validation = loaders()
network = reader(seed=rank(), dropout=0.0)  # each has its own weights, and draws its own order
fit(network, training, validation, sys.argv[1], epochs=3)
told = " ".join(map(str, measure(network, validation)))
sys.stdout.write(f"told {told}\\n")  # at once, or the two would write into each other's line
sys.stdout.flush()
"""


class Job(NamedTuple):
    """What some processes did together, until one of them was killed."""

    number: int
    folder: Path
    status: int
    survivors: list
    seen: list  # metrics before the kill


@pytest.fixture(scope="module", params=[(2, 1), (4, 0)], ids=["2", "4"])
def job(request, tmp_path_factory):
    number, victim = request.param
    folder = tmp_path_factory.mktemp("job")
    (folder / "worker.py").write_text(WORKER)
    launcher = start(folder / "worker.py", folder, processes=number)
    seen = wait_for_epochs(folder / "run", 4, launcher)
    workers = psutil.Process(launcher.pid).children(recursive=True)
    (worker,) = (each for each in workers if each.environ().get("RANK") == str(victim))
    worker.kill()
    status, _, _ = finish(launcher)
    return Job(number, folder, status, psutil.wait_procs(workers, timeout=LIMIT)[1], seen)


@pytest.mark.slow
def test_they_have_the_gradients_of_one(job):
    torch.manual_seed(0)
    task, expected = tasks.delayed_match(Config(task="delayed_match")), []
    for size in SIZES:
        inputs, labels = task.training.dataset[:size]
        loss = torch.nn.functional.cross_entropy(task.network(inputs), labels)
        expected.append(list(torch.autograd.grad(loss, list(task.network.parameters()))))
    for rank in range(job.number):
        gradients = torch.load(job.folder / f"{rank}.gradients", weights_only=True)
        torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_they_have_the_metrics_of_one(job, tmp_path):
    alone, _ = train.train(tmp_path, task="delayed_match", epochs=4)
    for ours, theirs in zip(job.seen, alone, strict=False):
        assert list(ours) == list(theirs)
        seconds = {"seconds": theirs["seconds"]}
        assert ours | seconds == pytest.approx(theirs, rel=1e-3, abs=5e-3)


@pytest.mark.slow
def test_they_refuse_the_same(job):
    told = {(job.folder / f"{rank}.refused").read_text() for rank in range(job.number)}
    (line,) = told
    assert line.startswith("there is no ")


@pytest.mark.slow
def test_a_script_of_ones_own_does_the_same(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    told = {}
    for number in (None, 2):
        out = tmp_path / f"{number}"
        status, output, errors = finish(start(tmp_path / "own.py", out, processes=number))
        assert status == 0, errors
        told[number] = [line.split()[1:] for line in output.splitlines()]
    ours, theirs = (metrics(tmp_path / name) for name in ("None", "2"))
    for record, other in zip(ours, theirs, strict=True):
        assert record | {"seconds": 0} == pytest.approx(other | {"seconds": 0}, rel=1e-4)
    assert len(told[2]) == 2
    for each in told[2]:
        assert [*map(float, each)] == pytest.approx([*map(float, told[None][0])], rel=1e-4)


@pytest.mark.slow
def test_a_killed_one_ends_them_all(job):
    assert job.status not in (0, None)
    assert not job.survivors


@pytest.mark.slow
def test_after_a_kill_the_run_goes_on(job):
    done = len(checkpoint(job.folder / "run")["records"])
    arguments = ["--resume", "--out", str(job.folder / "run"), "--epochs", str(done + 1)]
    assert main(arguments) == 0
    records = metrics(job.folder / "run")
    assert [record["epoch"] for record in records] == list(range(1, done + 2))
    assert records[: len(job.seen)] == job.seen


@few_samples_here
def test_one_in_a_group_does_what_one_alone_does_and_leaves_it(tmp_path):
    flags = [*MATCH, "--epochs", "2", "--out"]
    assert main([*flags, str(tmp_path / "alone")]) == 0
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    assert main([*flags, str(tmp_path / "group")]) == 0
    assert not dist.is_initialized()
    assert_same_bits(tmp_path / "group", tmp_path / "alone")


@few_samples_here
def test_only_the_first_writes_and_speaks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(processes, "rank", lambda: 1)
    monkeypatch.setattr(processes, "number", lambda: 2)
    monkeypatch.setattr(processes, "agreed", lambda decide: decide())
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
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_shares_are_even_and_make_up_the_whole(size, number, monkeypatch):
    monkeypatch.setattr(processes, "number", lambda: number)
    parts = []
    for rank in range(number):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        parts.append(list(range(size))[processes.share(size)])
    assert [*itertools.chain(*parts)] == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_where_there_is_a_gpu_each_process_takes_its_own(monkeypatch):
    backends = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(dist, "is_torchelastic_launched", lambda: True)
    monkeypatch.setattr(dist, "init_process_group", backends.append)
    monkeypatch.setenv("LOCAL_RANK", "3")
    processes.join()
    assert backends == ["cpu:gloo,cuda:nccl"]
    monkeypatch.setattr(torch, "ones", lambda shape, **_: torch.zeros(shape))
    assert processes.place_of(None) == processes.place_of("cuda") == torch.device("cuda", 3)
    assert processes.place_of("cuda:1") == torch.device("cuda", 1)


def interrupt(*_arguments, **_flags):
    raise KeyboardInterrupt
