"""How many images does a network need, and what do shifted copies of them bring?

Trains the convolutional network of the chapter on images from five seeds on 100, 300, 1000 and 3500
images, alike of each digit, each with the same number of updates: with the images as they are, and
with each shifted by up to two pixels whenever it is seen; and the one without spikes with shifted
images. For each of these and each number of images, the best of four learning rates is chosen on a
seed that is used for nothing else. Prints the accuracy in validation, with the weights at the end;
the test is not looked at. With --record the figures are kept beside it. A run takes about ten
minutes on one quiet processor.
"""

from collections.abc import Iterator
from functools import partial
from itertools import product

import images
import torch
from harness import Row, best, loss_on, record, updates
from torch import Tensor, nn

from snn_docs import data

COUNTS = (100, 300, 1000, 3500)
WAYS = (("conv SNN", False), ("conv SNN", True), ("CNN", True))  # shifted or not
UPDATES = 200
RATES = (1e-3, 2e-3, 4e-3, 8e-3)


def chosen(labels: Tensor, count: int) -> Tensor:
    """Return as many samples of each class, drawn anew."""
    mixed = torch.randperm(len(labels))
    alike = [mixed[labels[mixed] == k][: count // 10] for k in range(10)]
    return torch.cat(alike)


def train(model: nn.Module, rate: float, training: images.Part, *, shift: bool) -> None:
    """Train for a fixed number of updates."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, UPDATES)
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    loss = loss_on(lambda seen: model(images.shifted(seen) if shift else seen), *training)
    updates(loss, len(training.labels), optimizer, count=UPDATES, batch=images.BATCH)


def rows() -> Iterator[Row]:
    """Choose each learning rate, train everything, and yield a row for each."""
    split = data.mnist(validation=images.VALIDATION)
    held = images.Part(split.validation_inputs, split.validation_labels)

    def reached(name: str, count: int, rate: float, seed: int, *, shift: bool) -> float:
        torch.manual_seed(seed)
        some = chosen(split.train_labels, count)
        training = images.Part(split.train_inputs[some], split.train_labels[some])
        model = images.NETWORKS[name]()
        train(model, rate, training, shift=shift)
        return images.accuracy(model, held)

    for (name, shift), count in product(WAYS, COUNTS):
        fit = partial(reached, name, count, shift=shift)
        rate, _ = best(RATES, partial(fit, seed=images.TUNING_SEED))
        for seed in images.SEEDS:
            row = {"network": name, "images": count, "shifted": shift}
            yield row | {"validation": fit(rate, seed)}


if __name__ == "__main__":
    record.run(__doc__, "images_count", rows, libraries=["torch", "mlxtend", "scikit-learn"])
