"""Where the gradient explodes, is it the range of single precision that clipping fails for?

Trains the networks of reset_gradient.py whose gradient is at least ten times as large with the
reset attached as with it detached, attached and attached and clipped, in double precision: the same
learning rates to choose from and the same seeds. The norm is taken of gradients that are divided by
the largest of them, so that its squares do not overflow; Adam's own may, where nothing is clipped.
Training ends where a gradient is not finite, and the network is measured as it is then. For how
many seeds that was so is told, and for how many the norm of single precision, which is clipped as
reset_gradient.py does, is not finite. Before training, every network of reset_gradient.py also goes
along its gradient, attached and detached, by each of three lengths: how far its loss of that batch
falls at best does not depend on how large the gradient is. With --record the figures are kept
beside it. A run takes about eight minutes on one processor.
"""

import math
from itertools import product
from typing import NamedTuple

import torch
from harness import Row, each
from reset_gradient import (
    BATCH,
    EPOCHS,
    LENGTHS,
    RATES,
    SEEDS,
    SURROGATES,
    TUNING_SEED,
    WAYS,
    Spike,
    build,
    loss_of,
    size,
)

from snn_docs import data, encoding
from snn_docs.network import Network, count

EXPLODES = 10
TRAINED = ("attached", "clipped")
MOVES = (0.03, 0.1, 0.3)
PARTS = ("train", "validation", "test")


class Reached(NamedTuple):
    """The accuracy in validation and in tests, and whether all gradients were finite."""

    validation: float
    test: float
    finite: bool


def train(
    spike: Spike, steps: int, setting: tuple[str, float], seed: int, dtype: torch.dtype
) -> Reached:
    """Train to the end, or to the first gradient that is not finite."""
    split = data.digits(validation=360)
    images = {part: getattr(split, f"{part}_inputs").to(dtype) for part in PARTS}
    way, rate = setting
    network = build(spike, detach=False, seed=seed).to(dtype)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    batches = (
        chosen
        for _ in range(EPOCHS)
        for chosen in torch.randperm(len(split.train_labels)).split(BATCH)
    )
    finite = True
    for chosen in batches:
        loss = loss_of(network, images["train"][chosen], split.train_labels[chosen], steps)
        optimizer.zero_grad()
        loss.backward()
        finite = clip(network, WAYS[way][1])
        if not finite:
            break
        optimizer.step()
    found = []
    for part in PARTS[1:]:
        with torch.no_grad():
            answers = count(network(encoding.direct(images[part], steps))[0]).argmax(1)
        found.append(float((answers == getattr(split, f"{part}_labels")).float().mean()))
    return Reached(found[0], found[1], finite)


def clip(network: Network, bound: float | None) -> bool:
    """Clip the gradients to a norm, if there is one; return whether they are finite."""
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    largest = max(float(each.abs().max()) for each in gradients)
    if bound is None or not math.isfinite(largest):
        return all(bool(each.isfinite().all()) for each in gradients)
    if gradients[0].dtype == torch.float64 and largest > bound:
        for each in gradients:
            each.div_(largest)
    return bool(torch.nn.utils.clip_grad_norm_(network.parameters(), bound).isfinite())


def trained(spike: Spike, steps: int, way: str) -> Row:
    """Choose the learning rate in validation, and return it with what five seeds then reached."""

    def reached(rate: float, seed: int) -> Reached:
        return train(spike, steps, (way, rate), seed, torch.float64)

    tried = [reached(rate, TUNING_SEED).validation for rate in RATES]
    best = RATES[tried.index(max(tried))]
    runs = [reached(best, seed) for seed in SEEDS]
    return {
        f"{way}_rate": best,
        way: [run.test for run in runs],
        f"{way}_overflows": sum(not run.finite for run in runs),
    }


def fall(spike: Spike, steps: int, *, detach: bool, seed: int) -> float:
    """Return how far the loss falls along the gradient, by the best of the lengths."""
    split = data.digits(validation=360)
    images, labels = split.train_inputs[:BATCH].double(), split.train_labels[:BATCH]
    network = build(spike, detach=detach, seed=seed).double()
    start = loss_of(network, images, labels, steps)
    weights = list(network.parameters())
    gradients = torch.autograd.grad(start, weights)
    norm = torch.cat([each.flatten() for each in gradients]).norm()
    before = [each.detach().clone() for each in weights]
    falls = []
    for move in MOVES:
        with torch.no_grad():
            for weight, old, gradient in zip(weights, before, gradients, strict=True):
                weight.copy_(old - move * gradient / norm)
            falls.append(float(start - loss_of(network, images, labels, steps)))
    return max(falls)


def measured(name: str, steps: int) -> Row:
    """Return how far each falls, and where it explodes what it reached in double precision."""
    spike = SURROGATES[name]
    row: Row = {"surrogate": name, "steps": steps, "moves": list(MOVES)}
    for way, detach in {"attached": False, "detached": True}.items():
        row[f"{way}_falls"] = [fall(spike, steps, detach=detach, seed=seed) for seed in SEEDS]
    sizes = [
        sorted(size(spike, steps, detach=detach, seed=seed) for seed in SEEDS)
        for detach in (False, True)
    ]
    if sizes[0][2] >= EXPLODES * sizes[1][2]:
        for way in TRAINED:
            row |= trained(spike, steps, way)
        best = ("clipped", row["clipped_rate"])
        single = [train(spike, steps, best, seed, torch.float32) for seed in SEEDS]
        row["single_overflows"] = sum(not run.finite for run in single)
    return row


if __name__ == "__main__":
    each(__doc__, "reset_double", product(SURROGATES, LENGTHS), measured, ["torch", "scikit-learn"])
