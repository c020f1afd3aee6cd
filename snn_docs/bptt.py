"""All of time in one call, and backpropagation through time by its exact adjoint."""

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction

from snn_docs.equations import Rule
from snn_docs.kernels import Constants, Record
from snn_docs.surrogate import slope_is_spike, slopes

POTENTIALS_AT_ONCE = 2**16
"""Whose slopes one call computes: its cost is small for so many, and a cache holds so few."""


def run(
    inputs: Tensor, v_initial: float | Tensor, rule: Rule, loops: ModuleType
) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials of all steps; `equations.loop` says what `v_initial` is."""
    threshold = tensor_of(rule.threshold, inputs)
    decay = None if rule.decay is None else tensor_of(rule.decay, inputs)
    tensors = [x for x in (inputs, v_initial, threshold, decay) if isinstance(x, Tensor)]
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        spikes, v = _Run.apply(inputs, v_initial, threshold, decay, rule, loops)  # type: ignore[no-untyped-call]
        return spikes, v
    return advance(inputs, v_initial, constants_of(rule, threshold, decay), loops)


def tensor_of(value: float | Tensor, like: Tensor) -> Tensor:
    """Return a constant as a tensor, which operations take faster, and with the same bits."""
    if isinstance(value, Tensor):
        return value
    # not new_full, which refuses what the dtype rounds to infinity
    return torch.tensor(value, dtype=like.dtype, device=like.device)


def constants_of(rule: Rule, threshold: Tensor, decay: Tensor | None) -> Constants:
    """Return what the loops need of a rule."""
    return Constants(threshold, decay, rule.reset == "subtract", rule.detach_reset)


def advance(
    inputs: Tensor, v_initial: float | Tensor, constants: Constants, loops: ModuleType
) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials of all steps; `equations.loop` says what `v_initial` is."""
    v = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
    torch.add(inputs[0], v_initial, out=v[0])
    loops.advance(v, inputs, constants)
    return torch.gt(v, constants.threshold, out=torch.empty_like(v)), v


class _Context(BackwardCFunction):
    rule: Rule
    loops: ModuleType


class _Run(Function):
    """Keeps of its outputs, spikes and potentials, those that the adjoint needs."""

    @staticmethod
    def forward(
        ctx: _Context,
        inputs: Tensor,
        v_initial: float | Tensor,
        threshold: Tensor,
        decay: Tensor | None,
        rule: Rule,
        loops: ModuleType,
    ) -> tuple[Tensor, Tensor]:
        # detached, because torch keeps books of the views of a tensor that has gradients
        constants = constants_of(rule, threshold, decay)
        spikes, v = advance(inputs.detach(), v_initial, constants, loops)
        ctx.rule, ctx.loops = rule, loops
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        saved = needed(spikes, v, rule, wanted[2:4])
        # saved, not only kept: autograd sees changes in place, and its own graph
        ctx.save_for_backward(*saved, threshold, decay)  # type: ignore[arg-type]
        ctx.set_materialize_grads(value=False)
        return spikes, v

    @staticmethod
    def backward(
        ctx: _Context, grad_spikes: Tensor | None, grad_v: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        saved, arriving = ctx.saved_tensors, (grad_spikes, grad_v)
        grad, sums = gradients(saved, arriving, ctx.rule, ctx.loops, wanted[2:4])  # type: ignore[arg-type]
        # a copy: a view would share its memory with the gradient of the inputs
        return grad, grad[0].clone() if wanted[1] else None, *sums, None, None


def needed(
    spikes: Tensor, v: Tensor, rule: Rule, wanted: tuple[bool, ...]
) -> tuple[Tensor | None, Tensor | None]:
    """Return what the gradients depend on, where those of threshold and decay may be wanted.

    A full buffer for each, so what nothing depends on is not saved. With s the spikes, r what the
    reset leaves of v, and H' the slope: dr/dv = 1 - s and dr/ds = -v where the reset is to zero,
    1 and -threshold where it subtracts; H' is s itself, or computed from v.
    """
    to_zero, by_spikes = rule.reset == "zero", slope_is_spike(rule.surrogate)
    # dr/dv; H'; and what is wanted of constants, which sums up what each spike has taken
    needs_spikes = to_zero or by_spikes or any(wanted)
    # dr/ds, unless it is cut off; H'; and the gradient of the decay, which multiplies r, and so v
    needs_v = (to_zero and not rule.detach_reset) or not by_spikes or wanted[1]
    return spikes if needs_spikes else None, v if needs_v else None


def gradients(
    saved: tuple[Tensor | None, Tensor | None, Tensor, Tensor | None],
    arriving: tuple[Tensor | None, ...],
    rule: Rule,
    loops: ModuleType,
    wanted: tuple[bool, ...],
) -> tuple[Tensor, list[Tensor | None]]:
    """Return the gradients of the potentials, and of threshold and decay where they are wanted.

    From spikes, potentials, threshold and decay, and from what arrives at spikes and potentials.
    """
    spikes, v, threshold, decay = saved
    # for what is not saved the other stands in: nothing that is wanted depends on it
    spikes, v = (v if spikes is None else spikes), (spikes if v is None else v)
    grad_spikes, grad_v = arriving
    assert spikes is not None and v is not None  # noqa: S101, PT018 - `needed` gives one at least
    if grad_spikes is None:
        grad_spikes = spikes.new_zeros(()).expand_as(spikes)
    adjoint = _Adjoint(constants_of(rule, threshold, decay), rule.surrogate, wanted)
    if torch.is_grad_enabled():  # the gradient may be differentiated again
        return adjoint.solve_step_by_step(Record(spikes, v, grad_spikes, grad_v))
    return adjoint.solve(Record(spikes.detach(), v.detach(), grad_spikes, grad_v), loops)


class _Adjoint(NamedTuple):
    constants: Constants
    surrogate: Callable[[Tensor], Tensor]
    wanted: tuple[bool, ...]  # the gradients of threshold and decay

    def solve(self, record: Record, loops: ModuleType) -> tuple[Tensor, list[Tensor | None]]:
        """Return the gradients of the potentials, and of threshold and decay."""
        grad = torch.empty_like(record.spikes)
        length = max(1, POTENTIALS_AT_ONCE // max(1, grad[0].numel()))
        if slope_is_spike(self.surrogate):
            loops.backward(grad, record, self.constants, None, len(grad))
        else:
            loops.backward(
                grad, record, self.constants, lambda steps: self.slopes(record.part(steps)), length
            )
        sums: list[Tensor | None] = [None, None]
        # the slopes once more: to keep those of all steps would take one more full buffer
        for start in range(0, len(grad), length) if any(self.wanted) else ():
            part, grad_next = record.part(slice(start, start + length)), grad[start + 1 :][:length]
            terms = self.sums(part, self.slopes(part), grad_next)
            sums = [_plus(*pair) for pair in zip(sums, terms, strict=True)]
        return grad, sums

    def solve_step_by_step(self, record: Record) -> tuple[Tensor, list[Tensor | None]]:
        """Return the same by operations that autograd records, for derivatives of derivatives."""
        _, decay, subtract, detach_reset = self.constants
        slopes = self.slopes(record)
        arriving = record.grad_spikes * slopes
        if record.grad_v is not None:
            arriving = arriving + record.grad_v
        factors = torch.ones_like(slopes) if subtract else 1 - self.spikes_of_reset(record)
        if not detach_reset:
            factors = factors - self.taken(record) * slopes
        if decay is not None:
            factors = factors * decay
        grads = [arriving[-1]]
        for term, factor in zip(arriving[:-1].flip(0), factors[:-1].flip(0), strict=True):
            grads.append(term + factor * grads[-1])
        grad = torch.stack(grads[::-1])
        return grad, self.sums(record, slopes, grad[1:])

    def sums(self, record: Record, slopes: Tensor, grad_next: Tensor) -> list[Tensor | None]:
        """Return the gradients of threshold and decay, from those of the next potentials.

        With c as in `kernels.backward`, and theta the threshold: each spike has -H' of it, through
        which come grad_spikes[t] + c · dr/ds; a reset that subtracts has -s of it, through which
        comes c. The decay multiplies r[t], so of it there is grad[t + 1] · r[t].
        """
        threshold, decay, subtract, detach_reset = self.constants
        before = record.part(slice(len(grad_next)))  # the steps that have a next one
        spikes, taken = self.spikes_of_reset(before), self.taken(before)
        sums: list[Tensor | None] = [None, None]
        if self.wanted[0]:
            grad_reset = grad_next if decay is None else grad_next * decay
            total = -(record.grad_spikes * slopes).sum(0)
            if not detach_reset:
                total = total + (grad_reset * taken * slopes[: len(grad_next)]).sum(0)
            if subtract:
                total = total - (spikes * grad_reset).sum(0)
            sums[0] = total.sum_to_size(threshold.shape)
        if self.wanted[1] and decay is not None:
            sums[1] = (grad_next * (before.v - spikes * taken)).sum(0).sum_to_size(decay.shape)
        return sums

    def slopes(self, record: Record) -> Tensor:
        """Return the derivative of the spikes."""
        if slope_is_spike(self.surrogate):
            return record.spikes.detach()
        return slopes(self.surrogate, record.v - self.constants.threshold)

    def spikes_of_reset(self, record: Record) -> Tensor:
        """Return the spikes as the reset sees them."""
        return record.spikes.detach() if self.constants.detach_reset else record.spikes

    def taken(self, record: Record) -> Tensor:
        """Return what each spike takes from the potential by its reset, which is -dr/ds."""
        return self.constants.threshold if self.constants.subtract else record.v


def _plus(total: Tensor | None, term: Tensor | None) -> Tensor | None:
    return term if total is None or term is None else total + term
