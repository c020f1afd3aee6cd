"""What are features learnt without labels worth if only 100 images have a label?

Trains the neurons of plasticity.py on the 8x8 digits from its five seeds, names them by 100
labelled images, drawn anew for each seed, and lets the strongest answer. Then the same neurons give
the same answers, but are named by all labels: what differs is due to wrong names alone. The
opponent, logistic regression on pixels, learns from the same 100 images. With --record the figures
are kept beside it. A run takes about twenty seconds on one processor.
"""

from collections.abc import Iterator

import plasticity
import torch
from harness import Row, record
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from torch import Tensor

from snn_docs import data

KNOWN = 100


def names(counts: Tensor, labels: Tensor) -> Tensor:
    """Return the digit for which each neuron fires most."""
    return torch.stack([counts[labels == k].mean(0) for k in range(10)]).argmax(0)


def rows() -> Iterator[Row]:
    """Yield what is reached from each seed."""
    split = data.digits()
    for seed in plasticity.SEEDS:
        features = plasticity.Features(plasticity.Setting(), 64, seed)
        features.fit(split.train_inputs, plasticity.EPOCHS)
        counts = features.show(split.train_inputs)
        answers = features.show(split.test_inputs).argmax(1)
        generator = torch.Generator().manual_seed(seed)
        few = torch.randperm(len(counts), generator=generator)[:KNOWN]
        inputs, labels = split.train_inputs[few], split.train_labels[few]
        named, best = names(counts[few], labels), names(counts, split.train_labels)
        line = LogisticRegression(max_iter=1000).fit(inputs.numpy(), labels.numpy())
        yield {
            "seed": seed,
            "few": (named[answers] == split.test_labels).float().mean().item(),
            "all": (best[answers] == split.test_labels).float().mean().item(),
            "wrong": int((named != best).sum()),
            "regression": line.score(split.test_inputs.numpy(), split.test_labels.numpy()),
        }


if __name__ == "__main__":
    record.run(__doc__, "plasticity_labels", rows, libraries=["torch", "scikit-learn"])
