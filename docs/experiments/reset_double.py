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
from functools import partial
from itertools import chain, product

import torch
from harness import Row, each, reached, tuned
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
    scores_of,
    size,
)

from snn_docs import data
from snn_docs.network import Network

EXPLODES = 10
TRAINED = ("attached", "clipped")
MOVES = (0.03, 0.1, 0.3)


def train(spike: Spike, steps: int, dtype: torch.dtype, way: str, rate: float, seed: int) -> Row:  # noqa: PLR0913, PLR0917 - what a training depends on
    """Train to the end, or to the first gradient that is not finite; tell what was reached then."""
    split = data.digits(validation=360)
    network = build(spike, detach=False, seed=seed).to(dtype)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    images, labels = split.train_inputs.to(dtype), split.train_labels
    orders = (torch.randperm(len(labels)) for _ in range(EPOCHS))
    finite = True
    for chosen in chain.from_iterable(order.split(BATCH) for order in orders):
        optimizer.zero_grad()
        loss_of(network, images[chosen], labels[chosen], steps).backward()
        finite = clip(network, WAYS[way][1])
        if not finite:
            break
        optimizer.step()
    scores = lambda images: scores_of(network, images.to(dtype), steps)  # noqa: E731
    return {**reached(scores, split), "overflowed": not finite}


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
    fit = partial(train, spike, steps, torch.float64, way)
    rate, _, runs = tuned(RATES, fit, [TUNING_SEED], SEEDS)
    told = {f"{way}_rate": rate, way: runs["test"]}
    return told | {f"{way}_overflows": sum(runs["overflowed"])}


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
        single = partial(train, spike, steps, torch.float32, "clipped", row["clipped_rate"])
        row["single_overflows"] = sum(single(seed)["overflowed"] for seed in SEEDS)
    return row


if __name__ == "__main__":
    each(__doc__, "reset_double", product(SURROGATES, LENGTHS), measured, ["torch", "scikit-learn"])
