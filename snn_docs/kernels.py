"""The loops over time, forward and back, on plain tensors: no autograd, no checks.

Each potential is computed as `equations.step` computes it, so the bits are the same: spikes are 0
or 1, and products with them are exact. Each step writes into memory that is there already, since a
page fault on fresh memory costs more than the arithmetic.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from snn_docs.equations import Rule
from snn_docs.surrogate import Surrogate, slope_is_spike

POTENTIALS_AT_ONCE = 2**16
"""Whose slopes one call computes: its cost is small for so many, and a cache holds so few."""


class Record(NamedTuple):
    """Some steps in a row, and the gradients that arrive there: each `[T, *]`."""

    spikes: Tensor
    v: Tensor
    grad_spikes: Tensor
    grad_v: Tensor | None

    def part(self, steps: slice) -> "Record":
        """Return some of the steps."""
        return Record(*(None if x is None else x[steps] for x in self))  # type: ignore[arg-type]


def blocks(x: Tensor) -> list[slice]:
    """Return the steps whose slopes are computed at once, in the order of time."""
    length = max(1, POTENTIALS_AT_ONCE // max(1, x[0].numel()))
    return [slice(start, start + length) for start in range(0, len(x), length)]


def slopes_of(record: Record, rule: Rule) -> Tensor:
    """Return H', the derivative of the spikes."""
    if slope_is_spike(rule.surrogate):
        return record.spikes.detach()
    # others are asked each step, and never come here
    return cast("Surrogate", rule.surrogate).slopes(record.v - rule.threshold)


def tensor_of(value: float | Tensor | None, like: Tensor) -> Any:  # noqa: ANN401 - None stays
    """Return a constant as a tensor, which operations take faster, and with the same bits."""
    if value is None or isinstance(value, Tensor):
        return value
    # not new_full, which refuses what the dtype rounds to infinity
    return torch.tensor(value, dtype=like.dtype, device=like.device)


def number_of(value: Tensor | None) -> float | None:
    """Return the one number of a constant, or None if it has more, or lies where asking waits.

    An operation that takes a factor as a number needs no pass of its own for the product. It rounds
    the product first, as `step` does, where the processor does; elsewhere it may round but once.
    """
    if value is None:
        return 1.0
    return value.item() if value.dim() == 0 and value.device.type == "cpu" else None


Update = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def update_by(decay: Tensor | None, like: Tensor) -> Update:
    """Return a function of x, mask, current, and out, which gets x · decay · mask + current.

    The mask is 0 or 1: that product is exact, so the sum has the bits of `step`, fused or not.
    """
    factor = number_of(decay)
    if decay is None or factor is not None:
        return lambda x, mask, current, out: torch.addcmul(current, x, mask, value=factor, out=out)  # type: ignore[arg-type]
    buffer = torch.empty_like(like)
    return lambda x, mask, current, out: torch.addcmul(
        current, torch.mul(x, decay, out=buffer), mask, out=out
    )


def advance(v: Tensor, inputs: Tensor, rule: Rule) -> None:
    """Fill the potentials, `[T, *]`, from the first, which is there."""
    threshold = rule.threshold
    currents, potentials = inputs.unbind(), v.unbind()
    x = potentials[0]
    mask, one = torch.empty_like(x), x.new_ones(())
    update, minus_threshold = update_by(rule.decay, x), -threshold
    for t in range(1, len(potentials)):
        if rule.reset == "subtract":
            torch.gt(x, threshold, out=mask)
            v_reset = torch.addcmul(x, mask, minus_threshold, out=mask)
            x = update(v_reset, one, currents[t], potentials[t])
        else:
            torch.le(x, threshold, out=mask)
            x = update(x, mask, currents[t], potentials[t])


def backward(grad: Tensor, record: Record, rule: Rule) -> None:
    """Fill the gradients of the potentials, `[T, *]`, from the last step to the first.

    v[t + 1] = decay · r[t] + inputs[t + 1], with r what the reset leaves of v[t]. So by the chain
    rule, with c = decay · grad[t + 1], which arrives at r[t]:

    grad[t] = H' · (grad_spikes[t] + c · dr/ds) + c · dr/dv + grad_v[t]

    A reset to zero, r = v · (1 - s), has dr/ds = -v and dr/dv = 1 - s; one that subtracts,
    r = v - threshold · s, has -threshold and 1. Without a path through the reset dr/ds is 0. The
    spikes come after v of the same step, hence H' before the bracket. The last step has no next
    one: c is 0.

    In the equations of `functional.record`, grad is D, c is E (here `grad_reset`), and what
    arrives, grad_spikes and grad_v, is G^s and G^v.
    """
    threshold, decay, detach_reset = rule.threshold, rule.decay, rule.detach_reset
    subtract, by_spikes = rule.reset == "subtract", slope_is_spike(rule.surrogate)
    grads, spikes, arriving = (x.unbind() for x in (grad, record.spikes, record.grad_spikes))
    # What each spike takes, -dr/ds. Where the reset is cut off nobody asks, and v may not be saved.
    taken = (threshold,) * len(grads) if subtract or detach_reset else record.v.unbind()
    theta = number_of(threshold) if subtract else None
    decayed, buffer = torch.empty_like(grads[0]), torch.empty_like(grads[0])
    grad_next = None
    whole = slice(0, len(grads))  # since spikes are there
    for steps in [whole] if by_spikes else reversed(blocks(grad)):
        derivatives = spikes if by_spikes else slopes_of(record.part(steps), rule).unbind()
        for i in reversed(range(len(derivatives))):
            t, slope = steps.start + i, derivatives[i]
            out, s, arrives = grads[t], spikes[t], arriving[t]
            if grad_next is None:
                grad_next = torch.mul(arrives, slope, out=out)
            else:
                grad_reset = (
                    grad_next if decay is None else torch.mul(grad_next, decay, out=decayed)
                )
                if detach_reset:
                    bracket = arrives
                elif theta is not None:  # the same bits, and faster
                    bracket = torch.add(arrives, grad_reset, alpha=-theta, out=buffer)
                else:
                    bracket = torch.addcmul(arrives, grad_reset, taken[t], value=-1, out=buffer)
                if subtract:
                    grad_next = torch.addcmul(grad_reset, bracket, slope, out=out)
                elif by_spikes:  # H' = s is 0 or 1, and chooses: one operation for both
                    grad_next = torch.lerp(grad_reset, bracket, s, out=out)
                else:
                    torch.addcmul(grad_reset, grad_reset, s, value=-1, out=out)  # c · (1 - s)
                    grad_next = out.addcmul_(bracket, slope)
            if record.grad_v is not None:
                grad_next.add_(record.grad_v[t])
