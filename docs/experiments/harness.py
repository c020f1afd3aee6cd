"""What all experiments share; they are run as programs of their own, from any folder.

They run as the book's pages do (`book_environment` and `book_start` of conf.py), so that the same
code gives the same digits on every x86-64. A script that is a study says its networks, the settings
that each may have, and how one is trained with a setting and a seed::

    study(__doc__, "memory", {"LIF": [{"rate": 0.01}, {"rate": 0.03}], ...}, train)

Each network gets as many settings as the others; the one that is best in validation, on the mean
of three seeds, is trained with five others, of which each is kept. What a run has found is noted
at once: one that was stopped goes on where it was, as long as the code is the same.
"""

import hashlib
import json
import os
import sys
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "benchmarks"))  # keeps records too

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import record
import torch
from record import Row
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from bookproof.settings import find_settings
from snn_docs import data

Part = tuple[Tensor, Tensor]
"""Inputs and labels."""

__all__ = [
    "Chain",
    "Part",
    "Row",
    "accuracy",
    "best",
    "best_epoch",
    "each",
    "epochs",
    "faded",
    "fit",
    "fit_best",
    "gated",
    "grid",
    "loss_on",
    "matching",
    "pairs",
    "parameters",
    "reached",
    "record",
    "right",
    "study",
    "train",
    "tuned",
    "updates",
]

TUNING = (100, 101, 102)
SEEDS = (0, 1, 2, 3, 4)
TIMES = 3
"""In so many epochs in a row a network must be good, to have learned."""
NOTES = HERE.parents[1] / "_build" / "experiments"
FREE = ("fashion_mnist",)
"""Experiments that run with the processor's own arithmetic: the book's way would take hours."""


def begin() -> None:
    """Start the program anew as the book's kernels start, unless it has been, or is imported.

    A record that was made before there was this rule is checked (`--again`) as it was made, and
    those that are FREE of it are made without.
    """
    program = Path(sys.argv[0]).resolve()
    if program.parent != HERE or program.stem in FREE:
        return
    old = "--again" in sys.argv and not record.is_pinned(program.stem)
    settings = find_settings(HERE / "harness.py")
    if not old and any(os.environ.get(key) != each for key, each in settings.environment.items()):
        environment = {**os.environ, **settings.environment}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)  # noqa: S606
    if not old:
        exec(settings.start, {"__name__": "book_start"})  # noqa: S102 - the book's own
        record.PINNED = True


# ---- Networks ----


class Chain(torch.nn.Module):
    """Layers, and functions between them: of an output and a state, the output goes on."""

    def __init__(self, *parts: Callable[[Tensor], Any]) -> None:
        """Take what comes after what."""
        super().__init__()
        self.parts = parts
        self.layers = torch.nn.ModuleList(x for x in parts if isinstance(x, torch.nn.Module))

    def forward(self, x: Tensor) -> Tensor:
        """Return what the last part gives."""
        for part in self.parts:
            found = part(x)
            x = found[0] if isinstance(found, tuple) else found
        return x


def gated(features: int, hidden: int, bias: float = 0.0) -> torch.nn.GRU:
    """Return a GRU; its update gates keep the more, the larger their bias is."""
    gru = torch.nn.GRU(features, hidden)
    with torch.no_grad():
        gru.get_parameter("bias_ih_l0")[hidden : 2 * hidden] += bias
    return gru


def faded(values: Tensor, kept: float) -> Tensor:
    """Return the sum over time of what is kept of each step's values until the last one."""
    weights = kept ** torch.arange(len(values) - 1, -1, -1)
    total: Tensor = torch.tensordot(weights, values, 1)
    return total


# ---- Training ----


def epochs(  # noqa: PLR0913 - what training needs
    loss: Callable[[Tensor], Tensor],
    samples: int,
    optimizer: torch.optim.Optimizer,
    *,
    count: int,
    batch: int,
    slower: LRScheduler | None = None,
) -> Iterator[int]:
    """Train, and give the word after each epoch: ``loss(chosen)`` is that of some samples."""
    for epoch in range(1, count + 1):
        for chosen in torch.randperm(samples).split(batch):
            descend(loss(chosen), optimizer)
        if slower is not None:
            slower.step()
        yield epoch


def updates(
    loss: Callable[[Tensor], Tensor],
    samples: int,
    optimizer: torch.optim.Optimizer,
    *,
    count: int,
    batch: int,
) -> None:
    """Train with so many updates, each by a batch that is drawn anew."""
    for _ in range(count):
        descend(loss(torch.randperm(samples)[:batch]), optimizer)


def descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Take a step of training."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def train(  # noqa: PLR0913 - what training needs
    network: torch.nn.Module,
    loss: Callable[[Tensor], Tensor],
    samples: int,
    rate: float,
    *,
    count: int,
    batch: int,
    cosine: bool = False,
    clip: float | None = None,
    by: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> None:
    """Train for some epochs by an optimizer, whose rate may fall to 0 on half a cosine.

    The norm of the gradients is clipped if there is a limit.
    """
    optimizer = by(network.parameters(), lr=rate)
    if clip is not None:
        optimizer.register_step_pre_hook(lambda *_: clipped(network, clip))
    slower = CosineAnnealingLR(optimizer, count) if cosine else None
    for _ in epochs(loss, samples, optimizer, count=count, batch=batch, slower=slower):
        pass


def loss_on(
    scores: Callable[[Tensor], Tensor], inputs: Tensor, labels: Tensor, axis: int = 0
) -> Callable[[Tensor], Tensor]:
    """Return the loss of some samples, which lie along an axis of the inputs."""
    return lambda chosen: cross_entropy(scores(inputs.index_select(axis, chosen)), labels[chosen])


def fit(
    network: torch.nn.Module,
    part: Part,
    rate: float,
    *,
    scores: Callable[[Tensor], Tensor] | None = None,
    axis: int = 0,
    **how: Any,  # noqa: ANN401 - what `train` takes
) -> None:
    """Train a network to tell the labels of a part, by its outputs or what is made of them."""
    train(network, loss_on(scores or network, *part, axis), len(part[1]), rate, **how)


def fit_best(  # noqa: PLR0913 - what training needs
    network: torch.nn.Module,
    parts: Sequence[Part],
    rate: float,
    *,
    count: int,
    batch: int,
    until: float = float("inf"),
) -> Row:
    """Train on sequences, time first, and return what the epoch best in validation reached."""
    training, held, test = parts
    learnt = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(learnt, lr=rate)
    loss = loss_on(network, *training, axis=1)
    going = epochs(loss, len(training[1]), optimizer, count=count, batch=batch)
    told = lambda: {"test": accuracy(network, *test)}  # noqa: E731
    return best_epoch(going, partial(accuracy, network, *held), told, until)


def clipped(network: torch.nn.Module, most: float) -> None:
    """Clip the norm of a network's gradients."""
    clip_grad_norm_(network.parameters(), most)


def best_epoch(
    going: Iterable[int],
    held: Callable[[], float],
    told: Callable[[], Row],
    until: float = float("inf"),
    times: int = TIMES,
) -> Row:
    """Train, and return what the epoch that was best in validation reached, and what it told.

    It ends when validation was at least so good in some epochs in a row.
    """
    best: Row = {"validation": -1.0}
    in_a_row = epoch = 0
    for epoch in going:
        reached = held()
        if reached > best["validation"]:
            best = {"validation": reached, "epoch": epoch, **told()}
        in_a_row = in_a_row + 1 if reached >= until else 0
        if in_a_row == times:
            break
    return best | {"epochs": epoch, "learned": in_a_row == times}


def right(scores: Tensor, labels: Tensor) -> float:
    """Return which part of the answers is right."""
    return float((scores.argmax(-1) == labels).float().mean())


def accuracy(network: Callable[..., Tensor], *part: Tensor) -> float:
    """Return which part of a network's answers to some inputs is right; the labels come last."""
    *inputs, labels = part
    with torch.no_grad():
        return right(network(*inputs), labels)


def pairs(split: data.Split) -> tuple[Part, Part, Part]:
    """Return inputs and labels of the training, the validation and the test."""
    return split[:2], split[4:6], split[2:4]


def matching(delay: int, seed: int) -> list[Part]:
    """Return the data of delayed matching to sample, for training, validation and test."""
    random = torch.Generator().manual_seed(seed)
    return [data.delayed_match(size, delay, generator=random) for size in (1024, 512, 512)]


def reached(network: Callable[..., Tensor], split: data.Split) -> Row:
    """Return which part of the answers is right, in validation and in the test."""
    _, held, test = pairs(split)
    return {"validation": accuracy(network, *held), "test": accuracy(network, *test)}


def parameters(network: torch.nn.Module) -> int:
    """Count what a network learns."""
    return sum(each.numel() for each in network.parameters())


# ---- Studies ----


def grid(**values: Iterable[Any]) -> list[Row]:
    """Return all settings that can be made of some values."""
    return [dict(zip(values, each, strict=True)) for each in product(*values.values())]


def best(settings: Sequence[Any], reached: Callable[[Any], float]) -> tuple[Any, list[float]]:
    """Return the setting that reaches most, the first of equals, and what each reaches."""
    tried = [reached(each) for each in settings]
    return settings[tried.index(max(tried))], tried


def tuned(
    settings: Sequence[Any],
    train: Callable[[Any, int], Row],
    tuning: Sequence[int],
    seeds: Sequence[int],
    *,
    by: str = "validation",
) -> tuple[Any, list[float], Row]:
    """Return the setting that is best on some seeds, what each reached, and all of other seeds."""
    chosen, tried = best(settings, lambda each: fmean(train(each, seed)[by] for seed in tuning))
    runs = [train(chosen, seed) for seed in seeds]
    return chosen, tried, {key: [run[key] for run in runs] for key in runs[0]}


class Notes:
    """What the runs of a study have found, line by line, for one that goes on."""

    def __init__(self, name: str) -> None:
        """Read what runs of the same code have left."""
        code = json.dumps(record.loaded_code(), sort_keys=True)
        self.code = hashlib.sha256(code.encode()).hexdigest()[:12]
        self.path = NOTES / f"{name}.jsonl"
        self.found: dict[str, Row] = {}
        lines = self.path.read_text("utf-8").splitlines() if self.path.is_file() else []
        for line in lines:
            try:
                code, key, row = json.loads(line)
            except ValueError:  # the line at which a run was stopped
                continue
            if code == self.code:
                self.found[key] = row

    def once(self, key: Sequence[Any], made: Callable[[], Row]) -> Row:
        """Return what was found before, or make it and note it."""
        name = json.dumps(key, ensure_ascii=False)
        if name not in self.found:
            self.found[name] = made()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                line = json.dumps([self.code, name, self.found[name]], ensure_ascii=False)
                file.write(f"{line}\n")
        return self.found[name]


def studied(  # noqa: PLR0913 - a study has as many parts
    name: str,
    networks: Mapping[str, Sequence[Row]],
    train: Callable[[str, Row, int], Row],
    *,
    by: str = "validation",
    tuning: Sequence[int] = TUNING,
    seeds: Sequence[int] = SEEDS,
) -> Iterator[Row]:
    """Yield a row for each network: its settings, what each reached, and each seed of the best."""
    if len({len(settings) for settings in networks.values()}) != 1:
        raise ValueError("each network gets as many settings as the others")
    if len({*tuning}) < len(TUNING) or {*tuning} & {*seeds}:
        raise ValueError("settings are chosen on three seeds or more, which are used for no more")
    notes = Notes(name)

    def run(network: str, setting: Row, seed: int) -> Row:
        return notes.once([network, setting, seed], lambda: train(network, setting, seed))

    for network, settings in networks.items():
        chosen, tried, runs = tuned(settings, partial(run, network), tuning, seeds, by=by)
        row = {"network": network, "settings": [*settings], "tried": tried, "chosen": chosen}
        yield row | runs


def each(
    told: str | None,
    name: str,
    places: Iterable[Sequence[Any]],
    measured: Callable[..., Row],
    libraries: Iterable[str] = ("torch",),
) -> None:
    """Be the command of an experiment whose rows are measured one by one: ``measured(*place)``."""
    places = [*places]

    def rows() -> Iterator[Row]:
        notes = Notes(name)
        for place in places:
            yield notes.once(place, partial(measured, *place))

    record.run(told, name, rows, libraries=libraries, again=lambda row: (row, measured(*places[0])))


def study(  # noqa: PLR0913 - a study has as many parts
    told: str | None,
    name: str,
    networks: Mapping[str, Sequence[Row]],
    train: Callable[[str, Row, int], Row],
    libraries: Iterable[str] = ("torch",),
    *,
    again: Callable[[Row], tuple[Row, Row]] | None = None,
    **others: Any,  # noqa: ANN401 - those of `studied`
) -> None:
    """Be the command of a study; its cheap row is one network's with one seed, or what is told."""

    def first_seed(row: Row) -> tuple[Row, Row]:
        seeds = others.get("seeds", SEEDS)
        found = train(row["network"], row["chosen"], seeds[0])
        return {key: row[key][0] for key in found}, found

    rows = lambda: studied(name, networks, train, **others)  # noqa: E731
    record.run(told, name, rows, libraries=libraries, again=again or first_seed)


begin()
