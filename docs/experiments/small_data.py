"""How far can 50 recordings be trusted: by one split, and by cross-validation?

Draws 50 recordings of the chapter on one's own data twenty times anew. Each time, a network is
measured by one split into 30, 10 and 10, of which the second ten are not used; by one into 40 and
the same last ten; and by stratified cross-validation in five parts. Then one trained on all 50 is
measured on 2000 others, which nobody has in life. Prints the estimates with their intervals
(Wilson, 95 %), and what they estimate. All of it twice: with the chapter's noise, where nearly all
answers are right, and with as much (chosen on other draws) as leaves about seven of ten, since an
estimate near 1 can hardly be far off. With --record the figures are kept beside it. A run takes
about five minutes on one processor.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from harness import Row, record, updates
from sklearn.model_selection import (  # type: ignore[import-untyped]
    StratifiedKFold,
    train_test_split,
)
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from snn_docs import LI, LIF
from snn_docs.evaluation import interval
from snn_docs.network import mean_potential
from snn_docs.sequential import Sequential

KINDS = ("circle", "nod", "shake", "tap")
DRAWS, RECORDINGS, OTHERS, PARTS = 20, 50, 2000, 5
UPDATES, BATCH, LEARNING_RATE = 60, 32, 1e-2
NOISES = (1.0, 2.6)
"""How strong the noise is: the chapter's, and one with which seven of ten answers are right."""


def recording(kind: str, noise: float) -> Tensor:
    """Return one recording of acceleration, as the chapter makes them but for its noise."""
    n, size = int(torch.randint(16, 41, ())), 3 + 3 * torch.rand(())
    angle = torch.arange(n) * (0.4 + 0.4 * torch.rand(())) + 2 * math.pi * torch.rand(())
    tap = 1.5 * torch.exp(-(((torch.arange(n) - n * torch.rand(())) / 2) ** 2))
    x = angle.cos() if kind in {"shake", "circle"} else 0 * angle
    y = {"nod": angle.cos(), "circle": angle.sin(), "tap": tap}.get(kind, 0 * angle)
    return torch.stack([size * x, 9.8 + size * y], 1) + noise * torch.randn(n, 2)


class Recordings:
    """Recordings, padded, with their lengths and labels."""

    def __init__(self, count: int, noise: float) -> None:
        """Make as many of each kind, up to one."""
        series = [recording(KINDS[k % len(KINDS)], noise) for k in range(count)]
        self.labels = torch.arange(count) % len(KINDS)
        self.lengths = torch.tensor([len(each) for each in series])
        self.series = series

    def batch(self, chosen: Sequence[int], like: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return some of them on one scale, and their lengths."""
        mean, std = like
        inputs = pad_sequence([(self.series[k] - mean) / std for k in chosen])
        return inputs, self.lengths[list(chosen)]

    def scale(self, chosen: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of some of them."""
        steps = torch.cat([self.series[k] for k in chosen])
        return steps.mean(0), steps.std(0)


def trained(known: Recordings, chosen: Sequence[int], seed: int) -> Sequential:
    """Train on some recordings, with as many updates however few they are."""
    torch.manual_seed(seed)
    neuron = LIF(leak=0.2, reset="subtract", detach_reset=True)
    network = Sequential(nn.Linear(2, 32), neuron, nn.Linear(32, len(KINDS)), LI(leak=0.05))
    optimizer, like = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE), known.scale(chosen)

    def loss(places: Tensor) -> Tensor:
        some = [chosen[k] for k in places.tolist()]
        inputs, lengths = known.batch(some, like)
        scores = mean_potential(network(inputs), lengths)
        return nn.functional.cross_entropy(scores, known.labels[some])

    updates(loss, len(chosen), optimizer, count=UPDATES, batch=BATCH)
    return network


def right(
    network: Sequential, known: Recordings, chosen: Sequence[int], like: tuple[Tensor, Tensor]
) -> int:
    """Return how many recordings are told right."""
    with torch.no_grad():
        inputs, lengths = known.batch(chosen, like)
        answers = mean_potential(network(inputs), lengths).argmax(-1)
    return int((answers == known.labels[list(chosen)]).sum())


def by_parts(known: Recordings, seed: int) -> int:
    """Return how many are told right by networks that have not seen them."""
    hits = 0
    parts = StratifiedKFold(PARTS, shuffle=True, random_state=seed)
    for kept, held in parts.split(range(RECORDINGS), known.labels):
        chosen = kept.tolist()
        network = trained(known, chosen, seed)
        hits += right(network, known, held.tolist(), known.scale(chosen))
    return hits


def rows() -> Iterator[Row]:
    """Yield a row for each noise and draw."""
    for noise in NOISES:
        torch.manual_seed(1000)
        others = Recordings(OTHERS, noise)
        for seed in range(DRAWS):
            torch.manual_seed(seed)
            known = Recordings(RECORDINGS, noise)
            yield {"noise": noise, "seed": seed, **measured(known, others, seed)}


def measured(known: Recordings, others: Recordings, seed: int) -> Row:
    """Return the estimates with their intervals, and what they estimate."""
    whole = list(range(RECORDINGS))
    rest, test = train_test_split(whole, test_size=10, stratify=known.labels, random_state=seed)
    once, more = (
        right(trained(known, chosen, seed), known, test, known.scale(chosen))
        for chosen in (rest[:30], rest)
    )
    parts = by_parts(known, seed)
    shipped = trained(known, whole, seed)
    truth = right(shipped, others, list(range(OTHERS)), known.scale(whole)) / OTHERS
    return {
        "truth": truth,
        "once": once / 10, "once_interval": [*interval(once, 10)],
        "more": more / 10, "more_interval": [*interval(more, 10)],
        "parts": parts / RECORDINGS, "parts_interval": [*interval(parts, RECORDINGS)],
    }  # fmt: skip


if __name__ == "__main__":
    record.run(__doc__, "small_data", rows, libraries=["torch", "scikit-learn"])
