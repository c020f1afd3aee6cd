"""Does waking silent neurons help, where the surrogate's slope is positive everywhere?

Three ways to fall silent, on the digits, each with ArcTan: inputs 20 times too weak; a spike train
in which a pixel fires with at most 5 % a step; and five epochs at a learning rate of 0.2. Each mend
gets the strength and the learning rate that did best in validation, on a seed that is used for
nothing else, then trains with five others; the test accuracy is that of the epoch that was best in
validation. Beside it stands the part of the hidden neurons, and of the outputs, that no image of
the training data makes fire: before the training, and after that epoch. With --record the figures
are kept beside it. A run takes about five minutes on one processor.
"""

from collections.abc import Callable, Iterator
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
from harness import Row, record
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import IF, data, encoding
from snn_docs.network import Network, count
from snn_docs.surrogate import ArcTan

RATES = (2e-3, 5e-3, 2e-2)
WEAK, SPARSE = 20, 0.05
SPOILING_RATE, SPOILING_EPOCHS = 0.2, 5
SPLIT = data.digits(validation=360)
ANSWERS = (SPLIT.train_labels, SPLIT.validation_labels, SPLIT.test_labels)
IMAGES = (SPLIT.train_inputs, SPLIT.validation_inputs, SPLIT.test_inputs)


def weak() -> list[Tensor]:
    """Return the images as currents, 20 times too weak."""
    return [encoding.direct(images / WEAK, STEPS) for images in IMAGES]


def sparse() -> list[Tensor]:
    """Return the images as few spikes, the same for each mend and seed."""
    generator = torch.Generator().manual_seed(TUNING_SEED)
    return [encoding.rate(images * SPARSE, STEPS, generator=generator) for images in IMAGES]


def plain() -> list[Tensor]:
    """Return the images as currents."""
    return [encoding.direct(images, STEPS) for images in IMAGES]


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
CASES: dict[str, tuple[Callable[[], list[Tensor]], bool, dict[str, Mend]]] = {
    "入力が20分の1": (
        weak,
        False,
        {
            "なし": NONE,
            "電位の罰則": PENALTY,
            "バイアス": Mend(BIASES, build=biased),
            "閾値を下げる": Mend((0.05, 0.2, 0.5), build=lambda hidden: arctan(hidden=hidden)),
            "重みを大きく": Mend((5.0, 20.0, 80.0), build=larger),
            "入力を大きく": Mend((5.0, 20.0, 80.0), scaled=True),
        },
    ),
    "まばらなスパイク": (
        sparse,
        False,
        {
            "なし": NONE,
            "電位の罰則": PENALTY,
            "入力を大きく": Mend((2.0, 5.0, 10.0), scaled=True),
        },
    ),
    "学習率0.2のあと": (
        plain,
        True,
        {
            "なし": NONE,
            "電位の罰則": PENALTY,
            "黙ったもののバイアス": Mend(BIASES, lifted=True),
            "初めから": AFRESH,
        },
    ),
}


def silent(network: Network, inputs: Tensor) -> list[float]:
    """Return which part of each layer no input makes fire."""
    with torch.no_grad():
        found = layers(network, inputs)
    return [float((spikes.sum((0, 1)) == 0).float().mean()) for spikes, _ in found]


def accuracy(network: Network, inputs: Tensor, labels: Tensor) -> float:
    """Return which part of the answers is right."""
    with torch.no_grad():
        return float((count(network(inputs)[0]).argmax(1) == labels).float().mean())


def learn(network: Network, inputs: Tensor, rate: float, penalty: float) -> Iterator[None]:
    """Train, and stop after each epoch."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    while True:
        for chosen in torch.randperm(inputs.shape[1]).split(BATCH):
            outputs = layers(network, inputs[:, chosen])
            loss = cross_entropy(count(outputs[-1][0]), ANSWERS[0][chosen])
            if penalty:
                loss = loss + penalty * potential_penalty(outputs)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield


def train(
    given: list[Tensor], mend: Mend, setting: tuple[float, float], seed: int, *, spoiled: bool
) -> Row:
    """Train a network, and return its best epoch in validation."""
    torch.manual_seed(seed)
    strength, rate = setting
    inputs = [each * strength for each in given] if mend.scaled else given
    network = mend.build(strength)
    if spoiled and not mend.afresh:
        former = learn(bad := arctan(), inputs[0], SPOILING_RATE, 0)
        for _ in range(SPOILING_EPOCHS):
            next(former)
        network.load_state_dict(bad.state_dict())
    before = silent(network, inputs[0])
    if mend.lifted:
        lift(network, inputs[0], strength)
    epochs = learn(network, inputs[0], rate, strength if mend.penalised else 0)
    best: Row = {"validation": -1.0}
    for epoch in range(1, EPOCHS + 1):
        next(epochs)
        reached = accuracy(network, inputs[1], ANSWERS[1])
        if reached > best["validation"]:
            tested = accuracy(network, inputs[2], ANSWERS[2])
            after = silent(network, inputs[0])
            best = {"validation": reached, "epoch": epoch, "test": tested, "after": after}
    return {"before": before, **best}


def informed(given: list[Tensor]) -> Row:
    """Return what logistic regression reads from the numbers of spikes, tuned as the mends are."""
    counts = [each.sum(0).numpy() for each in given]
    strengths = [10.0**power for power in range(-4, 5)]
    found = []
    for strength in strengths:
        model = LogisticRegression(C=strength, max_iter=2000).fit(counts[0], ANSWERS[0].numpy())
        found.append([model.score(counts[k], ANSWERS[k].numpy()) for k in (1, 2)])
    best = max(range(len(found)), key=lambda k: found[k][0])
    return {"settings": len(found), "strength": strengths[best], "test": [found[best][1]]}


def rows() -> Iterator[Row]:
    """Yield what each mend reached."""
    for case, (inputs, spoiled, mends) in CASES.items():
        given = inputs()
        for name, mend in mends.items():
            settings = list(product(mend.strengths, RATES))
            tried = [
                train(given, mend, setting, TUNING_SEED, spoiled=spoiled)["validation"]
                for setting in settings
            ]
            chosen = settings[tried.index(max(tried))]
            runs = [train(given, mend, chosen, seed, spoiled=spoiled) for seed in SEEDS]
            yield {
                "case": case,
                "mend": name,
                "settings": len(settings),
                "strength": chosen[0],
                "rate": chosen[1],
                **{key: [run[key] for run in runs] for key in ("test", "epoch", "before", "after")},
            }
        if inputs is sparse:
            yield {"case": case, "mend": "スパイクの数のロジスティック回帰", **informed(given)}


if __name__ == "__main__":
    record.run(__doc__, "waking", rows, libraries=["torch", "scikit-learn"])
