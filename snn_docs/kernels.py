"""The loops over time, forward and back, on plain tensors: no autograd, no checks.

Each number is computed as `functional.step` computes it, so the bits are the same: spikes are 0 or
1, and products with them are exact. Each step writes into memory that is there already, since a
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
    detach_reset: bool


class Record(NamedTuple):
    """Some steps in a row, and the gradients that arrive there: each `[T, *]`."""

    spikes: Tensor
    v: Tensor
    grad_spikes: Tensor
    grad_v: Tensor | None
    slopes: Tensor | None  # the surrogate's derivative; None: the spikes themselves

    def steps(self, start: int, end: int) -> "Record":
        """Return some of the steps."""
        parts = (None if part is None else part[start:end] for part in self)
        return Record(*parts)  # type: ignore[arg-type]


class Sums(NamedTuple):
    """Gradients that add up over time, each `[*]`, where they are wanted."""

    threshold: Tensor | None
    kept: Tensor | None


def forward(inputs: Tensor, carried: Tensor | None, constants: Constants) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials. `carried` is what is left of the potential before."""
    threshold, kept, subtract, _ = constants
    v = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
    currents, potentials = inputs.unbind(), v.unbind()
    x = torch.add(currents[0], 0 if carried is None else carried, out=potentials[0])
    mask, buffer = torch.empty_like(x), torch.empty_like(x)
    for t in range(1, len(currents)):
        if subtract:
            torch.gt(x, threshold, out=mask)
            x = torch.addcmul(x, mask, threshold, value=-1, out=buffer)
            x = x if kept is None else torch.mul(x, kept, out=buffer)
            x = torch.add(x, currents[t], out=potentials[t])
        else:
            torch.le(x, threshold, out=mask)
            x = x if kept is None else torch.mul(x, kept, out=buffer)
            x = torch.addcmul(currents[t], x, mask, out=potentials[t])
    return torch.gt(v, threshold, out=torch.empty_like(v)), v


def backward(
    grad: Tensor, later: Tensor | None, record: Record, constants: Constants, sums: Sums
) -> None:
    """Fill `grad`, the gradient with respect to each potential, from the last step to the first.

    `later` is that of the step after them, or None at the end of time.
    """
    threshold, kept, subtract, detach_reset = constants
    grads, spikes, arriving = grad.unbind(), record.spikes.unbind(), record.grad_spikes.unbind()
    slopes = spikes if record.slopes is None else record.slopes.unbind()
    buffers = torch.empty_like(grads[0]), torch.empty_like(grads[0])
    for t in reversed(range(len(grads))):
        out, s, slope, reaching, carry = grads[t], spikes[t], slopes[t], arriving[t], None
        if later is None:
            torch.mul(reaching, slope, out=out)
        else:
            carry = later if kept is None else torch.mul(later, kept, out=buffers[0])
            if not detach_reset:  # what the reset takes with each spike comes back to it
                taken = threshold if subtract else record.v[t]
                reaching = torch.addcmul(reaching, carry, taken, value=-1, out=buffers[1])
            if subtract:
                torch.addcmul(carry, reaching, slope, out=out)
            elif record.slopes is None:  # the slope is the spike, 0 or 1: one kernel for two terms
                torch.lerp(carry, reaching, s, out=out)
            else:
                torch.addcmul(carry, carry, s, value=-1, out=out).addcmul_(reaching, slope)
            if sums.kept is not None:
                taken = threshold if subtract else record.v[t]
                sums.kept.addcmul_(later, record.v[t] - s * taken)
        if sums.threshold is not None:
            sums.threshold.addcmul_(reaching, slope, value=-1)
            if subtract and carry is not None:
                sums.threshold.addcmul_(s, carry, value=-1)
        later = out if record.grad_v is None else out.add_(record.grad_v[t])
