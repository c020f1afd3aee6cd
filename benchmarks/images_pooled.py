"""What does a network that knows no windows read, if small squares of pixels are averaged first?

Connecting all pixels leaves room for no more than eleven neurons in as many weights as the
convolution of images.py has. Here the means of 2×2 pixels are connected instead, to as many neurons
as those weights allow. Everything else is as there, the five seeds too.
With --record the figures are also kept in docs/_data/images_pooled.json, which the book shows.
A run takes about a minute on one quiet processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import images
import record
import torch
from torch import nn

from snn_docs import data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from record import Row

WIDTH, HIDDEN = 2, 42


def pooled() -> images.Spiking:
    """Return a spiking network of the means of squares."""
    see = nn.Linear((28 // WIDTH) ** 2, HIDDEN)
    first = nn.Sequential(nn.AvgPool2d(WIDTH), nn.Flatten(), see)
    return images.Spiking(first, nn.Linear(HIDDEN, 10))


def rows() -> Iterator[Row]:
    """Train everything, and yield a row for each."""
    split = data.mnist(validation=images.VALIDATION)
    training = images.Part(split.train_inputs, split.train_labels)
    validation = images.Part(split.validation_inputs, split.validation_labels)
    test = images.Part(split.test_inputs, split.test_labels)
    for seed in images.SEEDS:
        torch.manual_seed(seed)
        model = pooled()
        _, epoch = images.trained(model, training, validation)
        yield {
            "network": f"connected SNN {HIDDEN}, means of {WIDTH}×{WIDTH}",
            "parameters": sum(each.numel() for each in model.parameters()),
            "seed": seed, "epoch": epoch, "test": images.accuracy(model, test),
        }  # fmt: skip


if __name__ == "__main__":
    record.run(__doc__, "images_pooled", rows, images.show, ["torch", "mlxtend", "scikit-learn"])
