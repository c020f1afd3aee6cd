"""What do the ways of the chapter on speed bring: run, numba, torch.compile, no gradient?

The same neurons, as a loop over `step` and in each of the ways, one thread. What numba compiles is
a loop that is written for these neurons alone (compiled.py); what torch.compile does is `run`. All
take turns in one run, each is checked to fire the same spikes, and the figures are medians over the
rounds with the least and the greatest. Beside the times stands how many operations of torch a way
calls, those left out that only look at a tensor in another way; what is compiled has none. The
clock counts the time on the processor, so that what else runs disturbs less. With --record the
figures are also kept in docs/_data/ways.json, which the book shows.
A run takes about two minutes, most of them for torch.compile, which needs a C++ compiler.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import clock
import record
import torch
from compiled import spikes_of
from record import Row
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from snn_docs import LIF
from snn_docs.surrogate import ArcTan

Way = Callable[[Tensor], Tensor]  # inputs [T, *] -> spikes [T, *]


SHAPES = [(20, 40), (20, 64, 512), (100, 64, 512)]
ROUNDS, MOST_COMPILED = 7, 20
"""Steps up to which the loop is compiled: each one is compiled anew, and that takes its time."""

LEAK = 0.1
layer = LIF(leak=LEAK, reset="subtract", surrogate=ArcTan())


def loop(inputs: Tensor) -> Tensor:
    """Call `step` for every time."""
    state = None
    spikes = []
    for current in inputs:
        s, state = layer.step(current, state)
        spikes.append(s)
    return torch.stack(spikes)


def run(inputs: Tensor) -> Tensor:
    """Call `run` once."""
    return layer.run(inputs)[0]


def in_numba(inputs: Tensor) -> Tensor:
    """Run a loop that is written by hand for these neurons, in machine code forward and back."""
    return spikes_of(inputs, LEAK)


def call(way: Way, inputs: Tensor, *, gradient: bool) -> None:
    """Call one, and go the way back if told to."""
    with torch.set_grad_enabled(gradient):
        spikes = way(inputs)
        if gradient:
            spikes.sum().backward()
    inputs.grad = None


class Calls(TorchDispatchMode):
    """Counts the operations that are called while it is on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count: int = 0

    def __torch_dispatch__(
        self,
        func: OpOverload,
        _types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Count one, unless it only looks at a tensor in another way, and do it."""
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def count_calls(way: Way, inputs: Tensor, *, gradient: bool) -> int:
    """Return how many operations one call needs, and the way back."""
    calls = Calls()
    with calls:
        call(way, inputs, gradient=gradient)
    return calls.count


def first_calls(ways: Mapping[str, Way], inputs: Tensor) -> dict[str, float]:
    """Call each once with gradients and once without, and return how long that took to begin."""
    taken, expected = {}, loop(inputs)
    for name, way in ways.items():
        start = time.perf_counter()
        for gradient in (True, False):
            call(way, inputs, gradient=gradient)
        taken[name] = time.perf_counter() - start
        if not torch.equal(way(inputs), expected):
            sys.exit(f"{name} does not fire the same spikes")
    return taken


def rows_of(shape: tuple[int, ...], ways: Mapping[str, Way]) -> Iterator[Row]:
    """Yield a row for each way, with gradients and without."""
    generator = torch.Generator().manual_seed(0)
    inputs = (torch.rand(shape, generator=generator) * 0.6).requires_grad_()
    begun = first_calls(ways, inputs)
    for gradient in (True, False):
        works = {name: partial(call, way, inputs, gradient=gradient) for name, way in ways.items()}
        times = clock.rounds_of(works, ROUNDS)
        for name, way in ways.items():
            calls = None if name == "compile" else count_calls(way, inputs, gradient=gradient)
            yield {
                "shape": list(shape),
                "gradient": gradient,
                "way": name,
                "calls": calls,
                "ms": statistics.median(times[name]) * 1e3,
                **clock.ratios(times["loop"], times[name]),
                "first_call_s": begun[name],
            }


def rows() -> Iterator[Row]:
    """Yield each way with each shape."""
    for shape in SHAPES:
        ways: dict[str, Way] = {"loop": loop, "run": run, "numba": in_numba}
        if shape[0] <= MOST_COMPILED:
            torch.compiler.reset()
            ways["compile"] = torch.compile(run, fullgraph=True)
        yield from rows_of(shape, ways)


if __name__ == "__main__":
    record.run(__doc__, "ways", rows, libraries=["numba"])
