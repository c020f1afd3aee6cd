"""The loops over time, forward and back, on plain tensors: no autograd, no checks.

Each potential is computed as `functional.step` computes it, so the bits are the same: spikes are 0
or 1, and products with them are exact. Each step writes into memory that is there already, since a
page fault on fresh memory costs more than the arithmetic.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Constants(NamedTuple):
    """What stays the same over time. A tensor's shape broadcasts to that of one step, `[*]`."""

    threshold: Tensor
    kept: Tensor | None  # 1 - leak, where there is a leak
    subtract: bool  # the reset subtracts the threshold; if not, it sets to zero


def forward(inputs: Tensor, carried: Tensor | None, constants: Constants) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials. `carried` is what is left of the potential before."""
    threshold, kept, subtract = constants
    v = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
    currents, potentials = inputs.unbind(), v.unbind()
    x = torch.add(currents[0], 0 if carried is None else carried, out=potentials[0])
    mask, buffer = torch.empty_like(x), torch.empty_like(x)
    minus_threshold = -threshold
    for t in range(1, len(currents)):
        if subtract:
            torch.gt(x, threshold, out=mask)
            x = torch.addcmul(x, mask, minus_threshold, out=buffer)
            x = x if kept is None else torch.mul(x, kept, out=buffer)
            x = torch.add(x, currents[t], out=potentials[t])
        else:
            torch.le(x, threshold, out=mask)
            x = x if kept is None else torch.mul(x, kept, out=buffer)
            x = torch.addcmul(currents[t], x, mask, out=potentials[t])
    return torch.gt(v, threshold, out=torch.empty_like(v)), v


def backward(grad: Tensor, arriving: Tensor, factors: Tensor, later: Tensor | None) -> None:
    """Solve grad[t] = arriving[t] + factors[t] · grad[t + 1], from the last step to the first.

    `later` is the gradient of the step after them, or None at the end of time.
    """
    rows = list(zip(grad.unbind(), arriving.unbind(), factors.unbind(), strict=True))
    if later is None:
        out, term, _ = rows.pop()
        later = out.copy_(term)
    while rows:
        out, term, factor = rows.pop()
        later = torch.addcmul(term, later, factor, out=out)


def backward_choosing(grad: Tensor, arriving: Tensor, spikes: Tensor, kept: Tensor | None) -> None:
    """Solve grad[t] = arriving[t] where it fired, kept · grad[t + 1] where it did not."""
    rows = list(zip(grad.unbind(), arriving.unbind(), spikes.unbind(), strict=True))
    out, term, fired = rows.pop()
    later = torch.mul(term, fired, out=out)
    buffer = torch.empty_like(later)
    while rows:
        out, term, fired = rows.pop()
        carry = later if kept is None else torch.mul(later, kept, out=buffer)
        later = torch.lerp(carry, term, fired, out=out)
