"""How are a network's potentials spread before it learns anything?

Counts, in bins, the potentials of the outputs for the digits, for all images and steps, in the
first network of surrogate_choice.py: what its surrogates are to reach. Prints how many there are.
With --record the figures are kept beside it. A run takes a few seconds.
"""

from collections.abc import Iterator

import torch
from harness import Row, record
from surrogate_choice import build, parts

from snn_docs.surrogate import Boxcar

BINS, FROM, TO = 60, -3.0, 3.0  # of the potentials, less the threshold


def rows() -> Iterator[Row]:
    """Yield the counts."""
    training, _ = parts()
    with torch.no_grad():
        v = build(Boxcar(1.0), bias=0.0, seed=0)(training[0])[1]
    counts = torch.histc(v - 1, BINS, FROM, TO)
    shown = [int(count) for count in counts]
    yield {"from": FROM, "to": TO, "counts": shown, "all": v.numel()}


if __name__ == "__main__":
    record.run(__doc__, "surrogate_potentials", rows, libraries=["torch", "scikit-learn"])
