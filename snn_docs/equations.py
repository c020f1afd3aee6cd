"""The equations of a neuron, in operations that autograd and all of torch understand."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from snn_docs._checks import check_spikes

Reset = Literal["zero", "subtract"]


class Rule(NamedTuple):
    """How a neuron fires, leaks and resets.

    Of the leak it has the decay, 1 - leak: to subtract anew in every step would cost an operation
    in each, and one more node of the graph of autograd.
    """

    threshold: float | Tensor
    decay: float | Tensor | None  # 1 - leak; None without a leak
    reset: Reset
    detach_reset: bool
    surrogate: Callable[[Tensor], Tensor]

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


def step(
    v_previous: Tensor, inputs: Tensor, s_previous: Tensor, rule: Rule
) -> tuple[Tensor, Tensor]:
    """Return spikes and potential of the next step."""
    x = reset_and_decay(v_previous, s_previous, rule) + inputs
    return fired(x, rule), x


def fired(v: Tensor, rule: Rule) -> Tensor:
    """Return the spikes; raise for those of a surrogate that would change shape or dtype."""
    above = v - rule.threshold
    spikes = rule.surrogate(above)
    check_spikes(spikes, above)
    return spikes


def loop(inputs: Tensor, v_initial: float | Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """Return spikes and potentials of all steps; it starts from `v_initial`.

    For whatever must be asked step by step; the usual loop is `kernels.advance`.
    `v_initial` is the potential after reset and leak, or 0; so in all that runs over time.
    """
    x = inputs[0] + v_initial
    s = fired(x, rule)
    record = [(s, x)]
    for current in inputs[1:]:
        s, x = step(x, current, s, rule)
        record.append((s, x))
    spikes, v = (torch.stack(part) for part in zip(*record, strict=True))
    return spikes, v
