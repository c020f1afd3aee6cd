"""Draw the picture that other sites show beside a link to the book: docs/_static/card.png.

Run it when the title changes: ``python docs/_data/card.py``.
"""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
import matplotlib_fontja  # type: ignore[import-untyped]
import torch

from snn_docs import IF

DOCS = Path(__file__).parents[1]
PICTURE = DOCS / "_static" / "card.png"
WIDTH, HEIGHT, DPI = 1200, 630, 100  # Pixels: what the sites that show such pictures ask for.
PAPER, INK, SPIKE = "#ffffff", "#0b3d73", "#b5471b"  # Of docs/matplotlibrc.


def spikes() -> torch.Tensor:
    """Run 81 neurons without any connection: waves, since the inputs differ a little."""
    place = torch.linspace(-1, 1, 81)
    inputs = 0.012 + 0.03 * torch.cos(place * math.pi / 2)
    return IF(reset="subtract").run(inputs.expand(240, 81))[0]


def draw() -> None:
    """Write the picture. Nothing in it depends on the day or the machine."""
    matplotlib_fontja.japanize()
    figure = plt.figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor=PAPER)
    axes = figure.add_axes((0.05, 0.07, 0.9, 0.58))
    step, neuron = spikes().nonzero().T
    axes.scatter(step, neuron, s=16, c=SPIKE, linewidths=0)
    axes.margins(0.01)
    axes.axis("off")
    figure.text(0.05, 0.83, "スパイキングニューロンをPyTorchで動かす", color=INK, fontsize=37)
    figure.text(0.05, 0.73, "出力をすべて確かめてある、実行される本", color=INK, fontsize=23)
    figure.savefig(PICTURE, metadata={"Software": None})


if __name__ == "__main__":
    draw()
