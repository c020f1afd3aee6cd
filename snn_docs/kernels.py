"""The loops over time, forward and back, on plain tensors: no autograd, no checks.

Each potential is computed as `functional.step` computes it, so the bits are the same: spikes are 0
or 1, and products with them are exact. Each step writes into memory that is there already, since a
page fault on fresh memory costs more than the arithmetic.
"""

from collections.abc import Callable
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

    def part(self, steps: slice) -> "Record":
        """Return some of the steps."""
        parts = (None if x is None else x[steps] for x in self)
        return Record(*parts)  # type: ignore[arg-type]


SlopesOf = Callable[[slice], Tensor]  # the derivative of the spikes in some steps


def number_of(value: Tensor | None) -> float | None:
    """Return the one number of a constant, or None if it has more, or lies where asking waits.

    An operation that takes a factor as a number needs no pass of its own for the product. It rounds
    the product first, as `step` does, where the processor does; elsewhere it may round but once.
    """
    if value is None:
        return 1.0
    return value.item() if value.dim() == 0 and value.device.type == "cpu" else None


Decay = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def decay(kept: Tensor | None, like: Tensor) -> Decay:
    """Return a function of x, mask, current, and out, which gets x · kept · mask + current.

    The mask is 0 or 1: that product is exact, so the sum has the bits of `step`, fused or not.
    """
    factor = number_of(kept)
    if kept is None or factor is not None:
        return lambda x, mask, current, out: torch.addcmul(current, x, mask, value=factor, out=out)  # type: ignore[arg-type]
    buffer = torch.empty_like(like)
    return lambda x, mask, current, out: torch.addcmul(
        current, torch.mul(x, kept, out=buffer), mask, out=out
    )


def advance(v: Tensor, inputs: Tensor, constants: Constants) -> None:
    """Fill the potentials, `[T, *]`, from the first, which is there."""
    threshold, kept, subtract, _ = constants
    currents, potentials = inputs.unbind(), v.unbind()
    x = potentials[0]
    mask, one = torch.empty_like(x), x.new_ones(())
    decayed, minus_threshold = decay(kept, x), -threshold
    for t in range(1, len(potentials)):
        if subtract:
            torch.gt(x, threshold, out=mask)
            left = torch.addcmul(x, mask, minus_threshold, out=mask)
            x = decayed(left, one, currents[t], potentials[t])
        else:
            torch.le(x, threshold, out=mask)
            x = decayed(x, mask, currents[t], potentials[t])


def backward(
    grad: Tensor, record: Record, constants: Constants, slopes_of: SlopesOf | None, length: int
) -> None:
    """Fill the gradients of the potentials, `[T, *]`, from the last step to the first.

    grad[t] = H' · (what arrives at the spike - c · what the reset takes) + c · (what it leaves)
    + what arrives at v, where c = kept · grad[t + 1]. H' is asked for by blocks of this length;
    without `slopes_of` it is the spikes themselves.
    """
    threshold, kept, subtract, detach_reset = constants
    grads, spikes, arriving = (x.unbind() for x in (grad, record.spikes, record.grad_spikes))
    taken = (threshold,) * len(grads) if subtract or detach_reset else record.v.unbind()
    theta = number_of(threshold) if subtract else None
    carried, buffer = torch.empty_like(grads[0]), torch.empty_like(grads[0])
    later = None
    for start in reversed(range(0, len(grads), length)):
        steps = slice(start, start + length)
        slopes = spikes[steps] if slopes_of is None else slopes_of(steps).unbind()
        for i in reversed(range(len(slopes))):
            t, slope = start + i, slopes[i]
            out, s, reaching = grads[t], spikes[t], arriving[t]
            if later is None:
                later = torch.mul(reaching, slope, out=out)
            else:
                carry = later if kept is None else torch.mul(later, kept, out=carried)
                if theta is not None and not detach_reset:  # the same bits, and faster
                    reaching = torch.add(reaching, carry, alpha=-theta, out=buffer)
                elif not detach_reset:
                    reaching = torch.addcmul(reaching, carry, taken[t], value=-1, out=buffer)
                if subtract:
                    later = torch.addcmul(carry, reaching, slope, out=out)
                elif slopes_of is None:  # 0 or 1: one operation for both terms
                    later = torch.lerp(carry, reaching, s, out=out)
                else:
                    torch.addcmul(carry, carry, s, value=-1, out=out)
                    later = out.addcmul_(reaching, slope)
            if record.grad_v is not None:
                later.add_(record.grad_v[t])
