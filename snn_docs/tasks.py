"""What `snn_docs.train` can learn: each task with its sets and a fresh network."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from snn_docs import data, encoding, surrogate
from snn_docs.equations import Reset
from snn_docs.network import Network, count, last_potential, max_potential, mean_potential
from snn_docs.neurons import LIF
from snn_docs.sequential import Sequential

Batch = tuple[Tensor, ...]
Encode = Callable[[Any], Batch]

HIDDEN = 512
SAMPLES = 1024, 512, 512  # of the delayed match: for training, validation and the test
VALIDATION = {"digits": 360, "images": 500, "speech": 45}  # for validation
STEPS = {"digits": 16, "delayed_match": 16, "images": 4, "speech": 29}  # unless told otherwise
SEED = 0  # the data and its parts stay the same whatever the seed of a run

ENCODINGS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "direct": encoding.direct,
    "rate": encoding.rate,
    "latency": encoding.latency,
}
SURROGATES: dict[str, Callable[[Tensor], Tensor]] = {
    "heaviside": surrogate.Heaviside.apply,
    "arctan": surrogate.ArcTan(),
    "fast_sigmoid": surrogate.FastSigmoid(),
    "sigmoid": surrogate.Sigmoid(),
    "triangle": surrogate.Triangle(),
    "boxcar": surrogate.Boxcar(),
    "straight_through": surrogate.StraightThrough(),
}
READOUTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "count": lambda spikes, _: count(spikes),
    "last": lambda _, v: last_potential(v),
    "max": lambda _, v: max_potential(v),
}


class _Settings(Protocol):
    """What a task reads of `snn_docs.train.Config`, which reads the tables here."""

    @property
    def encoding(self) -> str: ...

    @property
    def readout(self) -> str: ...

    @property
    def surrogate(self) -> str: ...

    @property
    def reset(self) -> Reset: ...

    @property
    def detach_reset(self) -> bool: ...

    @property
    def leak(self) -> float: ...

    @property
    def steps(self) -> int: ...


class Task(NamedTuple):
    """What is learnt, and by what."""

    training: Iterable[Batch]
    validation: Iterable[Batch]
    test: Iterable[Batch]
    network: nn.Module
    lr: float = 1e-3


class Connected(nn.Module):
    """The fully connected network of the pages on digits and on memory."""

    def __init__(self, sizes: list[int], config: _Settings) -> None:
        super().__init__()
        self.layers = Network(sizes, lambda: neuron(config))
        self.readout = config.readout

    def forward(self, inputs: Tensor) -> Tensor:
        """Return scores for inputs of the shape [B, T, features]."""
        return READOUTS[self.readout](*self.layers(inputs.transpose(0, 1)))


class Convolutional(nn.Module):
    """The network of the page on images: their currents are worked out once, for all steps."""

    def __init__(self, config: _Settings) -> None:
        super().__init__()
        self.steps = config.steps
        self.first = nn.Sequential(nn.Conv2d(1, 8, 5), nn.MaxPool2d(2))
        second = nn.Conv2d(8, 24, 5), nn.MaxPool2d(2), neuron(config)
        answer = nn.Flatten(), nn.Linear(24 * 4 * 4, 10), neuron(config)
        self.rest = Sequential(neuron(config), *second, *answer)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores for images of the shape [B, 1, 28, 28]."""
        return count(self.rest(encoding.direct(self.first(images), self.steps)))


class Listener(nn.Module):
    """The network of the page on speech: it reads how often each hidden neuron fires."""

    def __init__(self, config: _Settings) -> None:
        super().__init__()
        self.hidden = Sequential(nn.Linear(12, 128), neuron(config))
        self.last = nn.Linear(128, 9)

    def forward(self, voices: Tensor, lengths: Tensor) -> Tensor:
        """Return scores for voices of the shape [B, T, 12], each as long as it is told."""
        spikes = self.hidden(voices.transpose(0, 1))
        scores: Tensor = self.last(mean_potential(spikes, lengths))
        return scores


def neuron(config: _Settings) -> LIF:
    """Return a layer of neurons as the settings say."""
    return LIF(
        leak=config.leak,
        reset=config.reset,
        detach_reset=config.detach_reset,
        surrogate=SURROGATES[config.surrogate],
    )


def loader(
    parts: Iterable[Tensor], batch: int, *, shuffle: bool = False, encode: Encode | None = None
) -> DataLoader[Batch]:
    """Return what takes a whole batch out of tensors at once, which one by one is slow."""
    samples = TensorDataset(*parts)
    order = RandomSampler(samples) if shuffle else SequentialSampler(samples)
    batches = BatchSampler(order, batch, drop_last=False)
    return DataLoader(samples, batch_size=None, sampler=batches, collate_fn=encode)


def task(
    split: tuple[Tensor, ...],
    network: nn.Module,
    *,
    batch: int = 64,
    lr: float = 1e-3,
    encode: Encode | None = None,
) -> Task:
    """Return what is learnt of tensors: those for training, then the test's, then validation's."""
    each = len(split) // 3
    training, test, validation = (split[i : i + each] for i in range(0, 3 * each, each))
    return Task(
        loader(training, batch, shuffle=True, encode=encode),
        loader(validation, batch, encode=encode),
        loader(test, batch, encode=encode),
        network,
        lr,
    )


def digits(config: _Settings) -> Task:
    """8×8画素の数字を見分ける課題です。"""

    def encode(batch: Batch) -> Batch:
        values, labels = batch
        return ENCODINGS[config.encoding](values, config.steps).transpose(0, 1), labels

    split = data.digits(seed=SEED, validation=VALIDATION["digits"])
    return task(split, Connected([64, HIDDEN, 10], config), encode=encode)


def delayed_match(config: _Settings) -> Task:
    """沈黙をはさんだ2つの手がかりが同じかを答える課題です。"""
    generator = torch.Generator().manual_seed(SEED)
    delay = config.steps - 2 * data.CUE_STEPS
    drawn = [data.delayed_match(samples, delay, generator=generator) for samples in SAMPLES]
    training, validation, test = ((inputs.transpose(0, 1), labels) for inputs, labels in drawn)
    return task((*training, *test, *validation), Connected([data.CHANNELS, HIDDEN, 2], config))


def images(config: _Settings) -> Task:
    """28×28画素の数字を見分ける課題です。"""
    split = data.mnist(seed=SEED, validation=VALIDATION["images"])
    return task(split, Convolutional(config), lr=4e-3)


def speech(config: _Settings) -> Task:
    """長さのそろわない声から話者を当てる課題です。"""
    split = data.vowels(seed=SEED, validation=VALIDATION["speech"])
    # the inputs have time first; the lengths and the labels have one dimension
    first = tuple(part.transpose(0, 1) if part.dim() > 1 else part for part in split)
    return task(first, Listener(config), batch=30, lr=1e-2)


TASKS = {
    "digits": digits,
    "delayed_match": delayed_match,
    "images": images,
    "speech": speech,
}
FIXED = {
    "digits": (),
    "delayed_match": ("encoding",),
    "images": ("encoding", "readout"),
    "speech": ("encoding", "readout", "steps"),
}
"""Settings that a task does not have: its inputs or its network say them."""
