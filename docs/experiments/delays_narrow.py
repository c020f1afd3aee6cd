"""Do delays find their places if no spike arrives at more than a step or two, from the start?

Trains the four neurons with learnt delays of the lesson, once narrowed from a width of 10 to 0.3,
once of width 0.3 throughout: both end at the same width. Each gets two learning rates; the better
in validation, on the mean of three seeds, trains with five others. How far the delays have moved is
told, in steps. With --record the figures are kept beside it. A run takes about two minutes on one
processor.
"""

import delays
import torch
from delays_interval import narrowed, rates
from harness import Row, accuracy, study

from snn_docs.delays import Delayed

NARROWEST = 0.3
NETWORKS = {f"from {width:g}": rates(1e-2, 2e-2) for width in (10.0, NARROWEST)}


def train(name: str, setting: Row, seed: int) -> Row:
    """Return what a network reaches, and how far its delays have moved."""
    training, held, test = delays.sample(seed)
    torch.manual_seed(seed)
    width = float(name.partition(" ")[2])
    late = Delayed(delays.CHANNELS, delays.CLASSES, delays.LONGEST, width=width)
    begun = late.delay.detach()
    network = delays.Counting(late, delays.leaky(0.5))
    narrowed(network, training, setting["rate"], NARROWEST)
    moved = float((late.delay - begun).abs().mean())
    return {
        "validation": accuracy(network, *held),
        "test": accuracy(network, *test),
        "moved": moved,
    }


if __name__ == "__main__":
    study(__doc__, "delays_narrow", NETWORKS, train)
