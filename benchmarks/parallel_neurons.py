"""Is it faster to compute all steps of a layer at once?

The time that a layer takes forward and back on one thread, for more and more steps: the loop
of an article, `run`, and a loop in machine code, all with a reset; without one, step by step, by
`LI` and in machine code, and all at once: by doubling (a scan), by a matrix of steps times steps,
and in blocks of 64 steps.
Each ratio to the loop in machine code with a reset is within one round, and of five rounds the
record keeps the median, the least and the most.
The clock counts the time on the processor, so that what else runs disturbs less.
With --record the figures are also kept in docs/_data/parallel_neurons.json, which the book shows.
A run takes about two minutes on one processor.
"""

import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

import clock
import record
import torch
from compiled import spikes_of
from record import Row
from torch import Tensor

from snn_docs import LI, LIF
from snn_docs.surrogate import ArcTan

Way = Callable[[Tensor], Tensor]  # inputs [T, *] -> spikes [T, *]


SPIKE = ArcTan()
LEAK, BLOCK = 0.1, 64
SHAPES = ((40,), (16, 256))
STEPS = (64, 256, 1024, 4096)
ROUNDS = 5
LARGEST = 2**33
"""Products of steps, steps and neurons up to which a whole matrix is tried."""
ROUNDED = 1e-4
"""Which part of the spikes may differ between ways, since sums are rounded in another order."""


@cache
def decays(steps: int, kept: float) -> Tensor:
    """Return, by step and by step of the input, which part of an input is left."""
    lags = torch.arange(steps)[:, None] - torch.arange(steps)
    left: Tensor = kept ** lags.clamp(min=0)
    return left.tril()


def doubled(inputs: Tensor, kept: float) -> Tensor:
    """Return potentials without reset: each sum reaches twice as far back as the one before."""
    reach, sums = 1, inputs
    while reach < len(sums):
        sums = torch.cat([sums[:reach], sums[reach:] + kept**reach * sums[:-reach]])
        reach *= 2
    return sums


def whole(inputs: Tensor, kept: float) -> Tensor:
    """Return potentials without reset: one product with a matrix of steps times steps."""
    potentials: Tensor = torch.tensordot(decays(len(inputs), kept), inputs, 1)
    return potentials


def blockwise(inputs: Tensor, kept: float) -> Tensor:
    """Return potentials without reset: matrices within blocks, and again for the blocks' ends."""
    if len(inputs) <= BLOCK:
        return whole(inputs, kept)
    parts = inputs.reshape(-1, BLOCK, inputs[0].numel())
    inside = decays(BLOCK, kept) @ parts
    ends = blockwise(inside[:, -1], kept**BLOCK)
    before = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]])
    left = kept ** torch.arange(1, BLOCK + 1)
    return (inside + left[:, None] * before[:, None]).reshape(inputs.shape)


reset = LIF(leak=LEAK, reset="subtract", surrogate=SPIKE)
free = LI(leak=LEAK)


def loop(inputs: Tensor) -> Tensor:
    """Return the spikes of neurons with a reset, a line of torch at a time."""
    v = s = torch.zeros_like(inputs[0])
    spikes = []
    for current in inputs:
        v = (1 - LEAK) * (v - s) + current
        s = SPIKE(v - 1)
        spikes.append(s)
    return torch.stack(spikes)


def run(inputs: Tensor) -> Tensor:
    """Return the same spikes by one call."""
    return reset.run(inputs)[0]


def in_numba(inputs: Tensor, *, reset: bool = True) -> Tensor:
    """Return the spikes of a loop over time in machine code, forward and back."""
    return spikes_of(inputs, LEAK, reset=reset)


def fired(potentials: Callable[[Tensor, float], Tensor]) -> Way:
    """Return what fires at the potentials that are computed in some way."""
    return lambda inputs: SPIKE(potentials(inputs, 1 - LEAK) - 1)


WAYS: dict[str, Way] = {
    "loop": loop,
    "run": run,
    "numba": in_numba,
    "numba, free": partial(in_numba, reset=False),
    "steps": fired(lambda inputs, _: free.run(inputs)[0]),
    "scan": fired(doubled),
    "matrix": fired(whole),
    "blocks": fired(blockwise),
}


def call(way: Way, inputs: Tensor) -> None:
    """Call one, and go the way back."""
    way(inputs).sum().backward()
    inputs.grad = None


def checked(ways: Mapping[str, Way], inputs: Tensor) -> None:
    """Call each way once, and stop if one of them computes something else."""
    for expected, names in (
        ("loop", ("run", "numba")),
        ("steps", ("scan", "matrix", "blocks", "numba, free")),
    ):
        spikes = ways[expected](inputs)
        for name in names:
            found = (ways[name](inputs) != spikes).float().mean() if name in ways else 0.0
            if found > ROUNDED:
                sys.exit(f"{name}: {found:.2%} of the spikes are others than those of {expected}")


def timed(steps: int, shape: tuple[int, ...]) -> Iterator[Row]:
    """Yield how long each way takes."""
    generator = torch.Generator().manual_seed(0)
    inputs = (0.3 * torch.rand(steps, *shape, generator=generator)).requires_grad_()
    fits = steps * inputs.numel() <= LARGEST
    ways = {name: way for name, way in WAYS.items() if fits or name != "matrix"}
    checked(ways, inputs)
    works = {name: partial(call, way, inputs) for name, way in ways.items()}
    times = clock.rounds_of(works, ROUNDS, at_least=1)
    for name, taken in times.items():
        yield {
            "steps": steps,
            "shape": list(shape),
            "way": name,
            "ms": statistics.median(taken) * 1e3,
            "numba": list(clock.ratios(times["numba"], taken).values()),
        }


def rows() -> Iterator[Row]:
    """Yield how long each way takes, for each size of a layer and number of steps."""
    for shape in SHAPES:
        for steps in STEPS:
            yield from timed(steps, shape)


if __name__ == "__main__":
    record.run(__doc__, "parallel_neurons", rows, libraries=["numba", "torch"])
