"""All of time in one call, and back by its exact adjoint, whose loop is `kernels.backward`."""

from functools import partial

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction

from snn_docs import equations, kernels
from snn_docs._checks import check_run, needs_steps
from snn_docs.equations import Rule
from snn_docs.kernels import Record, blocks, slopes_of, tensor_of
from snn_docs.states import State
from snn_docs.surrogate import has_derivative, slope_is_spike

Sums = list[Tensor | None]  # the gradients of threshold and decay


def record(inputs: Tensor, state: tuple[Tensor, ...] | None, rule: Rule) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials of all steps, by a rule that has been checked."""
    shape = check_run(inputs, state, State._fields, **rule.by_argument)
    inputs = equations.widened(inputs, shape)
    if not len(inputs):
        return inputs.clone(), inputs.clone()
    s, v = before = equations.start(state, inputs, 2)
    if needs_steps(inputs, s, v, rule.threshold, rule.decay) or not has_derivative(rule.surrogate):
        spikes, v = equations.one_by_one(partial(equations.step, rule), inputs, before)
        return spikes, v
    v_initial = equations.reset_and_decay(v, s, rule)
    threshold, decay = tensor_of(rule.threshold, inputs), tensor_of(rule.decay, inputs)
    spikes, v = _Run.apply(inputs, v_initial, threshold, decay, rule)  # type: ignore[no-untyped-call]
    return spikes, v


def advance(inputs: Tensor, v_initial: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials of all steps, on plain tensors."""
    v = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
    torch.add(inputs[0], v_initial, out=v[0])
    kernels.advance(v, inputs, rule)
    return torch.gt(v, rule.threshold, out=torch.empty_like(v)), v


class _Context(BackwardCFunction):
    rule: Rule


class _Run(Function):
    """Keeps of its outputs, spikes and potentials, those that the adjoint needs."""

    @staticmethod
    def forward(
        ctx: _Context,
        inputs: Tensor,
        v_initial: Tensor,
        threshold: Tensor,
        decay: Tensor | None,
        rule: Rule,
    ) -> tuple[Tensor, Tensor]:
        # detached, because torch keeps books of the views of a tensor that has gradients
        ctx.rule = rule._replace(threshold=threshold, decay=decay)
        spikes, v = advance(inputs.detach(), v_initial, ctx.rule)
        saved = needed(spikes, v, rule, ctx.needs_input_grad[2:4])
        # saved, not only kept: autograd sees changes in place, and its own graph
        ctx.save_for_backward(*saved, threshold, decay)  # type: ignore[arg-type]
        ctx.set_materialize_grads(value=False)
        return spikes, v

    @staticmethod
    def backward(
        ctx: _Context, grad_spikes: Tensor | None, grad_v: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        spikes, v, threshold, decay = ctx.saved_tensors  # type: ignore[misc]
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        # for what is not saved the other stands in: nothing that is wanted depends on it
        spikes, v = (v if spikes is None else spikes), (spikes if v is None else v)
        if grad_spikes is None:
            grad_spikes = spikes.new_zeros(()).expand_as(spikes)
        rule = ctx.rule._replace(threshold=threshold, decay=decay)
        if torch.is_grad_enabled():  # the gradient may be differentiated again
            grad, sums = solve_step_by_step(
                Record(spikes, v, grad_spikes, grad_v), rule, wanted[2:4]
            )
        else:
            record = Record(spikes.detach(), v.detach(), grad_spikes, grad_v)
            grad, sums = solve(record, rule, wanted[2:4])
        # a copy: a view would share its memory with the gradient of the inputs
        return grad, grad[0].clone() if wanted[1] else None, *sums, None


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


def solve(record: Record, rule: Rule, wanted: tuple[bool, ...]) -> tuple[Tensor, Sums]:
    """Return the gradients of the potentials, and of threshold and decay where they are wanted."""
    grad = torch.empty_like(record.spikes)
    kernels.backward(grad, record, rule)
    sums: Sums = [None, None]
    # the slopes once more: to keep those of all steps would take one more full buffer
    for steps in blocks(grad) if any(wanted) else ():
        part, grad_next = record.part(steps), grad[steps.start + 1 : steps.stop + 1]
        terms = sums_of(part, rule, wanted, slopes_of(part, rule), grad_next)
        sums = [_plus(*pair) for pair in zip(sums, terms, strict=True)]
    return grad, sums


def solve_step_by_step(record: Record, rule: Rule, wanted: tuple[bool, ...]) -> tuple[Tensor, Sums]:
    """Return the same by operations that autograd records, for derivatives of derivatives."""
    slopes = slopes_of(record, rule)
    arriving = record.grad_spikes * slopes
    if record.grad_v is not None:
        arriving = arriving + record.grad_v
    subtract = rule.reset == "subtract"
    factors = torch.ones_like(slopes) if subtract else 1 - spikes_of_reset(record, rule)
    if not rule.detach_reset:
        factors = factors - taken(record, rule) * slopes
    if rule.decay is not None:
        factors = factors * rule.decay
    grads = [arriving[-1]]
    for term, factor in zip(arriving[:-1].flip(0), factors[:-1].flip(0), strict=True):
        grads.append(term + factor * grads[-1])
    grad = torch.stack(grads[::-1])
    return grad, sums_of(record, rule, wanted, slopes, grad[1:])


def sums_of(
    record: Record, rule: Rule, wanted: tuple[bool, ...], slopes: Tensor, grad_next: Tensor
) -> Sums:
    """Return the gradients of threshold and decay, from those of the next potentials.

    With c as in `kernels.backward`, and theta the threshold: each spike has -H' of it, through
    which come grad_spikes[t] + c · dr/ds; a reset that subtracts has -s of it, through which
    comes c. The decay multiplies r[t], so of it there is grad[t + 1] · r[t].
    """
    threshold, decay = rule.threshold, rule.decay
    before = record.part(slice(len(grad_next)))  # the steps that have a next one
    spikes, by_reset = spikes_of_reset(before, rule), taken(before, rule)
    sums: Sums = [None, None]
    if wanted[0]:
        grad_reset = grad_next if decay is None else grad_next * decay
        total = -(record.grad_spikes * slopes).sum(0)
        if not rule.detach_reset:
            total = total + (grad_reset * by_reset * slopes[: len(grad_next)]).sum(0)
        if rule.reset == "subtract":
            total = total - (spikes * grad_reset).sum(0)
        sums[0] = total.sum_to_size(threshold.shape)
    if wanted[1]:
        sums[1] = (grad_next * (before.v - spikes * by_reset)).sum(0).sum_to_size(decay.shape)
    return sums


def spikes_of_reset(record: Record, rule: Rule) -> Tensor:
    """Return the spikes as the reset sees them."""
    return record.spikes.detach() if rule.detach_reset else record.spikes


def taken(record: Record, rule: Rule) -> Tensor:
    """Return what each spike takes from the potential by its reset, which is -dr/ds."""
    return rule.threshold if rule.reset == "subtract" else record.v


def _plus(total: Tensor | None, term: Tensor | None) -> Tensor | None:
    return term if total is None or term is None else total + term
