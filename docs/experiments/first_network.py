"""Does a network of spikes learn to read digits, and what does it have over one without spikes?

Trains the network of the chapter (64, 100 and 10 neurons, 8 steps) from five seeds: with the
surrogate ArcTan, with the article's derivative, and with that and a bias of 0.5, which lets neurons
fire from the start. Beside it a network of ReLU with as many weights, and logistic regression. Each
has the best of three learning rates, chosen by the validation accuracy of another seed. Of the
networks that spike it also counts the wrong answers for which two outputs had fired equally often:
the lower digit is then the answer. With --record the figures are kept beside it. A run takes about
three minutes on one processor.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from harness import SEEDS, Row, loss_on, reached, record, tuned
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch import Tensor, nn

from snn_docs import IF, data
from snn_docs.fitting import minimize
from snn_docs.network import Network
from snn_docs.surrogate import ArcTan

Scores = Callable[[Tensor], Tensor]


STEPS = 8
EPOCHS = 15
BATCH = 64
RATES = (0.001, 0.005, 0.02)
CHOOSING = 5  # the seed that only chooses the rate
SPLIT = data.digits(validation=360)


def spiking(neuron: IF, bias: float | None = None) -> tuple[nn.Module, Scores]:
    """Return a network, and how often each of its outputs fires."""
    network = Network([64, 100, 10], lambda: neuron)
    for linear in network.linears if bias is not None else ():
        nn.init.constant_(linear.get_parameter("bias"), bias)  # type: ignore[arg-type]
    return network, lambda images: network(images.expand(STEPS, -1, -1))[0].sum(0)


def relu() -> tuple[nn.Module, Scores]:
    """Return a network without spikes or time, and its scores."""
    network = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    return network, network


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Scores]]] = {
    "ArcTan": lambda: spiking(IF(surrogate=ArcTan())),
    "Heaviside": lambda: spiking(IF()),
    "Heaviside, bias 0.5": lambda: spiking(IF(), bias=0.5),
    "ReLU": relu,
}


def trained(name: str, rate: float, seed: int) -> Scores:
    """Train a network from a seed, and return what scores images."""
    torch.manual_seed(seed)
    network, scores = NETWORKS[name]()
    loss, count = loss_on(scores, *SPLIT[:2]), len(SPLIT.train_labels)
    minimize(loss, network.parameters(), count, epochs=EPOCHS, batch=BATCH, lr=rate)
    return scores


def told(name: str, rate: float, seed: int) -> Row:
    """Train a network; return what is right in validation and in the test, and what is wrong."""
    scores = trained(name, rate, seed)
    found = scores(SPLIT.test_inputs).detach()
    misses = found[found.argmax(1) != SPLIT.test_labels]
    best = misses.max(1, keepdim=True).values
    tied = int(((misses == best).sum(1) > 1).sum())
    right = {key: round(each, record.DIGITS) for key, each in reached(scores, SPLIT).items()}
    return {**right, "wrong": len(misses), "tied": tied}


def rows() -> Iterator[Row]:
    """Train everything, and yield a row for each network."""
    for name in NETWORKS:
        rate, tried, runs = tuned(RATES, partial(told, name), [CHOOSING], SEEDS)
        row = {"network": name, "tried": tried, "rate": rate}
        yield row | {key: runs[key] for key in ("test", "wrong", "tied")}
    plain = LogisticRegression(max_iter=1000).fit(SPLIT.train_inputs, SPLIT.train_labels)
    score = plain.score(SPLIT.test_inputs, SPLIT.test_labels)
    yield {"network": "logistic regression", "test": [float(score)]}


if __name__ == "__main__":
    record.run(__doc__, "first_network", rows, libraries=["torch", "scikit-learn"])
