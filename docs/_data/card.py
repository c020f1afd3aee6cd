"""Draw the picture that other sites show beside a link to the book: docs/_static/card.png.

Run it when the title changes: ``python docs/_data/card.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import matplotlib_fontja  # type: ignore[import-untyped]
import torch
from matplotlib.patches import Circle, Polygon, Rectangle

from snn_docs import IF, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOCS = Path(__file__).parents[1]
PICTURE = DOCS / "_static" / "card.png"
WIDTH, HEIGHT, DPI = 1200, 630, 100  # Pixels: what the sites that show such pictures ask for.
INK, SPIKE, DROP = (each["color"] for each in (plot.POTENTIAL, plot.SPIKE, plot.INPUT))
PAPER, WATER = "#ffffff", "#6d8bab"


def turned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Turn the tube as it stands while it fills, around the origin; its tail points down."""
    cosine, sine = 0.835, 0.55
    return [(x * cosine - y * sine, x * sine + y * cosine) for x, y in points]


def draw_fountain(axes: Axes, level: float) -> None:
    """Draw the bamboo, with water up to a level: the height of its mouth is 1."""
    tube = turned([(-118, 17), (100, 17), (134, -17), (-118, -17)])
    low, mouth = tube[3][1], tube[2][1]
    height = low + (mouth - low) * level
    clip = Polygon(tube, transform=axes.transData)
    water = Rectangle((-200, low), 400, height - low, color=WATER)
    axes.add_patch(water)
    water.set_clip_path(clip)
    ground = low - 24
    axes.plot([-130, 90], [ground, ground], color=INK, lw=3)
    axes.add_patch(Polygon([(-20, ground), (-5, 8), (5, 8), (20, ground)], fc=PAPER, ec=INK, lw=3))
    axes.add_patch(Polygon(tube, fill=False, ec=INK, lw=4, joinstyle="round"))
    for across in (-54, 22):
        axes.plot(*zip(*turned([(across, 17), (across, -17)]), strict=True), color=INK, lw=3)
    axes.add_patch(Circle((0, 0), 5, fc=PAPER, ec=INK, lw=3))
    axes.add_patch(Circle((98, 104), 6, color=DROP))
    axes.set(aspect="equal", xlim=(-140, 140), ylim=(ground - 4, 112))
    axes.axis("off")


def draw_trace(axes: Axes) -> None:
    """Draw the potential of one neuron, its threshold, and a stroke for each of its spikes."""
    spikes, potentials = IF().record(torch.full((20,), 0.3))
    steps, heights = [0.0], [0.0]
    pairs = zip(spikes.tolist(), potentials.tolist(), strict=True)
    for step, (spike, potential) in enumerate(pairs, 1):
        steps += [step, step] if spike else [step]
        heights += [potential, 0] if spike else [potential]
    axes.axhline(1, color="#48566b", ls=(0, (5, 4)), lw=3)
    axes.plot(steps, heights, color=INK, lw=5, solid_joinstyle="round")
    fired = spikes.nonzero()[:, 0] + 1
    axes.plot(fired, [1.5] * len(fired), "|", color=SPIKE, ms=26, mew=7)
    axes.set(xlim=(-0.5, 20.5), ylim=(-0.1, 1.75))
    axes.axis("off")


def draw() -> None:
    """Write the picture. Nothing in it depends on the day or the machine."""
    matplotlib_fontja.japanize()
    figure = plt.figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor=PAPER)
    draw_fountain(figure.add_axes((0.04, 0.07, 0.42, 0.6)), level=0.85)
    draw_trace(figure.add_axes((0.49, 0.1, 0.46, 0.52)))
    figure.text(0.05, 0.84, "スパイキングニューロンをPyTorchで動かす", color=INK, fontsize=37)
    figure.text(0.05, 0.75, "溜めて、鳴って、また空から", color=INK, fontsize=23)
    figure.savefig(PICTURE, metadata={"Software": None})


if __name__ == "__main__":
    draw()
