"""How are a network's potentials spread before it learns anything?

Counts, in bins, the potentials of the outputs for the digits, for all images and steps: what the
surrogates of surrogate_choice.py are to reach. Prints how many there are. With --record the figures
are kept beside it. A run takes a few seconds.
"""

from collections.abc import Iterator

import torch
from harness import Row, record

from snn_docs import IF, data
from snn_docs.network import Network

BINS, FROM, TO = 60, -3.0, 3.0  # of the potentials, less the threshold


def rows() -> Iterator[Row]:
    """Yield the counts."""
    torch.manual_seed(0)
    network = Network([64, 32, 10], IF)
    with torch.no_grad():
        v = network(data.digits().train_inputs.expand(8, -1, -1))[1]
    counts = torch.histc(v - 1, BINS, FROM, TO)
    shown = [int(count) for count in counts]
    yield {"from": FROM, "to": TO, "counts": shown, "all": v.numel()}


if __name__ == "__main__":
    record.run(__doc__, "surrogate_potentials", rows, libraries=["torch", "scikit-learn"])
