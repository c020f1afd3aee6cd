"""How well do the two traces of neurons whose thresholds adapt learn across a silence of 40 steps?

The task and the network of `online`, with a leak, whose thresholds rise with each spike and sink
slowly, or not. With such thresholds: backpropagation through all of time; e-prop, whose traces
carry what weights do to the potential and to the threshold (computed as the gradient through all
of time but not through the spikes that come back, which is the same); and e-prop without the
threshold's trace. Without: backpropagation, traces that fade as the potential does, and traces that
fade more slowly. Each gets six settings, three learning rates by clipping or none, or by two sizes
of the adaptation; the best in validation, on the mean of three seeds, trains with five others. With
--record the figures are kept beside it. A run takes about five minutes on one processor.
"""

from harness import Row, grid, study
from online import TASKS, Gradient, learn

RATES = (1e-2, 3e-2, 1e-1)
TASK = TASKS["match 40"]
FIXED = {
    "bptt": Gradient(),
    "trace": Gradient(trace=TASK.kept),
    "slow": Gradient(trace=0.95),
}
ADAPTIVE = {
    "adaptive bptt": Gradient(),
    "adaptive both": Gradient(loop=False),
    "adaptive one": Gradient(loop=False, threshold=False),
}


NETWORKS = {
    **dict.fromkeys(FIXED, grid(rate=RATES, clip=(None, 1.0))),
    **dict.fromkeys(ADAPTIVE, grid(rate=RATES, adaptation=(0.3, 1.0))),
}


def train(name: str, setting: Row, seed: int) -> Row:
    """Return what the epoch that was best in validation reached there and in the test."""
    task = TASK._replace(adaptation=setting.get("adaptation", 0.0))
    way = {**FIXED, **ADAPTIVE}[name]
    return learn(task, way, {"clip": None, **setting}, seed)


if __name__ == "__main__":
    study(__doc__, "online_adaptive", NETWORKS, train)
