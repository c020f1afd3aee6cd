"""How many images does a network need, and what do shifted copies of them bring?

Trains the convolutional network of the chapter on images from five seeds on 100, 300, 1000 and 3500
images, alike of each digit, each with the same number of updates: with the images as they are, and
with each shifted by up to two pixels whenever it is seen; and the one without spikes with shifted
images. Prints the accuracy in validation, with the weights at the end; the test is not looked at.
With --record the figures are also kept in docs/_data/images_count.json, which the book shows.
A run takes about six minutes on one quiet processor.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import images
import record
import torch
from torch import nn

from snn_docs import data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from record import Row
    from torch import Tensor

COUNTS = (100, 300, 1000, 3500)
WAYS = (("conv SNN", False), ("conv SNN", True), ("CNN", True))  # shifted or not
UPDATES = 200
LEARNING_RATE = 4e-3


def chosen(labels: Tensor, count: int) -> Tensor:
    """Return as many samples of each class, drawn anew."""
    mixed = torch.randperm(len(labels))
    alike = [mixed[labels[mixed] == k][: count // 10] for k in range(10)]
    return torch.cat(alike)


def train(model: nn.Module, training: images.Part, *, shift: bool) -> None:
    """Train for a fixed number of updates."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, UPDATES)
    for _ in range(UPDATES):
        some = torch.randperm(len(training.labels))[: images.BATCH]
        seen = training.images[some]
        scores = model(images.shifted(seen) if shift else seen)
        loss = nn.functional.cross_entropy(scores, training.labels[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def rows() -> Iterator[Row]:
    """Train everything, and yield a row for each."""
    split = data.mnist(validation=images.VALIDATION)
    held = images.Part(split.validation_inputs, split.validation_labels)
    for (name, shift), count, seed in product(WAYS, COUNTS, images.SEEDS):
        torch.manual_seed(seed)
        some = chosen(split.train_labels, count)
        training = images.Part(split.train_inputs[some], split.train_labels[some])
        model = images.NETWORKS[name]()
        train(model, training, shift=shift)
        yield {
            "network": name, "images": count, "shifted": shift, "seed": seed,
            "validation": images.accuracy(model, held),
        }  # fmt: skip


def show(row: Row) -> str:
    """Return a network, what it was given, and what it reached."""
    way = "shifted" if row["shifted"] else "as they are"
    given = f"{row['images']:5} images {way:11} seed {row['seed']}"
    return f"{row['network']:9} {given}  validation {row['validation']:.3f}"


if __name__ == "__main__":
    record.run(__doc__, "images_count", rows, show, ["torch", "mlxtend", "scikit-learn"])
