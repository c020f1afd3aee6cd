"""How fast does a layer of IF neurons run over time, and how much memory does it take?

`IF.run` against the article's own loop, against other libraries set to the same equations (those
that are installed), and against a loop in C, which needs a C compiler. All
contenders take turns in one run on one machine; the figures are medians of ratios over the rounds,
with the least and the greatest, so they can be compared between machines. Before that, all give the
same spikes and the same gradients.
With --record the figures are also kept in docs/_data/if_speed.json, which the book shows.
A run with all rows takes some minutes. `make peers` makes environments with the libraries in them:
.venv-peers/bin/python benchmarks/if_speed.py
"""

import ctypes
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import clock
import peers
import record
import torch
from peers import Rule
from record import Row
from torch import Tensor

Run = Callable[[Tensor], Tensor]  # inputs [T, *] -> spikes [T, *]


SHAPES = [(100, 16384), (100, 16, 1024), (20, 40)]
ROUNDS = 7
NOISE = 3  # the greatest over the least ratio of those rounds, at most
ROUNDING = 1e-5
"""How much of the largest gradient two may differ by that add up in another order."""
CASES = {
    "zero, detached": Rule("zero", detach_reset=True, derivative="article"),
    "zero, attached": Rule("zero", detach_reset=False, derivative="article"),
    "zero, arctan": Rule("zero", detach_reset=False, derivative="arctan"),
    "zero, triangle": Rule("zero", detach_reset=False, derivative="triangle"),
    "subtract, detached": Rule("subtract", detach_reset=True, derivative="article"),
    "subtract, attached": Rule("subtract", detach_reset=False, derivative="article"),
    "subtract, arctan": Rule("subtract", detach_reset=False, derivative="arctan"),
}
ZERO = {"zero, detached", "zero, attached", "zero, arctan"}
CAN = {
    "snntorch": ZERO | {"subtract, attached", "subtract, arctan"},
    "spikingjelly": ZERO | {"zero, triangle"},
    "norse": {"zero, triangle"},
    "sinabs": {"zero, detached", "subtract, attached"},
}
"""Which equations a library can be set to."""
INSTALLED = [name for name in peers.INSTALLED if name in CAN]


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


def article(rule: Rule) -> Run:
    """Return the article's step in a loop over time."""
    spike: Callable[[Tensor], Tensor] = ARTICLE[rule.derivative].apply

    def run(inputs: Tensor) -> Tensor:
        v = s = torch.zeros_like(inputs[0])
        spikes = []
        for current in inputs:
            held = s.detach() if rule.detach_reset else s
            v = (v * (1 - held) if rule.reset == "zero" else v - held) + current
            s = spike(v - 1)
            spikes.append(s)
        return torch.stack(spikes)

    return run


def ours(rule: Rule) -> Run:
    """Return this package's run over time."""
    layer = rule.neuron()
    return lambda inputs: layer.run(inputs)[0]


def theirs(who: str, rule: Rule) -> Run:
    """Return a library's run over time."""
    cell = peers.cell(who, rule)
    return (lambda inputs: cell.run(inputs[None])[0]) if who == "sinabs" else cell.run


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

    def __call__(self, rule: Rule) -> Run:
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
                    *sizes, 0 if rule.detach_reset else 1, pointer(arriving), *strides,
                    *map(pointer, (spikes, v, grad)),
                )  # fmt: skip
                return grad

        run: Run = Loops.apply
        return run


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


def gradient(run: Run, inputs: Tensor) -> Tensor:
    """Return the gradient of a sum in which each spike has another weight."""
    leaf = inputs.clone().requires_grad_()
    weights = torch.linspace(-1, 1, leaf.numel()).reshape(leaf.shape)
    return torch.autograd.grad((weights * run(leaf)).sum(), leaf)[0]


def contenders_for(case: str, in_c: InC | None, others: Iterable[str]) -> dict[str, Run]:
    """Return who runs the equations of a case, checked against each other: both ways."""
    rule = CASES[case]
    runs = {"ours": ours(rule), "article": article(rule)}
    runs |= {name: theirs(name, rule) for name in others if case in CAN[name]}
    if in_c is not None and case in {"zero, detached", "zero, attached"}:
        runs["C"] = in_c(rule)
    inputs = torch.rand(50, 8, 4, generator=torch.Generator().manual_seed(0))
    expected, slopes = runs["ours"](inputs), gradient(runs["ours"], inputs)
    allowed = ROUNDING * slopes.abs().max().item()
    for name, run in runs.items():
        if not torch.equal(run(inputs), expected):
            sys.exit(f"{name} does not give the same spikes: {case}")
        if not torch.allclose(gradient(run, inputs), slopes, rtol=0, atol=allowed):
            sys.exit(f"{name} does not give the same gradients: {case}")
    return runs


def steady(works: Mapping[str, Callable[[], object]]) -> dict[str, Row]:
    """Return each ratio to ours, measured again if its rounds differ by more than noise."""
    for _ in range(3):
        times = clock.rounds_of(works, ROUNDS, clock=time.perf_counter)
        mine = times.pop("ours")
        found = {other: clock.ratios(each, mine) for other, each in times.items()}
        if all(ratio["most"] <= NOISE * ratio["least"] for ratio in found.values()):
            break
    return found


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
                about |= {"case": case, "pass": name}
                works = {who: partial(way, run, inputs) for who, run in contenders.items()}
                for other, found in steady(works).items():
                    yield about | {"other": other} | found


def memory_rows() -> Iterator[Row]:
    """Yield the most memory that a pass takes, in buffers of the size of its inputs."""
    inputs = torch.rand(100, 16384, requires_grad=True)
    for case, rule in CASES.items():
        for name, run in (("ours", ours(rule)), ("article", article(rule))):
            peak = clock.most_memory(partial(forward_and_backward, run, inputs))
            yield {"kind": "memory", "case": case, "who": name, "buffers": peak / inputs.nbytes}


def rows() -> Iterator[Row]:
    """Yield what was compared, and then the memory."""
    clock.keep_memory()
    with tempfile.TemporaryDirectory(prefix="if_speed-") as folder:
        yield from speed_rows(1, InC(Path(folder)))  # its loops have one thread
    yield from speed_rows(2, None)
    yield from memory_rows()


if __name__ == "__main__":
    record.run(__doc__, "if_speed", rows, libraries=INSTALLED)
