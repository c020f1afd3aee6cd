"""The equations of a neuron, in operations that autograd and all of torch understand."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from snn_docs._checks import check_spikes

Reset = Literal["zero", "subtract"]


class Rule(NamedTuple):
    """How a neuron fires, leaks and resets.

    Of the leak it has the decay, 1 - leak: to subtract anew in every step would cost an operation
    in each, and one more node of the graph of autograd. Constants are numbers or tensors; `kernels`
    gets tensors alone.
    """

    threshold: Any
    decay: Any  # 1 - leak; None without a leak
    reset: Reset
    detach_reset: bool
    surrogate: Callable[[Tensor], Tensor]
    adaptation: Any = None  # of a threshold that adapts
    adaptation_decay: Any = None  # 1 - adaptation_leak

    @property
    def by_argument(self) -> dict[str, float | Tensor | None]:
        """Return what must fit the inputs by the names that messages give it.

        Those are of arguments: the decay, which nobody gives, goes by the name of its leak.
        """
        return {"threshold": self.threshold, "leak": self.decay}


def decay_of(leak: float | Tensor) -> float | Tensor | None:
    """Return the factor by which the potential decays in a step, or None where it does not."""
    return None if isinstance(leak, int | float) and leak == 0 else 1 - leak


def widened(inputs: Tensor, shape: torch.Size) -> Tensor:
    """Return the inputs, `[T, *]`, for steps of a shape to which theirs broadcasts."""
    if shape == inputs.shape[1:]:
        return inputs
    ones = [1] * (len(shape) + 1 - inputs.dim())
    return inputs.reshape(len(inputs), *ones, *inputs.shape[1:]).expand(-1, *shape)


def reset_and_decay(v_previous: Tensor, s_previous: Tensor, rule: Rule) -> Tensor:
    """Return the potential after reset and leak, to which the next step adds its current."""
    s = s_previous.detach() if rule.detach_reset else s_previous
    v_reset = v_previous * (1 - s) if rule.reset == "zero" else v_previous - s * rule.threshold
    return v_reset if rule.decay is None else v_reset * rule.decay


def step(rule: Rule, inputs: Tensor, s_previous: Tensor, v_previous: Tensor) -> tuple[Tensor, ...]:
    """Return spikes and potential of the next step."""
    v = reset_and_decay(v_previous, s_previous, rule) + inputs
    return fired(v - rule.threshold, rule), v


def adaptive_step(
    rule: Rule, inputs: Tensor, s_previous: Tensor, v_previous: Tensor, a_previous: Tensor
) -> tuple[Tensor, ...]:
    """Return spikes, potential and trace of the next step where the threshold adapts."""
    a = a_previous * rule.adaptation_decay + s_previous
    v = reset_and_decay(v_previous, s_previous, rule) + inputs
    return fired(v - (a * rule.adaptation + rule.threshold), rule), v, a


def fired(above: Tensor, rule: Rule) -> Tensor:
    """Return the spikes; raise for those of a surrogate that would change shape or dtype."""
    spikes: Tensor = rule.surrogate(above)
    check_spikes(spikes, above)
    return spikes


def start(state: Sequence[Tensor] | None, inputs: Tensor, parts: int) -> tuple[Tensor, ...]:
    """Return the parts of a state in the shape of a step of the inputs, `[T, *]`; 0 for None."""
    zeros = inputs.new_zeros(inputs.shape[1:])
    return (zeros,) * parts if state is None else tuple(part.expand_as(zeros) for part in state)


def one_by_one(
    step: Callable[..., tuple[Tensor, ...]], inputs: Tensor, before: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Return of all steps, one or more, what `before` holds of the one before them.

    For whatever must be asked step by step; the usual loop is `kernels.advance`.
    """
    record = [before]
    for current in inputs:
        record.append(step(current, *record[-1]))
    return tuple(torch.stack(part) for part in zip(*record[1:], strict=True))
