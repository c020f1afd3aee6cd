"""`data`: digits as scikit-learn has them, and a task that no single step can solve."""

import socket
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch_checks import reproducible

from snn_docs import data


@pytest.fixture(scope="module")
def split():
    return data.digits()


def rows(inputs, labels):
    """Return images with their labels, in an order of their own."""
    return sorted((*image, label) for image, label in zip(inputs, labels, strict=True))


class TestDigits:
    def test_shapes_and_dtypes(self, split):
        assert [tuple(tensor.shape) for tensor in split] == [(1437, 64), (1437,), (360, 64), (360,)]
        assert split.train_inputs.dtype == split.test_inputs.dtype == torch.float32
        assert split.train_labels.dtype == split.test_labels.dtype == torch.int64

    def test_the_two_parts_are_scikit_learns_images_each_once(self, split):
        pixels, labels = load_digits(return_X_y=True)
        train = rows((split.train_inputs * 16).tolist(), split.train_labels.tolist())
        test = rows((split.test_inputs * 16).tolist(), split.test_labels.tolist())
        assert sorted(train + test) == rows(pixels.tolist(), labels.tolist())

    def test_values_fill_0_to_1(self, split):
        for inputs in (split.train_inputs, split.test_inputs):
            assert (inputs.min(), inputs.max()) == (0, 1)

    def test_every_digit_is_split_in_the_same_proportion(self, split):
        test, train = split.test_labels.bincount(), split.train_labels.bincount()
        assert len(test) == len(train) == 10
        assert ((test - (test + train) * 360 / 1797).abs() < 1).all()

    def test_the_split_is_the_one_that_the_book_is_written_with(self, split):
        assert split.train_labels[:12].tolist() == [3, 9, 1, 3, 1, 9, 4, 4, 2, 8, 3, 5]
        assert split.test_labels[:12].tolist() == [7, 6, 3, 7, 7, 3, 2, 8, 9, 3, 2, 6]

    def test_a_seed_gives_one_split_and_another_seed_another(self, split):
        for ours, again in zip(split, data.digits(seed=0), strict=True):
            assert torch.equal(ours, again)
        assert not torch.equal(data.digits(seed=1).test_inputs, split.test_inputs)

    def test_nothing_is_downloaded(self, split, monkeypatch):
        def refuse(*_arguments, **_keywords):
            raise AssertionError("a socket was opened")

        monkeypatch.setattr(socket, "socket", refuse)
        assert torch.equal(data.digits().test_inputs, split.test_inputs)

    def test_an_earlier_draw_from_the_global_generators_changes_nothing(self, split):
        with torch.random.fork_rng():
            torch.manual_seed(7)
            assert torch.equal(data.digits().test_inputs, split.test_inputs)

    @pytest.mark.parametrize(
        ("seed", "error", "message"),
        [
            (-1, ValueError, "seed must be 0 or more, but -1 came"),
            (True, TypeError, "seed must be an int, but a bool came"),
            (0.0, TypeError, "seed must be an int, but a float came"),
        ],
    )
    def test_seeds_that_are_none(self, seed, error, message):
        with pytest.raises(error, match=message):
            data.digits(seed=seed)

    def test_without_scikit_learn_it_says_how_to_install_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
        with pytest.raises(ImportError, match=r'pip install "snn-docs\[train\]"'):
            data.digits()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def cues_of(inputs):
    """Read the two cues: which half of the channels fires, at the beginning and at the end."""
    halves = inputs.reshape(len(inputs), -1, 2, 10).sum(-1)
    return halves[:5].sum(0).argmax(-1), halves[-5:].sum(0).argmax(-1)


def accuracy(features, labels):
    """Train a classifier on the first half and test it on the second."""
    half = len(labels) // 2
    model = LogisticRegression().fit(features[:half], labels[:half])
    return model.score(features[half:], labels[half:])


class TestDelayedMatch:
    @pytest.mark.parametrize("samples", [1, 2, 7, 100])
    @pytest.mark.parametrize("delay", [0, 1, 30])
    def test_shapes_and_dtypes(self, samples, delay):
        inputs, labels = data.delayed_match(samples, delay, generator=seeded())
        assert inputs.shape == (10 + delay, samples, 20)
        assert labels.shape == (samples,)
        assert (inputs.dtype, labels.dtype) == (torch.float32, torch.int64)

    @settings(reproducible, max_examples=50)
    @given(st.integers(1, 200), st.integers(0, 20), st.integers(0, 2**31))
    def test_the_label_says_whether_the_cues_are_equal(self, samples, delay, seed):
        inputs, labels = data.delayed_match(samples, delay, generator=seeded(seed))
        first, second = cues_of(inputs)
        assert torch.equal(labels, (first == second).long())

    @settings(reproducible, max_examples=50)
    @given(st.integers(1, 200), st.integers(0, 2**31))
    def test_the_four_pairs_of_cues_are_equally_many(self, samples, seed):
        inputs, _ = data.delayed_match(samples, 3, generator=seeded(seed))
        first, second = cues_of(inputs)
        counts = (2 * first + second).bincount(minlength=4)
        assert counts.max() - counts.min() == (samples % 4 > 0)

    def test_the_order_is_drawn(self):
        _, labels = data.delayed_match(1000, 3, generator=seeded())
        alike = (labels[1:] == labels[:-1]).double().mean().item()
        assert alike == pytest.approx(0.5, abs=0.08)

    def test_the_delay_is_silent(self):
        inputs, _ = data.delayed_match(100, 7, generator=seeded())
        assert not inputs[5:12].any()
        assert inputs[:5].any(-1).any(-1).all()
        assert inputs[12:].any(-1).any(-1).all()

    def test_one_half_of_the_channels_fires_at_half_of_the_steps(self):
        inputs, _ = data.delayed_match(1000, 3, generator=seeded())
        for cue, window in zip(cues_of(inputs), (inputs[:5], inputs[-5:]), strict=True):
            halves = window.reshape(5, 1000, 2, 10)
            active = halves[:, torch.arange(1000), cue]
            assert not halves[:, torch.arange(1000), 1 - cue].any()
            assert set(active.unique().tolist()) == {0, 1}
            assert active.mean().item() == pytest.approx(0.5, abs=0.01)

    def test_one_cue_tells_nothing(self):
        """Exactly half of the samples with either cue are equal: a guess, whatever the rule."""
        inputs, labels = data.delayed_match(400, 3, generator=seeded())
        for cue in cues_of(inputs):
            for kind in (0, 1):
                assert labels[cue == kind].double().mean() == 0.5

    def test_no_single_step_can_solve_it(self):
        inputs, labels = data.delayed_match(4000, 3, generator=seeded())
        for step in inputs:
            assert accuracy(step.numpy(), labels.numpy()) == pytest.approx(0.5, abs=0.05)

    def test_one_step_of_either_cue_can(self):
        """The same classifier solves it from what two steps say together."""
        inputs, labels = data.delayed_match(4000, 3, generator=seeded())
        halves = inputs.reshape(13, 4000, 2, 10).sum(-1)
        lead = (halves[..., 1] - halves[..., 0]).sign()
        assert accuracy((lead[0] * lead[-1]).unsqueeze(1).numpy(), labels.numpy()) > 0.99

    def test_a_seed_gives_one_data_set_and_another_seed_another(self):
        one, again, other = (
            data.delayed_match(100, 3, generator=seeded(seed)) for seed in (0, 0, 1)
        )
        assert torch.equal(one[0], again[0])
        assert torch.equal(one[1], again[1])
        assert not torch.equal(one[0], other[0])
        assert not torch.equal(one[1], other[1])

    def test_without_a_generator_the_global_one_draws(self):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            inputs, labels = data.delayed_match(100, 3)
        expected = data.delayed_match(100, 3, generator=seeded())
        assert torch.equal(inputs, expected[0])
        assert torch.equal(labels, expected[1])

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"samples": 0}, ValueError, "samples must be 1 or more, but 0 came"),
            ({"delay": -1}, ValueError, "delay must be 0 or more, but -1 came"),
            ({"samples": True}, TypeError, "samples must be an int, but a bool came"),
            ({"delay": 2.0}, TypeError, "delay must be an int, but a float came"),
            ({"generator": 0}, TypeError, "generator must be a torch.Generator or None"),
        ],
    )
    def test_errors(self, arguments, error, message):
        with pytest.raises(error, match=message):
            data.delayed_match(**{"samples": 4, "delay": 3} | arguments)


def test_scikit_learn_is_imported_only_when_it_is_asked_for():
    script = "import sys, snn_docs.data; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"
