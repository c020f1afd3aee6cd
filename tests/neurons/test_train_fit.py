"""`fit`: a reader's own network and DataLoader; stopped and gone on bit for bit; the best kept."""

from contextlib import suppress

import pytest
import torch
from torch.utils.data import DataLoader, Dataset
from train_checks import (
    Reader,
    assert_same_bits,
    bits,
    checkpoint,
    loader,
    loaders,
    metrics,
    one_thread,  # noqa: F401 - a fixture
    reader,
    samples,
)

from snn_docs import LIF, Sequential
from snn_docs.checkpoints import RunError
from snn_docs.fitting import best, fit, measure


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
            ({"about": {"leak": 0.2}}, "about is .*0.2.*, but the run in .* has {'leak': 0.1}"),
            ({"epochs": 1}, "epochs is 1, but the run in .* has had 2; give that or more"),
            ({"network": Reader(5)}, "has trained another network"),
            ({"network": torch.nn.Sequential(Reader())}, "has trained another network"),
            ({"training": loader(generator=torch.Generator())}, "or with another DataLoader"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_not_with_other_settings(self, changed, message, tmp_path):
        training, validation = loaders()
        settings = {"network": reader(), "training": training, "validation": validation}
        settings |= {"out": tmp_path, "epochs": 2, "lr": 0.01, "about": {"leak": 0.1}}
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
        assert loss == pytest.approx(torch.nn.functional.cross_entropy(scores, labels).item())
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

    @pytest.mark.parametrize("batches", [loader(20), [None]], ids=["well", "with an error"])
    def test_a_layer_that_is_frozen_stays_so(self, batches):
        network = reader()
        frozen, *others = reversed(list(network.modules()))
        frozen.eval()
        with suppress(TypeError):
            measure(network, batches)
        assert not frozen.training
        assert all(each.training for each in others)


class Unread(torch.nn.Module):
    """A network whose last layer nobody has read, or not as is meant."""

    def __init__(self, read):
        super().__init__()
        self.layers, self.read = Sequential(torch.nn.Linear(3, 2), LIF(leak=0.1)), read

    def forward(self, inputs, _):
        return self.read(self.layers.run(inputs.transpose(0, 1)))


class TestRefusals:
    @pytest.mark.parametrize(
        ("batch", "error", "message"),
        [
            (torch.ones(2), TypeError, r"a batch must be .*, but a torch\.Tensor of \[\] came"),
            ((torch.ones(2),), TypeError, "inputs first and labels last"),
            ((torch.ones(2), [0, 1]), TypeError, r"of \['torch.Tensor', 'list'\] came"),
            ((torch.ones(2, 3), torch.ones(2)), TypeError, r"convert with labels\.long\(\)"),
            (
                (torch.ones(6, 2, 3), torch.tensor([0, 1])),
                ValueError,
                r"samples first.* \[\[6, 2, 3\], \[2\]\] came; put time second",
            ),
            ((torch.ones(2, 3), torch.tensor([[0], [1]])), ValueError, "one label for each"),
            (
                (torch.full((2, 3), torch.nan), torch.tensor([0, 1])),
                ValueError,
                r"batch\[0\] must be finite, but 6 of 6 numbers are NaN",
            ),
        ],
    )
    def test_what_is_no_batch(self, batch, error, message, tmp_path):
        with pytest.raises(error, match=message):
            fit(reader(), [batch], loader(), tmp_path, epochs=1)
        assert not list(tmp_path.iterdir())  # nothing that would block the next

    @pytest.mark.parametrize(
        ("read", "error", "message"),
        [
            (lambda run: run, TypeError, "must return one tensor, but a tuple came; read the last"),
            (lambda run: run[0], ValueError, r"shape \[8, classes\], but \[6, 8, 2\] came; read"),
            (lambda run: run[0][0, 0], ValueError, r"\[8, classes\], but \[2\] came"),
        ],
    )
    def test_what_is_no_answer(self, read, error, message):
        with pytest.raises(error, match=message):
            measure(Unread(read), loader())

    @pytest.mark.parametrize(
        ("changed", "error", "message"),
        [
            ({"network": Reader}, TypeError, "network must be a torch.nn.Module, but a type came"),
            ({"epochs": 0}, ValueError, "epochs must be 1 or more, but 0 came"),
            ({"lr": 0.0}, ValueError, "lr must be positive and finite, but 0.0 came"),
            ({"device": "meta"}, RunError, "device meta can't compute here; give cpu"),
            ({"out": ""}, RunError, "out names no folder"),
            ({"training": []}, ValueError, "there was no batch; give a DataLoader that is not"),
            ({"training": iter(loader())}, ValueError, "which a generator can't"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_a_bad_argument(self, changed, error, message, tmp_path):
        training, validation = loaders()
        settings = {"network": reader(), "training": training, "validation": validation}
        settings |= {"out": tmp_path / "run", "epochs": 2}
        with pytest.raises(error, match=message):
            fit(**settings | changed)

    def test_an_explosion(self, tmp_path):
        with pytest.raises(RunError, match="infinite or NaN after epoch 1: the gradient has expl"):
            fit(reader(), loader(), loader(), tmp_path, epochs=2, lr=3e37)
        assert not list(tmp_path.iterdir())
