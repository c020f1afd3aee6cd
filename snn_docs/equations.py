"""The equations of a neuron, in operations that autograd and all of torch understand."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from snn_docs._checks import check_spikes

Reset = Literal["zero", "subtract"]


class Rule(NamedTuple):
    """How a neuron fires, leaks and resets."""

    threshold: float | Tensor
    kept: float | Tensor | None  # 1 - leak; None without a leak
    reset: Reset
    detach_reset: bool
    surrogate: Callable[[Tensor], Tensor]


def kept_by(leak: float | Tensor) -> float | Tensor | None:
    """Return the part of the potential that a leak leaves, or None if that is all."""
    return None if isinstance(leak, int | float) and leak == 0 else 1 - leak


def widened(inputs: Tensor, shape: torch.Size) -> Tensor:
    """Return the inputs, `[T, *]`, for steps of a shape to which theirs broadcasts."""
    if shape == inputs.shape[1:]:
        return inputs
    ones = [1] * (len(shape) + 1 - inputs.dim())
    return inputs.reshape(len(inputs), *ones, *inputs.shape[1:]).expand(-1, *shape)


def carried(v_previous: Tensor, s_previous: Tensor, rule: Rule) -> Tensor:
    """Return what reset and leak leave of the potential for the next step."""
    s = s_previous.detach() if rule.detach_reset else s_previous
    left = v_previous * (1 - s) if rule.reset == "zero" else v_previous - s * rule.threshold
    return left if rule.kept is None else left * rule.kept


def step(v_previous: Tensor, vt: Tensor, s_previous: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """Return spikes and potential of the next step."""
    x = carried(v_previous, s_previous, rule) + vt
    return fired(x, rule), x


def fired(v: Tensor, rule: Rule) -> Tensor:
    """Return the spikes; raise for those of a surrogate that would change shape or dtype."""
    above = v - rule.threshold
    spikes = rule.surrogate(above)
    check_spikes(spikes, above)
    return spikes


def loop(inputs: Tensor, left: Tensor | None, rule: Rule) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials of all steps; `left` is what the step before has carried."""
    x = inputs[0] + (0 if left is None else left)
    s = fired(x, rule)
    record = [(s, x)]
    for current in inputs[1:]:
        s, x = step(x, current, s, rule)
        record.append((s, x))
    spikes, v = (torch.stack(part) for part in zip(*record, strict=True))
    return spikes, v
