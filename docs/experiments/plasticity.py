"""What does competitive Hebbian learning on spikes owe to their timing, and what to its settings?

64 leaky neurons learn the 8x8 digits without labels, as on the page docs/plasticity.md: the winner
of each step moves towards its input's trace. The controls put something without timing in the
trace's place, of the same size: the pixels' brightness, the trace of other spikes of the same
brightness, or the spikes of the same step alone. Then parts are taken away, and K-means is the
opponent: all labelled in the same way. The second part learns 28x28 digits with 256 neurons, and
moves what the page has as arguments: how fast thresholds adapt, and where they start. With --record
the figures are kept beside it. A run takes about four minutes on one processor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from harness import Row, record
from torch import Tensor
from torch.nn.functional import one_hot

from snn_docs import LIF, data

SEEDS = range(5)
STEPS, BATCH, RATE, LEAK, KEPT = 20, 32, 0.02, 0.05, 0.8
EPOCHS, LARGE_EPOCHS = 5, 3
ADAPTS, THRESHOLDS = (5.0, 80.0), (1.0, 0.5)


@dataclass(frozen=True)
class Setting:
    """How many neurons, and what drives and moves them."""

    neurons: int = 64
    mark: str = "trace"
    threshold: float = 1.0
    adapt: float = 5.0
    compete: bool = True
    learn: bool = True


SETTINGS = {
    "跡": Setting(),
    "明るさ": Setting(mark="brightness"),
    "別のスパイクの跡": Setting(mark="other spikes"),
    "同じステップだけ": Setting(mark="this step"),
    "学習なし": Setting(learn=False),
    "側抑制なし": Setting(compete=False),
    "閾値の適応なし": Setting(adapt=0.0),
}


class Features:
    """Neurons, their weights, and the random numbers that they use."""

    def __init__(self, setting: Setting, pixels: int, seed: int) -> None:
        """Make random weights whose sum is 1 for each neuron."""
        self.setting = setting
        self.generator = torch.Generator().manual_seed(seed)
        weight = torch.rand(setting.neurons, pixels, generator=self.generator)
        self.weight = weight / weight.sum(1, keepdim=True)
        self.neuron = LIF(torch.full((setting.neurons,), setting.threshold), leak=LEAK)

    def drawn(self, images: Tensor) -> Tensor:
        """Return spikes of the pixels' brightness."""
        return torch.bernoulli(images, generator=self.generator)

    def marked(self, trace: Tensor, images: Tensor, spikes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the trace, and what the winner's weights take."""
        whole = 1 / (1 - KEPT)  # the sum of what a trace keeps of a spike in each step
        mark = self.setting.mark
        trace = KEPT * trace + (self.drawn(images) if mark == "other spikes" else spikes)
        if mark == "brightness":
            return trace, whole * images
        return trace, whole * spikes if mark == "this step" else trace

    def winners(self, fired: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return who has fired, and who is reset."""
        if not self.setting.compete:
            return fired, fired
        best = (v - self.neuron.threshold).argmax(1)
        fired = fired * one_hot(best, fired.shape[1])
        return fired, fired.amax(1, keepdim=True)

    def show(self, images: Tensor, rate: float = 0.0) -> Tensor:
        """Return how often each neuron fires for each image, and learn."""
        v = s = trace = torch.zeros(1)
        counts = torch.zeros(1)
        for _ in range(STEPS):
            spikes = self.drawn(images)
            trace, mark = self.marked(trace, images, spikes)
            _, (s, v) = self.neuron.step(spikes @ self.weight.T, (s, v))
            fired, s = self.winners(s, v)
            counts = counts + fired
            if rate:
                self.weight += rate * fired.T @ mark / len(images)
                self.weight /= self.weight.sum(1, keepdim=True)
                share = fired.mean(0) - fired.mean()
                self.neuron.threshold += self.setting.adapt * rate * share
        return counts

    def fit(self, inputs: Tensor, epochs: int) -> None:
        """Learn from all images, ever more slowly."""
        orders = [torch.randperm(len(inputs), generator=self.generator) for _ in range(epochs)]
        parts = [part for order in orders for part in order.split(BATCH)]
        for k, part in enumerate(parts):
            self.show(inputs[part], RATE * (1 - k / len(parts)))


def labelled(responses: Tensor, answers: Tensor, split: data.Split) -> float:
    """Return how often a test image's strongest unit has answered its digit most."""
    means = torch.stack([responses[split.train_labels == k].mean(0) for k in range(10)])
    return float((means.argmax(0)[answers] == split.test_labels).float().mean())


def one(setting: Setting, split: data.Split, epochs: int, seed: int) -> tuple[float, float]:
    """Return the accuracy, and which part of the neurons any training image makes fire."""
    features = Features(setting, split.train_inputs.shape[1], seed)
    if setting.learn:
        features.fit(split.train_inputs, epochs)
    counts = features.show(split.train_inputs)
    used = (counts > 0).any(0).float().mean().item()
    return labelled(counts, features.show(split.test_inputs).argmax(1), split), used


def means(units: int, split: data.Split, seed: int) -> float:
    """Return the accuracy of K-means, labelled in the same way."""
    from sklearn.cluster import KMeans  # type: ignore[import-untyped] # noqa: PLC0415

    found = KMeans(units, n_init=1, random_state=seed).fit(split.train_inputs.numpy())
    near = one_hot(torch.tensor(found.labels_).long(), units).float()
    answers = torch.tensor(found.predict(split.test_inputs.numpy())).long()
    return labelled(near, answers, split)


def rows() -> Iterator[Row]:
    """Yield what each setting reached."""
    split = data.digits()
    for name, setting in SETTINGS.items():
        found = [one(setting, split, EPOCHS, seed) for seed in SEEDS]
        test, used = (list(each) for each in zip(*found, strict=True))
        yield {"pixels": 64, "neurons": 64, "name": name, "test": test, "used": used}
    test = [means(64, split, seed) for seed in SEEDS]
    yield {"pixels": 64, "neurons": 64, "name": "K平均法", "test": test}
    loaded = data.mnist()
    large = data.Split(
        loaded.train_inputs.flatten(1)[:1000],
        loaded.train_labels[:1000],
        loaded.test_inputs.flatten(1),
        loaded.test_labels,
    )
    for threshold, adapt in product(THRESHOLDS, ADAPTS):
        setting = Setting(neurons=256, threshold=threshold, adapt=adapt)
        found = [one(setting, large, LARGE_EPOCHS, seed) for seed in SEEDS]
        test, used = (list(each) for each in zip(*found, strict=True))
        told = {"threshold": threshold, "adapt": adapt}
        yield {"pixels": 784, "neurons": 256, **told, "test": test, "used": used}
    test = [means(256, large, seed) for seed in SEEDS]
    yield {"pixels": 784, "neurons": 256, "name": "K平均法", "test": test}


if __name__ == "__main__":
    record.run(__doc__, "plasticity", rows, libraries=["torch", "scikit-learn", "mlxtend"])
