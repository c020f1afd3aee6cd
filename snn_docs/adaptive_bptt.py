"""All of time in one call for neurons whose threshold adapts, and back by the exact adjoint."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction

from snn_docs.bptt import BLOCK, keep_freed_memory
from snn_docs.equations import Rule
from snn_docs.surrogate import Surrogate

State = tuple[Tensor, Tensor, Tensor]  # spikes, potentials, traces
Arriving = tuple[Tensor | None, ...]  # the gradients of a state


class Constants(NamedTuple):
    """What stays the same over time. A tensor's shape broadcasts to that of one step, `[*]`."""

    threshold: Tensor
    kept: Tensor | None  # 1 - leak, where there is a leak
    adaptation: Tensor
    faded: Tensor  # 1 - adaptation_leak


class Gradients(NamedTuple):
    """Of what a step adds to the potential, through its spikes, and of its trace."""

    v: Tensor
    through: Tensor
    trace: Tensor


class Run(Function):
    """Keeps spikes, potentials and traces, which are its outputs."""

    @staticmethod
    def forward(
        ctx: BackwardCFunction,
        inputs: Tensor,
        left: Tensor | None,
        trace: Tensor,
        *rest: Tensor | Rule | None,
    ) -> State:
        """Return spikes, potentials and traces of all steps."""
        *constants, rule = rest
        keep_freed_memory(inputs)
        record = _advance(inputs.detach(), left, trace, Constants(*constants), rule)  # type: ignore[arg-type]
        ctx.save_for_backward(*record, *constants)  # type: ignore[arg-type]
        ctx.rule = rule  # type: ignore[attr-defined]
        ctx.set_materialize_grads(value=False)
        return record

    @staticmethod
    def backward(ctx: BackwardCFunction, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of whatever a run has been given."""
        spikes, v, a, *rest = ctx.saved_tensors  # type: ignore[misc]
        constants, rule = Constants(*rest), ctx.rule  # type: ignore[attr-defined]
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        keep = any(wanted[3:7])
        if torch.is_grad_enabled():  # the gradient may be differentiated again
            record = spikes, v, a
            grads = _solve_step_by_step(record, arriving, constants, rule)
        else:
            record = spikes.detach(), v.detach(), a.detach()
            grads = _solve(record, arriving, constants, rule, keep=keep)
        sums = _sums(record, grads, constants, rule) if keep else [None] * len(constants)
        # copies: views would share their memory with the gradient of the inputs
        of_left = grads.v[0].clone() if wanted[1] else None
        return grads.v, of_left, grads.trace[0].clone(), *sums, None


def _advance(
    inputs: Tensor, left: Tensor | None, trace: Tensor, constants: Constants, rule: Rule
) -> State:
    """Return spikes, potentials and traces of all steps, written into memory that is there."""
    threshold, kept, adaptation, faded = constants
    spikes, v, a = (
        torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device) for _ in range(3)
    )
    steps = list(zip(inputs.unbind(), spikes.unbind(), v.unbind(), a.unbind(), strict=True))
    mask, buffer = torch.empty_like(v[0]), torch.empty_like(v[0])
    last = None
    for current, s, x, tr in steps:
        if last is None:
            tr.copy_(trace)
            torch.add(current, 0 if left is None else left, out=x)
        else:
            fired, before, faint = last
            torch.mul(faint, faded, out=tr).add_(fired)
            if rule.reset == "subtract":  # spikes are 0 or 1: this product is exact
                before = torch.addcmul(before, fired, threshold, value=-1, out=buffer)
                before = before if kept is None else torch.mul(before, kept, out=buffer)
                torch.add(before, current, out=x)
            else:  # and this one
                torch.eq(fired, 0, out=mask)
                before = before if kept is None else torch.mul(before, kept, out=buffer)
                torch.addcmul(current, before, mask, out=x)
        torch.mul(tr, adaptation, out=buffer).add_(threshold)
        torch.gt(x, buffer, out=s)
        last = s, x, tr
    return spikes, v, a


def _solve(
    record: State, arriving: Arriving, constants: Constants, rule: Rule, *, keep: bool
) -> Gradients:
    """Return the gradients, written into memory that is there; of all steps if they are kept."""
    threshold, kept, adaptation, faded = constants
    v, subtract = record[1], rule.reset == "subtract"
    spikes, potentials = (x.unbind() for x in record[:2])
    at_spikes, at_v, at_a = ([None] * len(v) if x is None else x.unbind() for x in arriving)
    all_v = torch.empty_like(v)
    all_through, all_traces = (torch.empty_like(v if keep else v[:1]) for _ in range(2))
    grads = all_v.unbind()
    through, traces = (x.unbind() if keep else [x[0]] * len(v) for x in (all_through, all_traces))
    carried, buffer = torch.empty_like(v[0]), torch.zeros_like(v[0])
    for steps in _blocks(v):
        slopes = _slopes([x[steps] for x in record], constants, rule).unbind()
        for t, slope in zip(reversed(range(len(v))[steps]), reversed(slopes), strict=True):
            grad, passed, trace, arrives = grads[t], through[t], traces[t], at_spikes[t]
            if t == len(v) - 1:
                torch.mul(buffer if arrives is None else arrives, slope, out=passed)
                grad.copy_(passed)
                torch.mul(passed, -adaptation, out=trace)
            else:
                carry = grads[t + 1] if kept is None else torch.mul(grads[t + 1], kept, out=carried)
                later = traces[t + 1]
                reaching = later if arrives is None else torch.add(arrives, later, out=buffer)
                if not rule.detach_reset:
                    taken = threshold if subtract else potentials[t]
                    reaching = torch.addcmul(reaching, carry, taken, value=-1, out=buffer)
                torch.mul(reaching, slope, out=passed)
                torch.add(carry, passed, out=grad)
                if not subtract:
                    grad.addcmul_(carry, spikes[t], value=-1)
                torch.mul(later, faded, out=trace).addcmul_(passed, adaptation, value=-1)
            for total, more in ((grad, at_v[t]), (trace, at_a[t])):
                if more is not None:
                    total.add_(more)
    return Gradients(all_v, all_through, all_traces)


def _solve_step_by_step(
    record: State, arriving: Arriving, constants: Constants, rule: Rule
) -> Gradients:
    """Return the same by operations that autograd records, for derivatives of derivatives."""
    threshold, kept, adaptation, faded = constants
    spikes, v, _ = record
    held = spikes.detach() if rule.detach_reset else spikes
    at_spikes, at_v, at_a = (torch.zeros_like(v) if x is None else x for x in arriving)
    slopes = _slopes([*record], constants, rule)
    carry = fading = torch.zeros_like(v[0])
    steps = []
    for t in reversed(range(len(v))):
        reaching = at_spikes[t] + fading
        if not rule.detach_reset:
            reaching = reaching - carry * (threshold if rule.reset == "subtract" else v[t])
        passed = reaching * slopes[t]
        left = carry if rule.reset == "subtract" else carry * (1 - held[t])
        grad = passed + left + at_v[t]
        trace = (fading if t == len(v) - 1 else fading * faded) - adaptation * passed + at_a[t]
        steps.append((grad, passed, trace))
        carry, fading = grad if kept is None else grad * kept, trace
    return Gradients(*(torch.stack(part[::-1]) for part in zip(*steps, strict=True)))


def _blocks(v: Tensor) -> Iterator[slice]:
    """Return the steps whose slopes are computed at once, from the last ones to the first."""
    length = max(1, BLOCK // max(1, v[0].numel()))
    return (slice(start, start + length) for start in reversed(range(0, len(v), length)))


def _slopes(record: list[Tensor], constants: Constants, rule: Rule) -> Tensor:
    """Return the derivative of the spikes."""
    spikes, v, a = record
    if isinstance(rule.surrogate, Surrogate):
        return rule.surrogate.slopes(v - (a * constants.adaptation + constants.threshold))
    return spikes.detach()


def _sums(record: State, grads: Gradients, constants: Constants, rule: Rule) -> list[Tensor | None]:
    """Return the gradients of the constants."""
    spikes, v, a = record
    held = (spikes.detach() if rule.detach_reset else spikes)[:-1]
    subtract, later = rule.reset == "subtract", grads.v[1:]
    left = v[:-1] - held * (constants.threshold if subtract else v[:-1])
    of_threshold = -grads.through.sum(0)
    if subtract:
        carry = later if constants.kept is None else later * constants.kept
        of_threshold = of_threshold - (held * carry).sum(0)
    sums = (
        of_threshold,
        (later * left).sum(0),
        -(grads.through * a).sum(0),
        (grads.trace[1:] * a[:-1]).sum(0),
    )
    return [
        None if constant is None else total.sum_to_size(constant.shape)
        for total, constant in zip(sums, constants, strict=True)
    ]
