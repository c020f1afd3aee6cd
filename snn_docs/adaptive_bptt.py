"""All of time in one call for neurons whose threshold adapts, and back by the exact adjoint."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction

from snn_docs.equations import Rule
from snn_docs.kernels import blocks, number_of, tensor_of, update_by
from snn_docs.surrogate import slopes

Record = tuple[Tensor, Tensor, Tensor]  # spikes, potentials, traces
Arriving = tuple[Tensor | None, ...]  # the gradients of a state


CONSTANTS = "threshold", "decay", "adaptation", "adaptation_decay"


class Gradients(NamedTuple):
    """Of what a step adds to the potential, through its spikes, and of its trace."""

    v: Tensor
    through: Tensor
    trace: Tensor


def run(inputs: Tensor, v_initial: float | Tensor, trace: Tensor, rule: Rule) -> Record:
    """Return spikes, potentials and traces of all steps.

    They start from the potential after reset and leak, or 0, and from the first step's trace.
    """
    constants = [tensor_of(getattr(rule, name), inputs) for name in CONSTANTS]
    rule = _with(rule, constants)
    if not torch.is_grad_enabled():  # a Function takes longer than small layers
        return advance(inputs, v_initial, trace, rule)
    record: Record = Run.apply(inputs, v_initial, trace, *constants, rule)  # type: ignore[no-untyped-call]
    return record


class Run(Function):
    """Saves spikes, potentials and traces, which are its outputs."""

    @staticmethod
    def forward(
        ctx: BackwardCFunction,
        inputs: Tensor,
        v_initial: float | Tensor,
        trace: Tensor,
        *rest: Tensor | Rule | None,
    ) -> Record:
        """Return spikes, potentials and traces of all steps."""
        *constants, rule = rest
        record = advance(inputs.detach(), v_initial, trace, rule)  # type: ignore[arg-type]
        ctx.save_for_backward(*record, *constants)  # type: ignore[arg-type]
        ctx.rule = rule  # type: ignore[attr-defined]
        ctx.set_materialize_grads(value=False)
        return record

    @staticmethod
    def backward(ctx: BackwardCFunction, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of whatever a run has been given."""
        spikes, v, a, *constants = ctx.saved_tensors  # type: ignore[misc]
        rule = _with(ctx.rule, constants)  # type: ignore[attr-defined]
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        keep = any(wanted[3:7])
        if torch.is_grad_enabled():  # the gradient may be differentiated again
            record = spikes, v, a
            grads = _solve_step_by_step(record, arriving, rule)
        else:
            record = spikes.detach(), v.detach(), a.detach()
            grads = _solve(record, arriving, rule, keep=keep)
        sums = _sums(record, grads, rule) if keep else [None] * len(constants)
        # copies: views would share their memory with the gradient of the inputs
        of_initial = grads.v[0].clone() if wanted[1] else None
        return grads.v, of_initial, grads.trace[0].clone(), *sums, None


def _with(rule: Rule, constants: Sequence[Tensor | None]) -> Rule:
    """Return the rule with these tensors as its constants."""
    named: dict[str, Any] = dict(zip(CONSTANTS, constants, strict=True))
    return rule._replace(**named)


def advance(inputs: Tensor, v_initial: float | Tensor, trace: Tensor, rule: Rule) -> Record:
    """Return spikes, potentials and traces of all steps, written into memory that is there."""
    threshold, adaptation = rule.threshold, rule.adaptation
    spikes, v, a = (
        torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device) for _ in range(3)
    )
    buffer, one = torch.empty_like(v[0]), v.new_ones(())
    update_v = update_by(rule.decay, buffer)
    update_trace = update_by(rule.adaptation_decay, buffer)
    last = None
    for current, s, x, tr in zip(*(each.unbind() for each in (inputs, spikes, v, a)), strict=True):
        if last is None:
            tr.copy_(trace)
            torch.add(current, v_initial, out=x)
        else:
            fired, before, faint = last
            update_trace(faint, one, fired, tr)
            if rule.reset == "subtract":  # spikes are 0 or 1: this product is exact
                after = torch.addcmul(before, fired, threshold, value=-1, out=buffer)
                update_v(after, one, current, x)
            else:
                update_v(before, torch.sub(one, fired, out=buffer), current, x)
        torch.gt(x, torch.mul(tr, adaptation, out=buffer).add_(threshold), out=s)
        last = s, x, tr
    return spikes, v, a


def _solve(record: Record, arriving: Arriving, rule: Rule, *, keep: bool) -> Gradients:
    """Return the gradients, written into memory that is there; of all steps if they are kept.

    In the equations of `ALIF.record`: grad is D, passed is P, trace is D^a, silent is 1 - s, which
    is dr/dv of a reset to zero, and what arrives at spikes, potentials and traces is G.
    """
    threshold, decay, adaptation = rule.threshold, rule.decay, rule.adaptation
    v, subtract = record[1], rule.reset == "subtract"
    factor = number_of(decay)
    times = 1.0 if factor is None else factor
    potentials = v.unbind()
    at_spikes, at_v, at_a = ([None] * len(v) if x is None else x.unbind() for x in arriving)
    all_v = torch.empty_like(v)
    all_through, all_traces = (torch.empty_like(v if keep else v[:1]) for _ in range(2))
    grads = all_v.unbind()
    through, traces = (x.unbind() if keep else [x[0]] * len(v) for x in (all_through, all_traces))
    grad_reset, buffer = torch.empty_like(v[0]), torch.zeros_like(v[0])
    for steps in reversed(blocks(v)):
        spikes, *others = (x[steps] for x in record)
        slopes = _slopes(rule, spikes, *others).unbind()
        silent = None if subtract else torch.sub(1, spikes).unbind()
        for i in reversed(range(len(slopes))):
            t = steps.start + i
            grad, passed, trace, arrives = grads[t], through[t], traces[t], at_spikes[t]
            if t == len(v) - 1:
                torch.mul(buffer if arrives is None else arrives, slopes[i], out=passed)
                grad.copy_(passed)
                torch.mul(passed, -adaptation, out=trace)
            else:
                grad_next = grads[t + 1]
                if factor is None:
                    grad_next = torch.mul(grad_next, decay, out=grad_reset)
                if arrives is None:
                    passed.copy_(traces[t + 1])
                else:
                    torch.add(arrives, traces[t + 1], out=passed)
                if not rule.detach_reset:
                    passed.addcmul_(
                        grad_next, threshold if subtract else potentials[t], value=-times
                    )
                passed.mul_(slopes[i])
                if silent is None:
                    torch.add(passed, grad_next, alpha=times, out=grad)
                else:
                    torch.addcmul(passed, grad_next, silent[i], value=times, out=grad)
                torch.mul(traces[t + 1], rule.adaptation_decay, out=trace).addcmul_(
                    passed, adaptation, value=-1
                )
            for total, more in ((grad, at_v[t]), (trace, at_a[t])):
                if more is not None:
                    total.add_(more)
    return Gradients(all_v, all_through, all_traces)


def _solve_step_by_step(record: Record, arriving: Arriving, rule: Rule) -> Gradients:
    """Return the same by operations that autograd records, for derivatives of derivatives."""
    threshold, decay = rule.threshold, rule.decay
    spikes, v, _ = record
    reset_spikes = spikes.detach() if rule.detach_reset else spikes
    at_spikes, at_v, at_a = (torch.zeros_like(v) if x is None else x for x in arriving)
    slopes = _slopes(rule, *record)
    grad_reset = grad_trace = torch.zeros_like(v[0])
    steps = []
    for t in reversed(range(len(v))):
        grad_spike = at_spikes[t] + grad_trace
        if not rule.detach_reset:
            grad_spike = grad_spike - grad_reset * (threshold if rule.reset == "subtract" else v[t])
        passed = grad_spike * slopes[t]
        past_reset = grad_reset if rule.reset == "subtract" else grad_reset * (1 - reset_spikes[t])
        grad = passed + past_reset + at_v[t]
        trace = (
            (grad_trace if t == len(v) - 1 else grad_trace * rule.adaptation_decay)
            - rule.adaptation * passed
            + at_a[t]
        )
        steps.append((grad, passed, trace))
        grad_reset, grad_trace = grad if decay is None else grad * decay, trace
    return Gradients(*(torch.stack(part[::-1]) for part in zip(*steps, strict=True)))


def _slopes(rule: Rule, spikes: Tensor, v: Tensor, a: Tensor) -> Tensor:
    """Return the derivative of the spikes."""
    return slopes(
        rule.surrogate,
        spikes,
        lambda: torch.addcmul(v, a, rule.adaptation, value=-1).sub_(rule.threshold),
    )


def _sums(record: Record, grads: Gradients, rule: Rule) -> list[Tensor | None]:
    """Return the gradients of the constants."""
    spikes, v, a = record
    reset_spikes = (spikes.detach() if rule.detach_reset else spikes)[:-1]
    subtract, grad_next = rule.reset == "subtract", grads.v[1:]
    v_reset = v[:-1] - reset_spikes * (rule.threshold if subtract else v[:-1])
    of_threshold = -grads.through.sum(0)
    if subtract:
        grad_reset = grad_next if rule.decay is None else grad_next * rule.decay
        of_threshold = of_threshold - (reset_spikes * grad_reset).sum(0)
    sums = (
        of_threshold,
        (grad_next * v_reset).sum(0),
        -(grads.through * a).sum(0),
        (grads.trace[1:] * a[:-1]).sum(0),
    )
    constants = (getattr(rule, name) for name in CONSTANTS)
    return [
        None if constant is None else total.sum_to_size(constant.shape)
        for total, constant in zip(sums, constants, strict=True)
    ]
