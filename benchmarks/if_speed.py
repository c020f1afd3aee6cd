"""How fast does a layer of IF neurons run over time, and how much memory does it take?

`IF.run` against the article's own loop, against other libraries set to the same equations (those
that are installed), and against a loop in C, which needs a C compiler. All
contenders take turns in one run on one machine; the figures are medians of ratios over the rounds,
with the least and the greatest, so they can be compared between machines. Before that, all give the
same spikes and the same gradients. A comparison that comes out too differently from round to round
is made again; if it stays so, there is noise instead of a figure, and none is told.
With --record the figures are also kept in docs/_data/if_speed.json, which the book shows.
A run with all rows takes some minutes. `make peers` makes environments with the libraries in them:
.venv-peers/bin/python benchmarks/if_speed.py
"""

import ctypes
import importlib
import importlib.util
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import record
import torch
from record import Row
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from snn_docs import IF, Heaviside
from snn_docs.surrogate import ArcTan, Triangle

Run = Callable[[Tensor], Tensor]  # inputs [T, *] -> spikes [T, *]


SHAPES = [(100, 16384), (100, 16, 1024), (20, 40)]
ALLOCATOR = 31 * 2**20  # bytes: below the 32 MiB up to which glibc learns to keep what is freed
NOISE = 3
"""A row whose greatest ratio is more times its smallest says nothing."""
ROUNDS, TRIES = 7, 3
ROUNDING = 1e-5
"""How much of the largest gradient two may differ by that add up in another order."""


@dataclass(frozen=True)
class Case:
    """A rule of reset and derivative."""

    name: str
    reset: str
    detach_reset: bool
    derivative: str

    def layer(self) -> IF:
        """Return the layer of this package."""
        surrogates: dict[str, Any] = {
            "article": Heaviside.apply, "arctan": ArcTan(1.0), "triangle": Triangle(1.0)
        }  # fmt: skip
        reset: Any = self.reset
        surrogate = surrogates[self.derivative]
        return IF(reset=reset, detach_reset=self.detach_reset, surrogate=surrogate)


CASES = [
    Case("zero, detached", "zero", detach_reset=True, derivative="article"),
    Case("zero, attached", "zero", detach_reset=False, derivative="article"),
    Case("zero, arctan", "zero", detach_reset=False, derivative="arctan"),
    Case("zero, triangle", "zero", detach_reset=False, derivative="triangle"),
    Case("subtract, detached", "subtract", detach_reset=True, derivative="article"),
    Case("subtract, attached", "subtract", detach_reset=False, derivative="article"),
    Case("subtract, arctan", "subtract", detach_reset=False, derivative="arctan"),
]


class ArticleHeaviside(torch.autograd.Function):
    """The article's function: same spikes, same derivative, no checks."""

    @staticmethod
    def forward(ctx: Any, input_: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        """Fire above zero."""
        out = (input_ > 0).float()
        ctx.save_for_backward(out.bool())
        return out

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:  # noqa: ANN401
        """Pass the gradient where it fired."""
        (out,) = ctx.saved_tensors
        grad: Tensor = grad_output * out
        return grad


def with_derivative(back: Callable[[Tensor, Tensor], Tensor]) -> type[torch.autograd.Function]:
    """Return the article's function with another derivative, written as the article writes it."""

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, input_: Tensor) -> Tensor:  # noqa: ANN401
            ctx.save_for_backward(input_)
            return (input_ > 0).float()

        @staticmethod
        def backward(ctx: Any, grad_output: Tensor) -> Tensor:  # noqa: ANN401
            return back(grad_output, *ctx.saved_tensors)

    return Spike


ARTICLE: dict[str, type[torch.autograd.Function]] = {
    "article": ArticleHeaviside,
    "arctan": with_derivative(lambda grad, v: grad / (1 + (math.pi * v) ** 2)),
    "triangle": with_derivative(lambda grad, v: grad * torch.relu(1 - v.abs())),
}


def article(case: Case, threshold: float = 1.0) -> Run:
    """Return the article's step in a loop over time."""
    spike: Callable[[Tensor], Tensor] = ARTICLE[case.derivative].apply

    def run(inputs: Tensor) -> Tensor:
        v = s = torch.zeros_like(inputs[0])
        spikes = []
        for current in inputs:
            held = s.detach() if case.detach_reset else s
            v = (v * (1 - held) if case.reset == "zero" else v - held * threshold) + current
            s = spike(v - threshold)
            spikes.append(s)
        return torch.stack(spikes)

    return run


def ours(case: Case) -> Run:
    """Return this package's run over time."""
    layer = case.layer()
    return lambda inputs: layer.run(inputs)[0]


def snntorch(case: Case) -> Run | None:
    """Return snnTorch's layer in the loop that its tutorials write."""
    library = importlib.import_module("snntorch")
    theirs = importlib.import_module("snntorch.surrogate")
    derivatives = {"article": theirs.heaviside(), "arctan": theirs.atan(alpha=2.0)}
    if case.derivative not in derivatives:
        return None
    layer = library.Leaky(
        beta=1.0,
        reset_mechanism=case.reset,
        reset_delay=case.detach_reset,  # without the delay its reset is attached
        spike_grad=derivatives[case.derivative],
    )

    def run(inputs: Tensor) -> Tensor:
        v, spikes = torch.zeros_like(inputs[0]), []
        for current in inputs:
            s, v = layer(current, v)
            spikes.append(s)
        return torch.stack(spikes)

    return None if case.reset == "subtract" and case.detach_reset else run  # another order there


def spikingjelly(case: Case) -> Run | None:
    """Return SpikingJelly's layer over all steps. It fires at its threshold: the next number."""
    theirs = importlib.import_module("spikingjelly.activation_based.surrogate")
    derivatives = {
        "article": theirs.LeakyKReLU(leak=0.0, k=1.0),
        "arctan": theirs.ATan(2.0),
        "triangle": theirs.PiecewiseQuadratic(1.0),
    }
    layer = importlib.import_module("spikingjelly.activation_based.neuron").IFNode(
        v_threshold=1 + 2**-23,
        surrogate_function=derivatives[case.derivative],
        detach_reset=case.detach_reset,
        step_mode="m",
    )

    def run(inputs: Tensor) -> Tensor:
        layer.reset()
        spikes: Tensor = layer(inputs)
        return spikes

    return run if case.reset == "zero" else None  # it would subtract the next number, too


def norse(case: Case) -> Run | None:
    """Return Norse's step in a loop. Its reset is attached, its derivative a triangle."""
    library = importlib.import_module("norse.torch.functional.iaf")
    parameters = library.IAFParameters(v_th=torch.tensor(1.0), method="triangle", alpha=1.0)

    def run(inputs: Tensor) -> Tensor:
        state, spikes = library.IAFFeedForwardState(torch.zeros_like(inputs[0])), []
        for current in inputs:
            s, state = library.iaf_feed_forward_step(current, state, parameters)
            spikes.append(s)
        return torch.stack(spikes)

    return run if case.reset == "zero" and case.derivative == "triangle" else None


def sinabs(case: Case) -> Run | None:
    """Return sinabs' layer. It fires at its threshold; its reset to zero is detached."""
    layers = importlib.import_module("sinabs.layers")
    theirs = importlib.import_module("sinabs.activation")
    zero = case.reset == "zero"
    layer = layers.IAF(
        spike_threshold=torch.tensor(1 + 2**-23),
        spike_fn=theirs.SingleSpike,
        reset_fn=theirs.MembraneReset() if zero else theirs.MembraneSubtract(1.0),
        surrogate_grad_fn=lambda v, threshold: (v >= threshold).float(),
    )

    def run(inputs: Tensor) -> Tensor:
        layer.reset_states()
        spikes: Tensor = layer(inputs.unsqueeze(0)).squeeze(0)
        return spikes

    return run if case.derivative == "article" and zero == case.detach_reset else None


PEERS = {f.__name__: f for f in (snntorch, spikingjelly, norse, sinabs)}
INSTALLED = [name for name in PEERS if importlib.util.find_spec(name)]

C_SOURCE = """
#include <stddef.h>

void forward(size_t T, size_t N, const float *I, float *restrict S, float *restrict V) {
  for (size_t n = 0; n < N; n += 1024) {
    size_t end = n + 1024 < N ? n + 1024 : N;
    for (size_t t = 0; t < T; t++)
      for (size_t i = n; i < end; i++) {
        float left = t ? V[(t - 1) * N + i] * (1 - S[(t - 1) * N + i]) : 0;
        float x = left + I[t * N + i];
        V[t * N + i] = x;
        S[t * N + i] = x > 1 ? 1 : 0;
      }
  }
}

void backward(size_t T, size_t N, int attached, const float *G, size_t dt, size_t dn,
              const float *S, const float *V, float *restrict D) {
  for (size_t n = 0; n < N; n += 1024) {
    size_t end = n + 1024 < N ? n + 1024 : N;
    for (size_t t = T; t-- > 0;)
      for (size_t i = n; i < end; i++) {
        float later = t + 1 < T ? D[(t + 1) * N + i] : 0, s = S[t * N + i];
        float reaching = G[t * dt + i * dn] - (attached ? later * V[t * N + i] : 0);
        D[t * N + i] = reaching * s + later * (1 - s);
      }
  }
}
"""


class InC:
    """The reset to zero and the article's derivative, both loops fused in C, in one thread."""

    def __init__(self, folder: Path) -> None:
        """Compile."""
        source, library = folder / "loops.c", folder / "loops.so"
        source.write_text(C_SOURCE)
        flags = ["-O3", "-march=native", "-shared", "-fPIC", "-o", str(library)]
        subprocess.run(["cc", *flags, str(source)], check=True)  # noqa: S603, S607
        self.library = ctypes.CDLL(str(library))

    def __call__(self, case: Case) -> Run | None:
        """Return a function with the loops in C."""
        library = self.library

        class Loops(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, inputs: Tensor) -> Tensor:  # noqa: ANN401
                spikes, v = torch.empty_like(inputs), torch.empty_like(inputs)
                sizes = ctypes.c_size_t(len(inputs)), ctypes.c_size_t(inputs[0].numel())
                library.forward(*sizes, *map(pointer, (inputs, spikes, v)))
                ctx.save_for_backward(spikes, v)
                return spikes

            @staticmethod
            def backward(ctx: Any, arriving: Tensor) -> Tensor:  # noqa: ANN401
                spikes, v = ctx.saved_tensors
                grad = torch.empty_like(spikes)
                sizes = ctypes.c_size_t(len(spikes)), ctypes.c_size_t(spikes[0].numel())
                strides = map(ctypes.c_size_t, (arriving.stride(0), arriving.stride(-1)))
                library.backward(
                    *sizes, 0 if case.detach_reset else 1, pointer(arriving), *strides,
                    *map(pointer, (spikes, v, grad)),
                )  # fmt: skip
                return grad

        run: Run = Loops.apply
        return run if case.reset == "zero" and case.derivative == "article" else None


def pointer(tensor: Tensor) -> ctypes.c_void_p:
    """Return where the numbers of a tensor are."""
    return ctypes.c_void_p(tensor.data_ptr())


def forward_only(run: Run, inputs: Tensor) -> None:
    """Run without gradients."""
    with torch.no_grad():
        run(inputs)


def forward_and_backward(run: Run, inputs: Tensor) -> None:
    """Run, and find the gradient of the number of spikes."""
    run(inputs).sum().backward()
    inputs.grad = None


PASSES = {"forward": forward_only, "forward + backward": forward_and_backward}


def seconds(run: Run, way: Callable[[Run, Tensor], None], inputs: Tensor) -> float:
    """Return how long a pass takes: the median of some."""
    times = []
    for _ in range(max(3, min(100, 2_000_000 // inputs.numel()))):
        start = time.perf_counter()
        way(run, inputs)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def compare(
    contenders: dict[str, Run], way: Callable[[Run, Tensor], None], inputs: Tensor, rounds: int
) -> dict[str, list[float]]:
    """Let all take turns; return each one's time over that of the first, a ratio a round."""
    first, *others = contenders
    found: dict[str, list[float]] = {name: [] for name in others}
    for _ in range(rounds):
        times = {name: seconds(run, way, inputs) for name, run in contenders.items()}
        for name in others:
            found[name].append(times[name] / times[first])
    return found


def settled(
    contenders: dict[str, Run], way: Callable[[Run, Tensor], None], inputs: Tensor, rounds: int
) -> dict[str, list[float]]:
    """Compare, and again those whose ratios are noise, a few times at most."""
    found = compare(contenders, way, inputs, rounds)
    for _ in range(TRIES - 1):
        if noisy := [name for name, values in found.items() if is_noise(values)]:
            again = {name: contenders[name] for name in (next(iter(contenders)), *noisy)}
            found |= compare(again, way, inputs, rounds)
    return found


def is_noise(ratios: list[float]) -> bool:
    """Say whether ratios of one pair are too far from each other to mean anything."""
    return max(ratios) > NOISE * min(ratios)


def gradient(run: Run, inputs: Tensor) -> Tensor:
    """Return the gradient of a sum in which each spike has another weight."""
    leaf = inputs.clone().requires_grad_()
    weights = torch.linspace(-1, 1, leaf.numel()).reshape(leaf.shape)
    return torch.autograd.grad((weights * run(leaf)).sum(), leaf)[0]


def contenders_for(case: Case, in_c: InC | None, peers: Iterable[str]) -> dict[str, Run]:
    """Return who runs the equations of a case, checked against each other: both ways."""
    found: dict[str, Run | None] = {"ours": ours(case), "article": article(case)}
    found |= {name: PEERS[name](case) for name in peers}
    if in_c is not None:
        found["C"] = in_c(case)
    runs = {name: run for name, run in found.items() if run is not None}
    inputs = torch.rand(50, 8, 4, generator=torch.Generator().manual_seed(0))
    expected, slopes = runs["ours"](inputs), gradient(runs["ours"], inputs)
    allowed = ROUNDING * slopes.abs().max().item()
    for name, run in runs.items():
        if not torch.equal(run(inputs), expected):
            sys.exit(f"{name} does not give the same spikes: {case.name}")
        if not torch.allclose(gradient(run, inputs), slopes, rtol=0, atol=allowed):
            sys.exit(f"{name} does not give the same gradients: {case.name}")
    return runs


def speed_rows(threads: int, in_c: InC | None) -> Iterator[Row]:
    """Yield each comparison: how many times as long as ours the other takes."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    for shape in SHAPES:
        inputs = (torch.rand(shape, generator=generator) * 0.6).requires_grad_()
        for case in CASES:
            contenders = contenders_for(case, in_c, INSTALLED)
            for name, way in PASSES.items():
                about = {"kind": "speed", "threads": threads, "shape": list(shape)}
                about |= {"case": case.name, "pass": name}
                for other, values in settled(contenders, way, inputs, ROUNDS).items():
                    yield about | {"other": other} | figures(values)


def figures(ratios: list[float]) -> Row:
    """Return what is told of a comparison: no ratio, if there is noise in its place."""
    ratio = None if is_noise(ratios) else statistics.median(ratios)
    return {"ratio": ratio, "least": min(ratios), "most": max(ratios)}


def memory_rows() -> Iterator[Row]:
    """Yield the most memory that a pass takes, in buffers of the size of its inputs."""
    inputs = torch.rand(100, 16384, requires_grad=True)
    full = inputs.numel() * inputs.element_size()
    for case in CASES:
        for name, run in (("ours", ours(case)), ("article", article(case))):
            with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
                forward_and_backward(run, inputs)
            events = profiler.profiler.kineto_results.events()
            sizes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
            peak = max(accumulate(size for _, size in sizes)) / full
            yield {"kind": "memory", "case": case.name, "who": name, "buffers": peak}


def rows() -> Iterator[Row]:
    """Yield what was compared, and then the memory."""
    # From now on glibc keeps freed memory of this size, as in a process that has worked for a
    # while; else whether it gives it back depends on who came before.
    bytearray(ALLOCATOR)
    with tempfile.TemporaryDirectory(prefix="if_speed-") as folder:
        yield from speed_rows(1, InC(Path(folder)))  # its loops have one thread
    yield from speed_rows(2, None)
    yield from memory_rows()


if __name__ == "__main__":
    record.run(__doc__, "if_speed", rows, libraries=INSTALLED)
