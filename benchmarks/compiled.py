"""A layer whose loop over time numba compiles, forward and back: what a wish for speed comes to.

The neurons leak, fire above 1, and lose what they have if a reset subtracts 1; without a reset they
only add up. The slopes are those of `ArcTan()`.
"""

from math import pi
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

AT_ONCE = 1024
"""Neurons whose potentials stay in the nearest cache while time passes."""


@njit(error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def forth(currents: Any, kept: float, lost: float, v: Any, spikes: Any) -> None:  # noqa: ANN401
    """Fill potentials and spikes, `[T, N]`; `lost` is what a spike takes, 1 or 0."""
    zero, one = v.dtype.type(0), v.dtype.type(1)
    for start in range(0, v.shape[1], AT_ONCE):
        some = slice(start, start + AT_ONCE)
        before = np.zeros_like(v[0, some])
        for t in range(len(v)):
            current, now, fired = currents[t, some], v[t, some], spikes[t, some]
            for n in range(len(now)):
                now[n] = kept * (before[n] - (lost if before[n] > one else zero)) + current[n]
                fired[n] = one if now[n] > one else zero
            before = now


@njit(error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def back(arriving: Any, kept: float, lost: float, v: Any, steep: float, grad: Any) -> None:  # noqa: ANN401, PLR0913, PLR0917
    """Fill the gradients of the currents, from the last step to the first."""
    one = v.dtype.type(1)
    for start in range(0, v.shape[1], AT_ONCE):
        some = slice(start, start + AT_ONCE)
        after = np.zeros_like(v[0, some])
        for t in range(len(v) - 1, -1, -1):
            comes, now, out = arriving[t, some], v[t, some], grad[t, some]
            for n in range(len(now)):
                later, above = kept * after[n], steep * (now[n] - one)
                out[n] = (comes[n] - lost * later) / (one + above * above) + later
            after = out


class Compiled(torch.autograd.Function):
    """The spikes of currents, `[T, *]`."""

    @staticmethod
    def forward(ctx: Any, currents: Tensor, leak: float, lost: float) -> Tensor:  # noqa: ANN401
        """Run all of time."""
        rows = currents.detach().flatten(1).numpy()
        v, spikes = np.empty_like(rows), np.empty_like(rows)
        ctx.v, ctx.numbers = v, (np.float32(1 - leak), np.float32(lost))
        forth(rows, *ctx.numbers, v, spikes)
        return torch.from_numpy(spikes).view_as(currents)

    @staticmethod
    def backward(ctx: Any, arriving: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        """Go back through all of time."""
        rows, grad = arriving.contiguous().flatten(1).numpy(), np.empty_like(ctx.v)
        back(rows, *ctx.numbers, ctx.v, np.float32(pi), grad)
        return torch.from_numpy(grad).view_as(arriving), None, None


def spikes_of(currents: Tensor, leak: float, *, reset: bool = True) -> Tensor:
    """Return the spikes of leaky neurons, of which each takes 1 of the potential if told to."""
    spikes: Tensor = Compiled.apply(currents, leak, float(reset))  # type: ignore[no-untyped-call]
    return spikes
