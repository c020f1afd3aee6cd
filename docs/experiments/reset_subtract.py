"""Does a reset that subtracts the threshold need its gradient?

Trains the network of reset_gradient.py, with the same images for 32 steps and an arctan of slope 1,
once with the reset attached and once with it detached: for both rules of resetting and each
learning rate, so that nothing is hidden by a choice. With --record the figures are kept beside it.
A run takes about five minutes on one processor.
"""

from itertools import product

from harness import Row, each
from reset_gradient import RATES, SEEDS, Reset, train

from snn_docs.surrogate import ArcTan

RESETS: tuple[Reset, ...] = ("subtract", "zero")
STEPS = 32


def measured(reset: Reset, rate: float) -> Row:
    """Return what a rule reached at a learning rate, attached and detached."""
    row: Row = {"reset": reset, "steps": STEPS, "rate": rate}
    for way in ("attached", "detached"):
        runs = [train(ArcTan(), STEPS, way, rate, seed, reset=reset) for seed in SEEDS]
        row[way] = [run["test"] for run in runs]
    return row


if __name__ == "__main__":
    places = product(RESETS, RATES)
    each(__doc__, "reset_subtract", places, measured, ["torch", "scikit-learn"])
