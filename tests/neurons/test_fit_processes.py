"""`fit` among processes: what one would do, all or none, and one writes."""

import itertools
import sys
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import torch
import torch.distributed as dist
from fit_checks import (
    LIMIT,
    Terminal,
    assert_same_bits,
    checkpoint,
    finish,
    loaders,
    metrics,
    one_thread,  # noqa: F401 - a fixture
    reader,
    samples,
    start,
    wait_for_epochs,
)

from snn_docs import processes
from snn_docs.fitting import fit, measure

SIZES = 30, 17, 3  # of batches: the last leaves nothing for one of four processes
WORKER = f"""
import sys
from pathlib import Path
import torch
from fit_checks import Reader, loader, loaders, reader, samples
from torch.nn.parallel import DistributedDataParallel
from snn_docs.fitting import Run, RunError, fit, measure
from snn_docs.processes import join, rank

folder = Path(sys.argv[1])
training, validation = loaders()
join()
me = folder / str(rank())
try:
    fit(reader(), training, validation, folder / "missing", epochs=1, resume=True)
except RunError as error:
    me.with_suffix(".refused").write_text(str(error))
run = Run(reader(dropout=0.0), [], [], torch.device("cpu"), 0.1)
model = DistributedDataParallel(run.network)
gradients = []
for size in {SIZES}:
    run.backward(model, samples(size))
    gradients.append([parameter.grad.clone() for parameter in run.network.parameters()])
torch.save(gradients, me.with_suffix(".gradients"))
seen = []
class Watched(Reader):
    def forward(self, inputs, lengths):
        if self.training:
            seen.append(inputs[:, 0, 0])
        return super().forward(inputs, lengths)
fit(Watched(dropout=0.5), loader(33, shuffle=True), validation, folder / "random", epochs=3)
torch.save(torch.cat(seen), me.with_suffix(".seen"))
network = reader(seed=rank(), dropout=0.0)  # each has its own weights, and draws its own order
fit(network, training, validation, folder / "run", epochs=3)
torch.save(measure(network, validation), me.with_suffix(".measured"))
fit(network, training, validation, folder / "run", epochs=10_000, resume=True)
"""


class Job(NamedTuple):
    """What some processes did together, until one of them was killed."""

    number: int
    folder: Path
    status: int
    survivors: list
    seen: list  # metrics before the kill

    def left(self, kind):
        """What each process has left."""
        return [self.folder / f"{rank}.{kind}" for rank in range(self.number)]


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


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process does: its metrics and what it measures at the end."""
    folder, (training, validation) = tmp_path_factory.mktemp("alone"), loaders()
    network = reader(dropout=0.0)
    records = fit(network, training, validation, folder, epochs=3)
    return records, measure(network, validation)


@pytest.mark.slow
def test_they_have_the_gradients_of_one(job):
    network, expected = reader(dropout=0.0), []
    for size in SIZES:
        *inputs, labels = samples(size)
        loss = torch.nn.functional.cross_entropy(network(*inputs), labels)
        expected.append(list(torch.autograd.grad(loss, list(network.parameters()))))
    for left in job.left("gradients"):
        gradients = torch.load(left, weights_only=True)
        torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_they_have_the_metrics_of_one(job, alone):
    records, measured = alone
    for ours, theirs in zip(job.seen[:3], records, strict=True):
        assert ours | {"seconds": 0} == pytest.approx(theirs | {"seconds": 0}, rel=1e-4)
    for left in job.left("measured"):
        assert torch.load(left, weights_only=True) == pytest.approx(measured, rel=1e-4)


@pytest.mark.slow
def test_each_epoch_has_all_samples_though_the_network_draws_too(job):
    inputs, *_ = samples(33)
    seen = torch.cat([torch.load(left, weights_only=True) for left in job.left("seen")])
    assert torch.equal(seen.sort()[0], inputs[:, 0, 0].repeat(3).sort()[0])


@pytest.mark.slow
def test_they_refuse_the_same(job):
    (line,) = {left.read_text() for left in job.left("refused")}
    assert line.startswith("there is no ")


@pytest.mark.slow
def test_a_killed_one_ends_them_all(job):
    assert job.status not in (0, None)
    assert not job.survivors


@pytest.mark.slow
def test_after_a_kill_the_run_goes_on(job):
    done = len(checkpoint(job.folder / "run")["records"])
    network, batches = reader(dropout=0.0), loaders()
    records = fit(network, *batches, job.folder / "run", epochs=done + 1, resume=True)
    assert records == metrics(job.folder / "run")
    assert [record["epoch"] for record in records] == list(range(1, done + 2))
    assert records[: len(job.seen)] == job.seen


def test_one_in_a_group_does_what_one_alone_does(tmp_path):
    fit(reader(), *loaders(), tmp_path / "alone", epochs=2)
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    fit(reader(), *loaders(), tmp_path / "group", epochs=2)
    dist.destroy_process_group()
    assert_same_bits(tmp_path / "group", tmp_path / "alone")


def test_only_the_first_writes_and_speaks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(processes, "rank", lambda: 1)
    monkeypatch.setattr(processes, "number", lambda: 2)
    monkeypatch.setattr(processes, "agreed", lambda decide: decide())
    monkeypatch.setattr(sys, "stderr", Terminal())
    fit(reader(), *loaders(), tmp_path, epochs=1)
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
