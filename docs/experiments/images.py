"""How well do networks read digits of 28×28 pixels: spiking or not, convolutional or not?

Trains each network on 3500 images, each shifted by up to two pixels whenever it is seen, keeps the
weights of the epoch that is best in validation, and prints its accuracy in the test. Each gets the
same search: five learning rates, on a seed that is used for nothing else. The best in validation
then trains from five other seeds. All have the same optimizer, epochs, batches and images.
Connecting all pixels leaves room for no more than eleven neurons in as many weights as the
convolution has: another network connects the means of 2×2 pixels. Accuracies can be compared
between machines, apart from what rounding changes.
With --record the figures are kept beside it. A run takes about ten minutes on one quiet processor.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from harness import Row, best, epochs, loss_on, pairs, parameters, record
from torch import Tensor, nn

from snn_docs import LIF, data, encoding
from snn_docs.network import count
from snn_docs.sequential import Sequential
from snn_docs.surrogate import ArcTan

Model = Callable[[Tensor], Tensor]  # images to ten scores


SEEDS = (0, 1, 2, 3, 4)
TUNING_SEED = 100
RATES = (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2)
EPOCHS = 20
STEPS = 4
BATCH = 64
SHIFT = 2  # pixels
VALIDATION = 500  # images, of the 4000 that are not for tests


def neuron() -> LIF:
    """Return the neurons of every layer."""
    return LIF(leak=0.1, reset="subtract", detach_reset=True, surrogate=ArcTan())


class Spiking(nn.Module):
    """Makes currents of an image once, shows them for some steps, counts the last spikes."""

    def __init__(self, first: nn.Module, *rest: nn.Module) -> None:
        super().__init__()
        self.first, self.rest = first, Sequential(neuron(), *rest, neuron())

    def forward(self, images: Tensor) -> Tensor:
        """Return ten counts for each image."""
        return count(self.rest(encoding.direct(self.first(images), STEPS)))


def first() -> nn.Module:
    """Return the features of an image."""
    return nn.Sequential(nn.Conv2d(1, 8, 5), nn.MaxPool2d(2))


def second(activation: Callable[[], nn.Module]) -> list[nn.Module]:
    """Return the features of features, and the layer that answers."""
    answer = nn.Linear(24 * 16, 10)
    return [nn.Conv2d(8, 24, 5), nn.MaxPool2d(2), activation(), nn.Flatten(), answer]


def connected(hidden: int, width: int = 1) -> Spiking:
    """Return a spiking network that knows no neighbours, but the means of squares."""
    see = nn.Linear((28 // width) ** 2, hidden)
    means = nn.Sequential(nn.AvgPool2d(width), nn.Flatten(), see)
    return Spiking(means, nn.Linear(hidden, 10))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "conv SNN": lambda: Spiking(first(), *second(neuron)),
    "CNN": lambda: nn.Sequential(first(), nn.ReLU(), *second(nn.ReLU)),
    "connected SNN 11": partial(connected, 11),
    "connected SNN 256": partial(connected, 256),
    "connected SNN 42, means of 2×2": partial(connected, 42, 2),
}


class Part(NamedTuple):
    """Images, and what they show."""

    images: Tensor
    labels: Tensor


def shifted(images: Tensor) -> Tensor:
    """Move each image by up to some pixels, each by its own."""
    wide = nn.functional.pad(images, [SHIFT] * 4)
    windows = wide.unfold(2, 28, 1).unfold(3, 28, 1)
    i, j = torch.randint(2 * SHIFT + 1, (2, len(images)))
    return windows[torch.arange(len(images)), :, i, j]


def accuracy(model: nn.Module, part: Part) -> float:
    """Return how many of the images are read."""
    with torch.no_grad():
        answers = torch.cat([model(images).argmax(1) for images in part.images.split(250)])
    return (answers == part.labels).double().mean().item()


def trained(model: nn.Module, rate: float, training: Part, validation: Part) -> list[float]:
    """Train to the weights best in validation; return the accuracies there after each epoch."""
    steps = EPOCHS * -(-len(training.labels) // BATCH)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    loss = loss_on(lambda images: model(shifted(images)), *training)
    curve: list[float] = []
    best = copy.deepcopy(model.state_dict())
    for _ in epochs(loss, len(training.labels), optimizer, count=EPOCHS, batch=BATCH):
        curve.append(accuracy(model, validation))
        if curve[-1] == max(curve):
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return curve


def rows() -> Iterator[Row]:
    """Choose each network's learning rate, train it, and yield a row for each seed."""
    split = data.mnist(validation=VALIDATION)
    training, validation, test = map(Part._make, pairs(split))
    for name, build in NETWORKS.items():

        def run(rate: float, seed: int, build: Callable[[], nn.Module] = build) -> Row:
            torch.manual_seed(seed)
            model = build()
            curve = trained(model, rate, training, validation)
            reached = {"test": accuracy(model, test), "validation": curve}
            return {"parameters": parameters(model), "rate": rate, **reached}

        rate, _ = best(RATES, lambda rate: max(run(rate, TUNING_SEED)["validation"]))
        yield from ({"network": name, **run(rate, seed)} for seed in SEEDS)


if __name__ == "__main__":
    record.run(__doc__, "images", rows, libraries=["torch", "mlxtend", "scikit-learn"])
