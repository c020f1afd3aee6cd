"""All of time in one call for neurons that a decaying current drives, and back by the adjoint."""

from types import ModuleType

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction

from snn_docs import bptt
from snn_docs.equations import Rule
from snn_docs.integrator import Integral, integrate

State = tuple[Tensor, Tensor, Tensor]  # spikes, potentials, currents


def run(  # noqa: PLR0913, PLR0917 - all of a neuron
    inputs: Tensor,
    left: Tensor | None,
    current: Tensor | None,
    remains: float | Tensor,
    rule: Rule,
    loops: ModuleType,
) -> State:
    """Return spikes, potentials and currents of all steps, from arguments that have been checked.

    `left` and `current` are what the step before has carried; `remains` is 1 - synapse_leak.
    """
    threshold, remains = bptt.tensor_of(rule.threshold, inputs), bptt.tensor_of(remains, inputs)
    kept = None if rule.kept is None else bptt.tensor_of(rule.kept, inputs)
    if torch.is_grad_enabled():
        tensors = inputs, left, current, threshold, kept, remains
        record: State = Run.apply(*tensors, rule, loops)  # type: ignore[no-untyped-call]
        return record
    i = integrate(inputs, current, remains)
    return *bptt.advance(i, left, bptt.constants_of(rule, threshold, kept), loops), i


class Run(Function):
    """`LI` and `LIF` in a row, whose gradients take turns in one buffer."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - as autograd wants it
        ctx: BackwardCFunction,
        inputs: Tensor,
        left: Tensor | None,
        current: Tensor | None,
        threshold: Tensor,
        kept: Tensor | None,
        remains: Tensor,
        rule: Rule,
        loops: ModuleType,
    ) -> State:
        """Return spikes, potentials and currents of all steps."""
        i = integrate(inputs.detach(), current, remains)
        spikes, v = bptt.advance(i, left, bptt.constants_of(rule, threshold, kept), loops)
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        kept_back = bptt.held(spikes, v, rule, wanted[3:5])
        constants = threshold, kept, remains
        ctx.save_for_backward(*kept_back, *constants, i if wanted[5] else None)  # type: ignore[arg-type]
        ctx.rule, ctx.loops = rule, loops  # type: ignore[attr-defined]
        ctx.set_materialize_grads(value=False)
        return spikes, v, i

    @staticmethod
    def backward(ctx: BackwardCFunction, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of whatever a run has been given."""
        spikes, v, threshold, kept, remains, i = ctx.saved_tensors  # type: ignore[misc]
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        saved, (*at_lif, at_i) = (spikes, v, threshold, kept), arriving
        rule, loops = ctx.rule, ctx.loops  # type: ignore[attr-defined]
        grad, sums = bptt.solved(saved, tuple(at_lif), rule, loops, wanted[3:5])
        # copies: views would share their memory with the gradient of the inputs
        of_left = grad[0].clone() if wanted[1] else None
        if torch.is_grad_enabled():  # the gradient may be differentiated again
            grad = grad if at_i is None else grad + at_i
            grad = Integral.apply(grad, None, remains, True)  # type: ignore[no-untyped-call]  # noqa: FBT003
        else:
            grad = grad if at_i is None else grad.add_(at_i)
            integrate(grad, None, remains, back=True, out=grad)
        of_current = grad[0].clone() if wanted[2] else None
        of_remains = (grad[1:] * i[:-1]).sum(0).sum_to_size(remains.shape) if wanted[5] else None
        return grad, of_left, of_current, *sums, of_remains, None, None
