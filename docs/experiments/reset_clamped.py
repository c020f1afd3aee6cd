"""Does clamping the gradient of each step cure what clipping the norm of the whole does not?

Trains the networks of reset_gradient.py whose gradient explodes, attached, with the gradient of
every potential clamped as it goes back from one step to the one before. The limit and the learning
rate are chosen in validation on a seed that is used for nothing else; five others are measured.
With --record the figures are kept beside it. A run takes about fifteen minutes on one processor.
"""

from functools import partial

import torch
from harness import Row, each, fit, grid, reached, tuned
from reset_gradient import BATCH, EPOCHS, RATES, SEEDS, SURROGATES, TUNING_SEED, Spike, build
from torch import Tensor

from snn_docs import data
from snn_docs.network import Network

LIMITS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
SETS = (
    ("Heaviside", 32), ("ArcTan(4)", 32), ("ArcTan(4)", 8),
    ("ArcTan(0.1)", 128), ("ArcTan(4)", 128), ("Heaviside", 128),
)  # fmt: skip


def counts(network: Network, spike: Spike, images: Tensor, steps: int, limit: float) -> Tensor:
    """Return the spikes of the last layer in eighths; go back no faster than the limit."""
    first, out = network.linears
    fed = first(images)
    v1 = s1 = v2 = s2 = torch.zeros(())
    total = torch.zeros(())
    for _ in range(steps):
        v1 = v1 * (1 - s1) + fed
        s1 = spike(clamped(v1, limit) - 1)
        v2 = v2 * (1 - s2) + out(s1)
        s2 = spike(clamped(v2, limit) - 1)
        total = total + s2
    return total * (8 / steps)


def clamped(v: Tensor, limit: float) -> Tensor:
    """Return a potential whose gradient, all of it, is clamped."""
    if v.requires_grad:
        v.register_hook(lambda gradient: gradient.clamp(-limit, limit))
    return v


def train(spike: Spike, steps: int, setting: Row, seed: int) -> Row:
    """Train, and return the accuracy in validation and in tests after the last epoch."""
    split = data.digits(validation=360)
    network = build(spike, detach=False, seed=seed)
    scores = partial(counts, network, spike, steps=steps, limit=setting["limit"])
    fit(network, split[:2], setting["rate"], scores=scores, count=EPOCHS, batch=BATCH)
    return reached(scores, split)


def measured(name: str, steps: int) -> Row:
    """Choose a limit and a learning rate, and return what five other seeds reach."""
    settings = grid(rate=RATES, limit=LIMITS)
    run = partial(train, SURROGATES[name], steps)
    chosen, tried, runs = tuned(settings, run, [TUNING_SEED], SEEDS)
    return {
        "surrogate": name,
        "steps": steps,
        "clamped_rate": chosen["rate"],
        "limit": chosen["limit"],
        "tried": [[*each.values(), held] for each, held in zip(settings, tried, strict=True)],
        "clamped": runs["test"],
    }


if __name__ == "__main__":
    each(__doc__, "reset_clamped", SETS, measured, ["torch", "scikit-learn"])
