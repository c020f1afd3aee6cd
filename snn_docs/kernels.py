"""The loops over time, forward and back, on plain tensors: no autograd, no checks.

Each number is computed as `functional.step` computes it, so the bits are the same: spikes are 0 or
1, and products with them are exact. Each step writes into memory that is there already, since a
page fault on fresh memory costs more than the arithmetic.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Constants(NamedTuple):
    """What stays the same over time. A tensor has the shape of one step, `[*]`."""

    threshold: float | Tensor
    kept: float | Tensor  # 1 - leak
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


Buffers = tuple[Tensor, ...]


def forward(inputs: Tensor, carried: Tensor | None, constants: Constants) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials. `carried` is what is left of the potential before."""
    v = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
    buffers = (torch.empty_like(v[0]), torch.empty_like(v[0]))
    currents, potentials = inputs.unbind(), v.unbind()
    torch.add(currents[0], 0 if carried is None else carried, out=potentials[0])
    advance = _advance_subtracting if constants.subtract else _advance_zeroing
    for current, before, after in zip(currents[1:], potentials, potentials[1:], strict=False):
        advance(before, current, after, constants, buffers)
    return torch.gt(v, constants.threshold, out=torch.empty_like(v)), v


def _advance_zeroing(
    before: Tensor, current: Tensor, after: Tensor, constants: Constants, buffers: Buffers
) -> None:
    silent = torch.le(before, constants.threshold, out=buffers[0])
    left = _times(before, constants.kept, buffers[1])
    torch.addcmul(current, left, silent, out=after)


def _advance_subtracting(
    before: Tensor, current: Tensor, after: Tensor, constants: Constants, buffers: Buffers
) -> None:
    fired = torch.gt(before, constants.threshold, out=buffers[0])
    left = _minus_product(before, fired, constants.threshold, buffers[1])
    torch.add(_times(left, constants.kept, buffers[1]), current, out=after)


def backward(
    grad: Tensor, later: Tensor | None, record: Record, constants: Constants, sums: Sums
) -> None:
    """Fill `grad`, the gradient with respect to each potential, from the last step to the first.

    `later` is that of the step after them, or None at the end of time.
    """
    buffers = torch.empty((2, *grad.shape[1:]), dtype=grad.dtype, device=grad.device).unbind()
    nothing = (None,) * len(grad)
    parts = [nothing if part is None else part.unbind() for part in record]
    for out, *parts_of_step in reversed(list(zip(grad.unbind(), *parts, strict=True))):
        step = Record(*parts_of_step)
        carry = None if later is None else _times(later, constants.kept, buffers[0])
        arriving = step.grad_spikes
        if carry is not None and not constants.detach_reset:
            arriving = _through_reset(step, carry, constants, buffers[1])
        _through_neuron(out, arriving, carry, step, constants.subtract)
        if sums.threshold is not None:
            _add_for_threshold(sums.threshold, arriving, carry, step, constants.subtract)
        if sums.kept is not None and later is not None:
            taken = constants.threshold if constants.subtract else step.v
            sums.kept.addcmul_(later, step.v - step.spikes * taken)
        if step.grad_v is not None:
            out.add_(step.grad_v)
        later = out


def _through_reset(step: Record, carry: Tensor, constants: Constants, out: Tensor) -> Tensor:
    """Return what arrives at the spike: also from the reset, which took v or the threshold away."""
    if constants.subtract:
        return _minus_product(step.grad_spikes, carry, constants.threshold, out)
    return torch.addcmul(step.grad_spikes, carry, step.v, value=-1, out=out)


def _through_neuron(
    out: Tensor, arriving: Tensor, carry: Tensor | None, step: Record, subtract: bool
) -> None:
    """Write slope · arriving, and what the next step sends back past the reset."""
    slopes = step.spikes if step.slopes is None else step.slopes
    if carry is None:
        torch.mul(arriving, slopes, out=out)
    elif subtract:
        torch.addcmul(carry, arriving, slopes, out=out)
    elif step.slopes is None:  # the slopes are the spikes, 0 or 1: one kernel for both terms
        torch.lerp(carry, arriving, slopes, out=out)
    else:
        torch.addcmul(carry, carry, step.spikes, value=-1, out=out)
        out.addcmul_(arriving, slopes)


def _add_for_threshold(
    total: Tensor, arriving: Tensor, carry: Tensor | None, step: Record, subtract: bool
) -> None:
    total.addcmul_(arriving, step.spikes if step.slopes is None else step.slopes, value=-1)
    if subtract and carry is not None:
        total.addcmul_(step.spikes, carry, value=-1)


def _times(tensor: Tensor, factor: float | Tensor, out: Tensor) -> Tensor:
    if isinstance(factor, float) and factor == 1:
        return tensor
    return torch.mul(tensor, factor, out=out)


def _minus_product(tensor: Tensor, other: Tensor, factor: float | Tensor, out: Tensor) -> Tensor:
    if isinstance(factor, Tensor):
        return torch.addcmul(tensor, other, factor, value=-1, out=out)
    return torch.sub(tensor, other, alpha=factor, out=out)
