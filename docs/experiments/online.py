"""How well do networks learn whose gradients are carried forward in time, as traces of inputs?

Trains one hidden layer of leaky neurons, read without memory in the steps that are judged, with the
same loss and seven gradients: backpropagation through all of time, through the last 20 or 10 steps,
traces that fade as the potential does, traces that fade more slowly, no trace (the step's own
inputs alone), and no learning of the hidden layer at all. Tasks: `data.delayed_match`, whose spikes
come back to the layer, after silences of 15 and 40 steps, and the 8x8 digits, whose don't. The
silence of 40 is also tried without a leak, with spikes that come back and with none. Each gradient
gets six settings, three learning rates by clipping or none; the best in validation, on the mean of
three seeds, and the sooner of equals, then trains with five others, and the test accuracy is that
of the epoch that was best in validation. Beside it: the cosine between the gradient of the hidden
weights and that of backpropagation through all of time, at weights that are the same for every
gradient: the initial ones, and those after two epochs of backpropagation through all of time. Two
last parts, with a leak and silence, try a learning rate beyond those, and traces of other lengths,
with the setting that the slow ones were given. With --record the figures are kept beside it. A run
takes about twenty minutes on one processor.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from typing import NamedTuple

import torch
from harness import (
    SEEDS,
    Notes,
    Part,
    Row,
    best_epoch,
    grid,
    matching,
    pairs,
    record,
    right,
    studied,
)
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, one_hot
from torch.nn.utils import clip_grad_norm_

from snn_docs import data
from snn_docs.surrogate import ArcTan

RATES = (3e-3, 1e-2, 3e-2)
CLIPS = (None, 1.0)
EPOCHS, BATCH, HIDDEN = 20, 128, 64
SOLVED, TIMES = 0.995, 2
"""Training ends when validation was at least this good, so many epochs in a row."""
LENGTHS = (0.0, 0.5, 0.8, 0.9, 0.95, 1.0)
SPIKE = ArcTan()


class Task(NamedTuple):
    """Data, and what is fixed for every gradient."""

    parts: Callable[[int], list[Part]]
    kept: float
    judged: int
    """How many steps, the last ones, are judged."""
    recurrent: bool
    adaptation: float = 0.0
    """How far each spike raises its neuron's threshold."""
    adaptation_kept: float = 0.98


class Gradient(NamedTuple):
    """How far it looks back: the steps that are unrolled, all if None; or what a trace keeps.

    What is unrolled may pass through the spikes that come back, and through the threshold, or not.
    """

    window: int | None = None
    trace: float | None = None
    hidden: bool = True
    loop: bool = True
    threshold: bool = True


class Weights(NamedTuple):
    """What is learnt: from the inputs, from the layer itself, and to the readout, with a bias."""

    w: Tensor
    u: Tensor
    last: Tensor
    bias: Tensor


def written(_: int) -> list[Part]:
    """Return the digits, shown for ten steps; seeds decide the weights and the order alone."""
    return [(x.expand(10, -1, -1), y) for x, y in pairs(data.digits(validation=360))]


TASKS = {
    "match 15": Task(partial(matching, 15), kept=0.8, judged=5, recurrent=True),
    "match 40": Task(partial(matching, 40), kept=0.8, judged=5, recurrent=True),
    "digits": Task(written, kept=0.9, judged=10, recurrent=False),
    "match 40 alone": Task(partial(matching, 40), kept=1.0, judged=5, recurrent=False),
    "match 40 kept": Task(partial(matching, 40), kept=1.0, judged=5, recurrent=True),
}


def gradients(task: Task) -> dict[str, Gradient]:
    """Return those that a task is learnt by."""
    traces = {"trace": Gradient(trace=task.kept), "instant": Gradient(trace=0.0)}
    if task.kept == 1.0:
        return {"bptt": Gradient(), "trace": traces["trace"]}
    if not task.recurrent:
        return {"bptt": Gradient(), **traces, "frozen": Gradient(trace=0.0, hidden=False)}
    windows = {f"window {steps}": Gradient(window=steps) for steps in (20, 10)}
    return {"bptt": Gradient(), **windows, **traces, "slow": Gradient(trace=0.95)}


def initial(task: Task, features: int, classes: int) -> Weights:
    """Return weights that let neurons fire; where nothing comes back, they are 0 and stay so."""
    back = 0.5 / HIDDEN**0.5 if task.recurrent else 0.0
    return Weights(
        (2 / features**0.5 * torch.randn(HIDDEN, features)).requires_grad_(),
        (back * torch.randn(HIDDEN, HIDDEN)).requires_grad_(task.recurrent),
        (torch.randn(classes, HIDDEN) / HIDDEN**0.5).requires_grad_(),
        torch.zeros(classes, requires_grad=True),
    )


def unrolled(weights: Weights, task: Task, inputs: Tensor, way: Gradient) -> list[Tensor]:
    """Return the spikes of the judged steps; their graph holds what a gradient looks back on."""
    start = 0 if way.window is None else len(inputs) - way.window
    currents = inputs @ weights.w.T
    v = s = raised = torch.zeros_like(currents[0])
    spikes = []
    for step, current in enumerate(currents):
        with torch.set_grad_enabled(torch.is_grad_enabled() and step >= start):
            if task.adaptation:
                fired = s if way.threshold else s.detach()
                raised = task.adaptation_kept * raised + task.adaptation * fired
            back = s if way.loop else s.detach()
            v = task.kept * (v - s.detach()) + current + back @ weights.u.T
            s = SPIKE(v - raised - 1)
        spikes.append(s)
    return spikes[-task.judged :]


def backwards(weights: Weights, task: Task, part: Part, way: Gradient) -> list[Tensor]:
    """Return the gradient that goes back in time."""
    inputs, labels = part
    spikes = unrolled(weights, task, inputs, way)
    scores = [s @ weights.last.T + weights.bias for s in spikes]
    loss = sum((cross_entropy(each, labels) for each in scores), torch.zeros(())) / task.judged
    learnt = [each for each in weights if each.requires_grad]
    found = dict(zip(map(id, learnt), torch.autograd.grad(loss, learnt), strict=True))
    return [found.get(id(each), torch.zeros_like(each)) for each in weights]


@torch.no_grad()
def forwards(weights: Weights, task: Task, part: Part, trace: float) -> list[Tensor]:
    """Return the gradient that traces carry."""
    inputs, labels = part
    goal = one_hot(labels, len(weights.bias))
    currents = inputs @ weights.w.T
    v = s = torch.zeros_like(currents[0])
    before, back = torch.zeros_like(inputs[0]), torch.zeros_like(s)
    found = [torch.zeros_like(each) for each in weights]
    for step, (now, current) in enumerate(zip(inputs, currents, strict=True)):
        before, back = trace * before + now, trace * back + task.recurrent * s
        v = task.kept * (v - s) + current + s @ weights.u.T
        s = (v > 1).to(v)
        if step >= len(inputs) - task.judged:
            error = ((s @ weights.last.T + weights.bias).softmax(1) - goal) / len(goal)
            error = error / task.judged
            signal = (error @ weights.last) * SPIKE.derivative(v - 1)
            parts = signal.T @ before, signal.T @ back, error.T @ s, error.sum(0)
            found = [total + each for total, each in zip(found, parts, strict=True)]
    return found


def gradient(weights: Weights, task: Task, part: Part, way: Gradient) -> list[Tensor]:
    """Return a gradient, the one way or the other."""
    if way.trace is None:
        return backwards(weights, task, part, way)
    return forwards(weights, task, part, way.trace)


@torch.no_grad()
def accuracy(weights: Weights, task: Task, inputs: Tensor, labels: Tensor) -> float:
    """Return which part of the answers is right."""
    spikes = torch.stack(unrolled(weights, task, inputs, Gradient())).sum(0)
    return right(spikes @ weights.last.T + task.judged * weights.bias, labels)


def epochs(task: Task, way: Gradient, setting: Row, seed: int) -> Iterator[Weights]:
    """Yield the initial weights, and, as long as asked, the same after each epoch of learning."""
    inputs, labels = task.parts(seed)[0]
    torch.manual_seed(seed)
    weights = initial(task, inputs.shape[2], int(labels.max()) + 1)
    learnt = [each for each in (weights if way.hidden else weights[2:]) if each.requires_grad]
    optimizer = torch.optim.Adam(learnt, lr=setting["rate"])
    while True:
        yield weights
        for chosen in torch.randperm(len(labels)).split(BATCH):
            part = inputs[:, chosen], labels[chosen]
            for each, slope in zip(weights, gradient(weights, task, part, way), strict=True):
                each.grad = slope
            if setting["clip"] is not None:
                clip_grad_norm_(learnt, setting["clip"])
            optimizer.step()


def learn(task: Task, way: Gradient, setting: Row, seed: int) -> Row:
    """Return what the epoch that was best in validation reached there and in the test."""
    _, held, test = task.parts(seed)
    learning = epochs(task, way, setting, seed)
    weights = next(learning)  # which stay the same tensors
    reached = partial(accuracy, weights, task)
    told = lambda: {"test": reached(*test)}  # noqa: E731
    going = (epoch for epoch, _ in zip(range(1, EPOCHS + 1), learning, strict=False))
    found = best_epoch(going, partial(reached, *held), told, SOLVED, TIMES)
    return {key: found[key] for key in ("validation", "epoch", "test")}


FASTER = {"rate": 1e-1, "clip": None}
"""What lies beyond the largest rate that is tried."""
COMMON = {"rate": 1e-2, "clip": None}
"""How the weights are made, by backpropagation through all of time, at which gradients meet."""
MEETINGS = {"initial": 0, "later": 2}
"""After how many epochs of that they do."""


@cache
def hidden_gradients(name: str, seed: int, meeting: str) -> dict[str, Tensor]:
    """Return each gradient of the hidden layer, on one batch and at the same weights."""
    task = TASKS[name]
    inputs, labels = task.parts(seed)[0]
    part = inputs[:, :BATCH], labels[:BATCH]
    weights = next(islice(epochs(task, Gradient(), COMMON, seed), MEETINGS[meeting], None))
    found = {told: gradient(weights, task, part, way) for told, way in gradients(task).items()}
    return {told: torch.cat([w.flatten(), u.flatten()]) for told, (w, u, *_) in found.items()}


def cosine(name: str, told: str, seed: int, meeting: str) -> float:
    """Return the cosine between a hidden layer's gradient and that through all of time."""
    found = hidden_gradients(name, seed, meeting)
    return float(cosine_similarity(found[told].double(), found["bptt"].double(), dim=0))


SETTINGS = grid(rate=RATES, clip=CLIPS)
NETWORKS = {f"{name}, {told}": SETTINGS for name, task in TASKS.items() for told in gradients(task)}


def train(network: str, setting: Row, seed: int) -> Row:
    """Return what a gradient, or a trace of some length, reaches in a task."""
    name, told = network.split(", ")
    task = TASKS[name]
    way = gradients(task).get(told) or Gradient(trace=float(told))
    found = learn(task, way, setting, seed)
    return found | {"merit": found["validation"] - found["epoch"] / 1e6}  # the sooner of equals


def at(name: str, told: object, setting: Row) -> Row:
    """Return what a gradient reaches on the fresh seeds with one setting."""
    key = f"{name}, {told}"
    notes = Notes("online")
    runs = [notes.once([key, setting, n], partial(train, key, setting, n)) for n in SEEDS]
    return {key: [run[key] for run in runs] for key in ("test", "epoch")}


def rows() -> Iterator[Row]:
    """Yield what each gradient reached in each task, faster, and by traces of other lengths."""
    slow = {}
    for row in studied("online", NETWORKS, train, by="merit"):
        name, told = row["network"].split(", ")
        if told == "slow":
            slow[name] = row["chosen"]
        yield {
            "task": name,
            "gradient": told,
            "chosen": row["chosen"],
            "test": row["test"],
            "epoch": row["epoch"],
            "cosine": {
                each: [cosine(name, told, seed, each) for seed in SEEDS] for each in MEETINGS
            },
        }
    for name in slow:
        for told in gradients(TASKS[name]):
            reached = at(name, told, FASTER)
            yield {"task": name, "gradient": told, "rate": FASTER["rate"], **reached}
    for name, setting in slow.items():
        for kept in LENGTHS:
            yield {"task": name, "trace": kept, **at(name, kept, setting)}


def again(row: Row) -> tuple[Row, Row]:
    """Make the first seed of a row again."""
    found = train(f"{row['task']}, {row['gradient']}", row["chosen"], SEEDS[0])
    return {key: row[key][0] for key in ("test", "epoch")}, found


if __name__ == "__main__":
    record.run(__doc__, "online", rows, libraries=["torch"], again=again)
