"""Prints a digest of what each kind of operation that the book uses computes, as JSON."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAWS = torch.Generator().manual_seed(0)
ELEMENTWISE = (
    "exp",
    "log",
    "log2",
    "log1p",
    "sin",
    "cos",
    "tanh",
    "sigmoid",
    "erf",
    "sqrt",
    "atan",
)
SHAPES = [(64, 64, 10), (360, 64, 128), (5, 7, 3), (64, 784, 256), (1437, 64, 40)]


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=DRAWS)


def elementwise() -> Iterator[tuple[str, torch.Tensor]]:
    x = draw(4096).abs()
    for dtype in (torch.float32, torch.float64):
        for name in ELEMENTWISE:
            yield f"{name} {dtype}", getattr(torch, name)(x.to(dtype))


def products() -> Iterator[tuple[str, torch.Tensor]]:
    for n, k, m in SHAPES:
        a, b, bias = draw(n, k), draw(k, m), draw(m)
        yield f"linear {n}x{k}x{m}", functional.linear(a, b.T.contiguous(), bias)
        yield f"transposed {n}x{k}x{m}", a.T @ draw(n, m)
        yield f"vector {n}x{k}", a @ b[:, 0]
    yield "batches", torch.bmm(draw(20, 32, 64), draw(20, 64, 10))


def sums() -> Iterator[tuple[str, torch.Tensor]]:
    x = draw(64, 100)
    for name in ("sum", "mean", "var", "std", "norm", "softmax", "log_softmax", "logsumexp"):
        yield name, getattr(torch, name)(x, dim=1)
    yield "cumsum", x.cumsum(0)
    yield "batch norm", functional.batch_norm(x, None, None, training=True)


def convolutions() -> Iterator[tuple[str, torch.Tensor]]:
    for channels, filters, size in [(1, 12, 28), (12, 32, 12)]:
        images = draw(16, channels, size, size).requires_grad_()
        weight = draw(filters, channels, 5, 5).requires_grad_()
        found = functional.conv2d(images, weight)
        yield f"convolution {channels}", found
        gradients = torch.autograd.grad(found.square().sum(), (images, weight))
        yield f"its gradients {channels}", torch.cat([each.flatten() for each in gradients])


def training() -> Iterator[tuple[str, torch.Tensor]]:
    torch.manual_seed(0)
    layer, inputs = torch.nn.Linear(64, 10), draw(64, 64)
    labels = torch.randint(0, 10, (64,), generator=DRAWS)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        functional.cross_entropy(layer(inputs), labels).backward()
        optimizer.step()
    yield "weights after 20 steps of Adam", layer.weight
    yield "GRU", torch.nn.GRU(12, 32)(draw(20, 8, 12))[0]


def numpys() -> Iterator[tuple[str, torch.Tensor]]:
    a, b = draw(100, 64).double().numpy(), draw(64, 30).double().numpy()
    yield "NumPy's product", torch.from_numpy(a @ b)
    yield "NumPy's product in float32", torch.from_numpy(np.float32(a) @ np.float32(b))
    yield "NumPy's least squares", torch.from_numpy(np.linalg.lstsq(a, a[:, :3], rcond=None)[0])
    for name in ("exp", "sin", "log1p", "sqrt"):
        yield f"NumPy's {name}", torch.from_numpy(getattr(np, name)(np.abs(a)))


def digest(tensor: torch.Tensor) -> str:
    values = np.ascontiguousarray(tensor.detach().numpy())
    return hashlib.sha256(values.tobytes()).hexdigest()[:12]


def main() -> None:
    found = {"torch": str(torch.__version__).partition("+")[0], "numpy": np.__version__}
    for kind in (elementwise, products, sums, convolutions, training, numpys):
        found |= {name: digest(tensor) for name, tensor in kind()}
    sys.stdout.write(json.dumps(found, indent=0) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with open(sys.argv[1], encoding="utf-8") as start:  # noqa: PTH123
        exec(compile(start.read(), sys.argv[1], "exec"), {"__name__": "book_start"})
    main()
