"""`fit`: a reader's own network and DataLoader; stopped and gone on bit for bit; the best kept."""

import math
import signal
import sys
from contextlib import suppress

import pytest
import torch
from fit_checks import (
    Reader,
    Terminal,
    assert_same_bits,
    bits,
    checkpoint,
    finish,
    loader,
    loaders,
    metrics,
    one_thread,  # noqa: F401 - a fixture
    reader,
    samples,
    start,
    wait_for_epochs,
)
from torch.nn.functional import cross_entropy
from torch.utils.data import BatchSampler, DataLoader, Dataset, TensorDataset
from torch.utils.data.distributed import DistributedSampler
from torch_checks import DEVICES

from snn_docs import LIF, Sequential
from snn_docs.fitting import RunError, best, fit, measure


def test_an_epoch_by_hand(tmp_path):
    network, by_hand = reader(dropout=0.0), reader(dropout=0.0)
    validation = loader(20, seed=1)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.001)  # the rate, unless told
    losses, answers = [], []
    for *inputs, labels in loader():  # the last batch is smaller
        scores = by_hand(*inputs)
        losses.append(cross_entropy(scores, labels, reduction="none").detach())
        answers.append(scores.argmax(-1) == labels)
        optimizer.zero_grad()
        cross_entropy(scores, labels).backward()
        optimizer.step()
    (record,) = fit(network, loader(), validation, tmp_path, epochs=1)
    assert record.pop("seconds") > 0
    validation_loss, validation_accuracy = measure(by_hand, validation)
    assert record == {
        "epoch": 1,
        "train_loss": pytest.approx(torch.cat(losses).mean().item()),
        "train_accuracy": pytest.approx(torch.cat(answers).double().mean().item()),
        "validation_loss": pytest.approx(validation_loss),
        "validation_accuracy": validation_accuracy,
    }
    torch.testing.assert_close(list(network.parameters()), list(by_hand.parameters()))


def test_a_network_that_was_left_in_evaluation_learns_the_same(tmp_path):
    fit(reader(), *loaders(), tmp_path / "training", epochs=2)
    fit(reader().eval(), *loaders(), tmp_path / "evaluation", epochs=2)
    assert_same_bits(tmp_path / "evaluation", tmp_path / "training")


class TestHooks:
    def test_a_loss_of_one_s_own_is_trained_and_measured(self, tmp_path):
        def twice(scores, labels):
            return 2 * cross_entropy(scores, labels)

        ours, theirs = reader(dropout=0.0), reader(dropout=0.0)
        torch.manual_seed(0)  # of the order of samples
        own = fit(ours, *loaders(), tmp_path / "own", epochs=1, loss=twice)[0]
        torch.manual_seed(0)
        usual = fit(theirs, *loaders(), tmp_path / "usual", epochs=1)[0]
        assert own["train_loss"] == pytest.approx(2 * usual["train_loss"], rel=1e-3)
        told = measure(ours, loaders()[1], loss=twice)
        assert (own["validation_loss"], own["validation_accuracy"]) == told

    def test_a_loss_that_is_not_one_number_says_so(self, tmp_path):
        with pytest.raises(ValueError, match=r"loss must return one number, .* \.mean\(\)"):
            fit(reader(), *loaders(), tmp_path, epochs=1, loss=lambda scores, _: scores.sum(1))

    def test_training_ends_where_told_and_goes_on_from_there(self, tmp_path):
        seen = []

        def second(records):
            seen.append(len(records))
            return len(records) == 2

        network = reader()
        assert len(fit(network, *loaders(), tmp_path, epochs=4, on_epoch=second)) == 2
        assert len(fit(network, *loaders(), tmp_path, epochs=4, resume=True)) == 4
        assert seen == [1, 2]


@pytest.mark.parametrize("device", DEVICES)
def test_on_each_device_and_on_from_there_on_the_cpu(device, tmp_path):
    network, places = reader(), set()
    network.register_forward_pre_hook(lambda _, inputs: places.add(inputs[0].device.type))
    records = fit(network, *loaders(), tmp_path, epochs=2, device=device)
    assert places == {device}
    assert fit(reader(), *loaders(), tmp_path, epochs=3, resume=True, device="cpu")[:2] == records


def test_a_terminal_shows_a_bar(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    records = fit(reader(), *loaders(), tmp_path, epochs=3)
    shown = sys.stderr.getvalue()
    assert "3/3" in shown
    assert f"validation={records[-1]['validation_accuracy']:.3f}" in shown


def test_nothing_else_is_shown(tmp_path, capfd):
    fit(reader(), *loaders(), tmp_path, epochs=3)
    assert capfd.readouterr() == ("", "")


class Interrupted(Dataset):
    """A reader's own data set, whose reading Ctrl-C ends at some sample."""

    def __init__(self, reads=None):
        self.parts, self.left = samples(), reads

    def __len__(self):
        return len(self.parts[0])

    def __getitem__(self, k):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        inputs, lengths, labels = (part[k] for part in self.parts)
        return inputs + 0.1 * torch.randn(inputs.shape), lengths, labels


def with_a_neuron_more():
    """A network with the same weights, and a leak and a threshold that the other has not."""
    network = Reader()
    network.layers[2] = LIF(leak=0.1)
    return network


OWN = """
import sys
from fit_checks import loaders, reader
from snn_docs.fitting import fit

fit(reader(), *loaders(), sys.argv[1], epochs=10_000)
"""


class TestGoingOn:
    @pytest.fixture(params=[True, False], ids=["own generator", "torch's"])
    def loaded(self, request):
        """Return what makes the same DataLoader again."""

        def make(reads=None):
            generator = torch.Generator().manual_seed(7) if request.param else None
            settings = {"batch_size": 8, "shuffle": True, "generator": generator}
            return DataLoader(Interrupted(reads), **settings)

        return make

    @pytest.mark.parametrize("reads", [0, 1, 29, 30, 31, 75, 119])
    def test_after_ctrl_c_at_any_sample(self, reads, loaded, tmp_path):
        held, whole, out = loader(20, seed=1), tmp_path / "whole", tmp_path / "parts"
        network = reader()
        fit(network, loaded(), held, whole, epochs=4)
        with pytest.raises(KeyboardInterrupt):
            fit(reader(), loaded(reads), held, out, epochs=4)
        assert len(metrics(out)) == reads // 30
        again = reader(seed=reads + 1)  # whatever it was, the checkpoint's weights come
        fit(again, loaded(), held, out, epochs=4, resume=True)
        assert_same_bits(out, whole)
        assert bits(again.state_dict()) == bits(network.state_dict())

    @pytest.mark.slow
    def test_after_ctrl_c_in_a_terminal(self, tmp_path):
        (tmp_path / "own.py").write_text(OWN)
        process = start(tmp_path / "own.py", tmp_path / "run")
        wait_for_epochs(tmp_path / "run", 2, process)
        process.send_signal(signal.SIGINT)
        finish(process)
        epochs = len(metrics(tmp_path / "run")) + 1
        fit(reader(), *loaders(), tmp_path / "run", epochs=epochs, resume=True)
        fit(reader(), *loaders(), tmp_path / "whole", epochs=epochs)
        assert_same_bits(tmp_path / "run", tmp_path / "whole")

    def test_when_another_has_gone_on_meanwhile(self, tmp_path):
        """Two that go on with one run, by mistake, leave what one would."""

        def another(*_):
            if len(metrics(tmp_path / "run")) == 1:
                with torch.random.fork_rng():
                    fit(reader(), *loaders(), tmp_path / "run", epochs=3, resume=True)

        fit(reader(), *loaders(), tmp_path / "whole", epochs=4)
        fit(reader(), *loaders(), tmp_path / "run", epochs=1)
        network = reader()
        network.register_forward_pre_hook(another)
        fit(network, *loaders(), tmp_path / "run", epochs=4, resume=True)
        assert_same_bits(tmp_path / "run", tmp_path / "whole")

    def test_in_another_number_of_parts(self, tmp_path):
        for epochs in (1, 3, 3, 4):
            fit(reader(), *loaders(), tmp_path / "parts", epochs=epochs, resume=epochs > 1)
            if epochs == 1:
                with pytest.raises(RunError, match="a run already; go on with resume"):
                    fit(reader(), *loaders(), tmp_path / "parts", epochs=4)
        fit(reader(), *loaders(), tmp_path / "whole", epochs=4)
        ours, theirs = (checkpoint(tmp_path / name) for name in ("parts", "whole"))
        assert bits(ours) == bits(theirs)

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"lr": 0.02}, "lr is 0.02, but the run in .* has 0.01; give the same, or start anew"),
            ({"epochs": 1}, "epochs is 1, but the run in .* has had 2; give that or more"),
            ({"network": Reader(5)}, "has trained another network"),
            ({"network": torch.nn.Sequential(Reader())}, "has trained another network"),
            ({"network": with_a_neuron_more()}, "has trained another network"),
            ({"training": loader(generator=torch.Generator())}, "or with another DataLoader"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_not_with_other_settings(self, changed, message, tmp_path):
        training, validation = loaders()
        settings = {"network": reader(), "training": training, "validation": validation}
        settings |= {"out": tmp_path, "epochs": 2, "lr": 0.01}
        fit(**settings)
        before = (tmp_path / "checkpoint.pt").read_bytes()
        with pytest.raises(RunError, match=message):
            fit(**settings | changed, resume=True)
        assert (tmp_path / "checkpoint.pt").read_bytes() == before


class TestTheBest:
    def test_has_the_weights_of_the_best_epoch_in_validation(self, tmp_path):
        network, (training, validation) = reader(), loaders()
        records = fit(network, training, validation, tmp_path, epochs=12, lr=0.3)
        chosen = best(records)
        assert chosen["validation_accuracy"] == max(each["validation_accuracy"] for each in records)
        assert chosen is not records[-1]  # or nothing would be shown
        told = chosen["validation_loss"], chosen["validation_accuracy"]
        assert measure(network, validation) == told
        again = reader(seed=1)
        again.load_state_dict(torch.load(tmp_path / "best.pt", weights_only=True))
        assert measure(again, validation) == told

    def test_of_equals_has_the_least_loss_and_then_comes_first(self):
        pairs = [(0.5, 0.1), (0.9, 0.4), (0.9, 0.3), (0.9, 0.3), (0.8, 0.2)]
        names = "validation_accuracy", "validation_loss"
        records = [dict(zip(names, pair, strict=True)) for pair in pairs]
        assert best(records) is records[2]


class TestMeasure:
    def test_by_hand(self):
        network = reader().eval()
        inputs, lengths, labels = samples(20)
        scores = network(inputs, lengths)
        loss, accuracy = measure(network, loader(20))
        assert loss == pytest.approx(cross_entropy(scores, labels).item())
        assert accuracy == (scores.argmax(-1) == labels).double().mean()

    def test_draws_the_same_and_leaves_all_as_it_was(self):
        network, noisy = reader(), DataLoader(Interrupted(), batch_size=8)
        before, state = torch.get_rng_state(), bits(network.state_dict())
        first = measure(network, noisy)
        assert torch.equal(torch.get_rng_state(), before)
        torch.rand(5)
        assert measure(network, noisy) == first
        assert network.training
        assert bits(network.state_dict()) == state

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_counts_in_half_precision_too(self, dtype):
        scores, labels = torch.zeros(30_000, 2, dtype=dtype), torch.arange(30_000) % 2
        loss, accuracy = measure(torch.nn.Identity(), [(scores, labels)])
        assert loss == pytest.approx(math.log(2), rel=1e-4)
        assert accuracy == 0.5

    @pytest.mark.parametrize("batches", [loader(20), [None]], ids=["well", "with an error"])
    def test_a_layer_that_is_frozen_stays_so(self, batches):
        network = reader()
        frozen, *others = reversed(list(network.modules()))
        frozen.eval()
        with suppress(TypeError):
            measure(network, batches)
        assert not frozen.training
        assert all(each.training for each in others)


SHARES = DistributedSampler(range(30), num_replicas=2, rank=0)
SHARED = DataLoader(TensorDataset(*samples()), batch_size=8, sampler=SHARES)
SHARED_IN_BATCHES = DataLoader(
    TensorDataset(*samples()), batch_sampler=BatchSampler(SHARES, 8, drop_last=False)
)


class TestRefusals:
    @pytest.mark.parametrize(
        ("changed", "error", "message"),
        [
            ({"network": Reader}, TypeError, "network must be a torch.nn.Module, but a type came"),
            ({"epochs": 0}, ValueError, "epochs must be 1 or more, but 0 came"),
            ({"resume": torch.ones(())}, TypeError, "resume must be True or False, but a torch.T"),
            ({"lr": 0.0}, ValueError, "lr must be positive and finite, but 0.0 came"),
            ({"device": "meta"}, RunError, "device meta can't compute here; give cpu"),
            ({"training": []}, ValueError, "there was no batch; give a DataLoader that is not"),
            ({"training": iter(loader())}, ValueError, "which a generator can't"),
            (
                {"network": Sequential(torch.nn.Linear(3, 2)).requires_grad_(requires_grad=False)},
                ValueError,
                "of 2 none requires a gradient",
            ),
            ({"training": SHARED}, ValueError, "training has a DistributedSampler, but each"),
            ({"validation": SHARED_IN_BATCHES}, ValueError, "validation has a DistributedSampler"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_a_bad_argument(self, changed, error, message, tmp_path):
        training, validation = loaders()
        settings = {"network": reader(), "training": training, "validation": validation}
        settings |= {"out": tmp_path / "run", "epochs": 2}
        with pytest.raises(error, match=message):
            fit(**settings | changed)

    def test_a_file_where_the_folder_should_be(self, tmp_path):
        (tmp_path / "run").touch()
        with pytest.raises(FileExistsError):
            fit(reader(), *loaders(), tmp_path / "run", epochs=1)

    def test_a_missing_package(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "tqdm", None)
        with pytest.raises(
            ImportError, match=r'install it with pip install "snn-docs\[notebooks\]"'
        ):
            fit(reader(), *loaders(), tmp_path, epochs=1)
        assert not list(tmp_path.iterdir())

    def test_a_loss_that_is_none(self, tmp_path):
        class Zero(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(3, 2)

            def forward(self, inputs, _):
                scores = self.layer(inputs[:, 0])
                return scores if self.training else scores * torch.nan

        with pytest.raises(RunError, match="the loss is nan in epoch 1"):
            fit(Zero(), loader(), loader(), tmp_path, epochs=2)

    def test_an_explosion(self, tmp_path):
        with pytest.raises(RunError, match="infinite or NaN after epoch 1: the gradient has expl"):
            fit(reader(), loader(), loader(), tmp_path, epochs=2, lr=3e37)
        assert not list(tmp_path.iterdir())
