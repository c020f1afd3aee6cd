"""Does waking silent neurons help, where the surrogate's slope is positive everywhere?

Three ways to fall silent, on the digits, each with ArcTan: inputs 20 times too weak; a spike train
in which a pixel fires with at most 5 % a step; and five epochs at a learning rate of 0.2. Each mend
gets the strength and the learning rate that did best in validation, on a seed that is used for
nothing else, then trains with five others; the test accuracy is that of the epoch that was best in
validation. Beside it stands the part of the hidden neurons, and of the outputs, that no image of
the training data makes fire: before the training, and after that epoch. With --record the figures
are kept beside it. A run takes about seven minutes on one processor.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import torch
from dead_neurons import (
    BATCH,
    BIASES,
    EPOCHS,
    SEEDS,
    SLOPES,
    STEPS,
    TUNING_SEED,
    WEIGHTS,
    layers,
    potential_penalty,
)
from harness import Row, accuracy, best, best_epoch, epochs, record, tuned
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import IF, data, encoding
from snn_docs.network import Network, count
from snn_docs.surrogate import ArcTan

RATES = (2e-3, 5e-3, 2e-2, 5e-2)
WEAK, SPARSE = 20, 0.05
SPOILING_RATE, SPOILING_EPOCHS = 0.2, 5
KEPT = ("test", "epoch", "before", "after")
SPLIT = data.digits(validation=360)
ANSWERS = (SPLIT.train_labels, SPLIT.validation_labels, SPLIT.test_labels)
IMAGES = (SPLIT.train_inputs, SPLIT.validation_inputs, SPLIT.test_inputs)


WEAK_CASE, SPARSE_CASE, SPOILED_CASE = "入力が20分の1", "まばらなスパイク", "学習率0.2のあと"
drawn = torch.Generator().manual_seed(TUNING_SEED)
GIVEN = {
    WEAK_CASE: [encoding.direct(images / WEAK, STEPS) for images in IMAGES],
    SPARSE_CASE: [encoding.rate(images * SPARSE, STEPS, generator=drawn) for images in IMAGES],
    SPOILED_CASE: [encoding.direct(images, STEPS) for images in IMAGES],
}
"""What is seen: the few spikes are the same for each mend and seed."""


def arctan(slope: float = 1.0, hidden: float = 1.0) -> Network:
    """Make a network, with a threshold of the hidden neurons of its own."""
    thresholds = iter([hidden, 1.0])
    return Network([64, 64, 10], lambda: IF(threshold=next(thresholds), surrogate=ArcTan(slope)))


def larger(factor: float) -> Network:
    """Make a network whose first weights are larger."""
    network = arctan()
    with torch.no_grad():
        network.linears[0].weight.mul_(factor)  # type: ignore[operator] # has weights
    return network


def biased(value: float) -> Network:
    """Make a network that starts with this bias everywhere."""
    network = arctan()
    for linear in network.linears:
        torch.nn.init.constant_(linear.bias, value)  # type: ignore[arg-type] # has one
    return network


def lift(network: Network, inputs: Tensor, value: float) -> None:
    """Give this bias to the neurons that no input makes fire, layer by layer."""
    for k, linear in enumerate(network.linears):
        with torch.no_grad():
            dead = layers(network, inputs)[k][0].sum((0, 1)) == 0
            linear.bias[dead] = value  # type: ignore[operator] # has one


class Mend:
    """What is changed, as strongly as `strength` says."""

    def __init__(  # noqa: PLR0913 - each is one mend
        self,
        strengths: tuple[float, ...],
        *,
        build: Callable[[float], Network] = lambda _: arctan(),
        scaled: bool = False,
        penalised: bool = False,
        lifted: bool = False,
        afresh: bool = False,
    ) -> None:
        """Say what is changed."""
        self.strengths, self.build, self.scaled = strengths, build, scaled
        self.penalised, self.lifted, self.afresh = penalised, lifted, afresh


NONE = Mend(SLOPES, build=arctan)
PENALTY = Mend(WEIGHTS, penalised=True)
AFRESH = Mend(SLOPES, build=arctan, afresh=True)
CASES: dict[str, dict[str, Mend]] = {
    WEAK_CASE: {
        "なし": NONE,
        "電位の罰則": PENALTY,
        "バイアス": Mend(BIASES, build=biased),
        "閾値を下げる": Mend((0.05, 0.2, 0.5), build=lambda hidden: arctan(hidden=hidden)),
        "重みを大きく": Mend((5.0, 20.0, 80.0), build=larger),
        "入力を大きく": Mend((5.0, 20.0, 80.0), scaled=True),
    },
    SPARSE_CASE: {
        "なし": NONE,
        "電位の罰則": PENALTY,
        "入力を大きく": Mend((2.0, 5.0, 10.0), scaled=True),
    },
    SPOILED_CASE: {
        "なし": NONE,
        "電位の罰則": PENALTY,
        "黙ったもののバイアス": Mend(BIASES, lifted=True),
        "初めから": AFRESH,
    },
}


def silent(network: Network, inputs: Tensor) -> list[float]:
    """Return which part of each layer no input makes fire."""
    with torch.no_grad():
        found = layers(network, inputs)
    return [float((spikes.sum((0, 1)) == 0).float().mean()) for spikes, _ in found]


def learn(
    network: Network, inputs: Tensor, rate: float, penalty: float, number: int
) -> Iterator[int]:
    """Train, and stop after each epoch."""

    def loss(chosen: Tensor) -> Tensor:
        outputs = layers(network, inputs[:, chosen])
        found = cross_entropy(count(outputs[-1][0]), ANSWERS[0][chosen])
        return found + penalty * potential_penalty(outputs) if penalty else found

    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    return epochs(loss, inputs.shape[1], optimizer, count=number, batch=BATCH)


def train(case: str, mend: Mend, setting: tuple[float, float], seed: int) -> Row:
    """Train a network, and return its best epoch in validation."""
    torch.manual_seed(seed)
    strength, rate = setting
    given = GIVEN[case]
    seen, held, test = [each * strength for each in given] if mend.scaled else given
    network = mend.build(strength)
    if case == SPOILED_CASE and not mend.afresh:
        bad = arctan()
        list(learn(bad, seen, SPOILING_RATE, 0, SPOILING_EPOCHS))
        network.load_state_dict(bad.state_dict())
    before = silent(network, seen)
    if mend.lifted:
        lift(network, seen, strength)
    scores = lambda inputs: count(network(inputs)[0])  # noqa: E731
    found = best_epoch(
        learn(network, seen, rate, strength if mend.penalised else 0, EPOCHS),
        partial(accuracy, scores, held, ANSWERS[1]),
        lambda: {"test": accuracy(scores, test, ANSWERS[2]), "after": silent(network, seen)},
    )
    return {"before": before, **found}


def informed(given: list[Tensor]) -> Row:
    """Return what logistic regression reads from the numbers of spikes, tuned as the mends are."""
    counts = [each.sum(0).numpy() for each in given]

    def reached(strength: float, k: int) -> float:
        model = LogisticRegression(C=strength, max_iter=2000).fit(counts[0], ANSWERS[0].numpy())
        return float(model.score(counts[k], ANSWERS[k].numpy()))

    chosen, tried = best([10.0**power for power in range(-4, 5)], partial(reached, k=1))
    return {"settings": len(tried), "strength": chosen, "test": [reached(chosen, 2)]}


def rows() -> Iterator[Row]:
    """Yield what each mend reached."""
    for case, mends in CASES.items():
        for name, mend in mends.items():
            settings = list(product(mend.strengths, RATES))
            fit = partial(train, case, mend)
            (strength, rate), _, runs = tuned(settings, fit, [TUNING_SEED], SEEDS)
            row = {"case": case, "mend": name, "settings": len(settings), "strength": strength}
            yield {**row, "rate": rate, **{key: runs[key] for key in KEPT}}
        if case == SPARSE_CASE:
            told = informed(GIVEN[case])
            yield {"case": case, "mend": "スパイクの数のロジスティック回帰", **told}


if __name__ == "__main__":
    record.run(__doc__, "waking", rows, libraries=["torch", "scikit-learn"])
