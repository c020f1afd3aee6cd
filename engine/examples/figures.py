"""Lets a book check its matplotlib figures: ``book_start = open("figures.py").read()``.

Beside its picture, each figure then puts out a text: what is drawn, how many numbers it has, from
where to where they go, and a sum with fixed weights that any one which moves changes. It knows
nothing of fonts and pixels, and rounds, so that processors and versions of matplotlib agree on it.
It runs as each kernel begins, and loads matplotlib where something was drawn alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from IPython.core.formatters import BaseFormatter
from IPython.core.getipython import get_ipython
from traitlets import ObjectName, Unicode

if TYPE_CHECKING:
    from collections.abc import Iterable

FAILED = "the reader of figures failed: "
"""How a text begins that is an error, and so is never expected."""
NOISE, LEAST, OFF = 1e-9, 1e-14, 3e-8
"""The share of a number, and the amount, that is noise; what moves numbers off an edge."""


def numbers(*arrays: Any) -> str:  # noqa: ANN401
    """Say how many numbers there are, from where to where they go, and their weighted sum.

    Whole and short numbers are moved off the edges of rounding, and noise about zero is none.
    """
    found = [float(value) for array in arrays for value in getattr(array, "flat", array)]
    kept = [(place, value) for place, value in enumerate(found) if math.isfinite(value)]
    low, high = (f(value for _, value in kept) if kept else 0.0 for f in (min, max))
    least = max(NOISE * max(abs(low), abs(high)), LEAST)
    ends = [0.0 if abs(end) < least else end * (1 + OFF) for end in (low, high)]
    size = (high - low) * math.sqrt(len(found)) if high - low > least else math.inf
    weighed = sum(math.cos(1 + place * place) * (value - low) for place, value in kept) / size
    return f"{len(kept)} from {ends[0]:.6g} to {ends[1]:.6g}, {weighed + OFF:.3f}"


def places(*arrays: Any) -> str:  # noqa: ANN401
    """Say the same of points, for each of their axes."""
    axes = zip(*(point for array in arrays for point in array), strict=True)
    return "; ".join(f"{name} {numbers(axis)}" for name, axis in zip("xyz", axes, strict=False))


def colours(found: Iterable[Any]) -> str:
    """Name colours, each once."""
    from matplotlib.colors import to_hex  # noqa: PLC0415

    return " ".join(dict.fromkeys(f"rgb{to_hex(one, keep_alpha=True)[1:]}" for one in found))


def drawn(artist: Any) -> str:  # noqa: ANN401
    """Describe what was drawn; nothing of what is no data."""
    from matplotlib import collections, image, lines, patches, text  # noqa: PLC0415

    match artist:
        case lines.Line2D():
            style = f"{artist.get_linestyle()} {artist.get_marker()} {artist.get_linewidth():.2g}"
            flat = artist.get_xdata(orig=False), artist.get_ydata(orig=False)  # dates are numbers
            data = artist.get_data_3d() if hasattr(artist, "get_data_3d") else flat
            return (
                f"line {colours([artist.get_color()])} {style}: {places(zip(*data, strict=True))}"
            )
        case image.AxesImage():
            extent = numbers(artist.get_extent())
            return f"image {mapped(artist)}; in {extent}"
        case collections.Collection():
            bare = artist.get_array() is None
            edges = [*artist.get_facecolor(), *artist.get_edgecolor()]
            shades = colours(edges) if bare else mapped(artist)
            solid = getattr(artist, "_offsets3d", None)  # matplotlib has no public name for it
            at = zip(*solid, strict=True) if solid else artist.get_offsets()
            shapes = places(*(path.vertices for path in artist.get_paths()))
            widths = numbers(artist.get_linewidth())
            return f"points {shades}: {places(at)}; shape {shapes}; width {widths}"
        case patches.Patch():
            outline = artist.get_patch_transform().transform(artist.get_path().vertices)
            return f"patch {colours([artist.get_facecolor()])}: {places(outline)}"
        case text.Text() if artist.get_text():
            return f"text {artist.get_text()!r} at {places([artist.get_unitless_position()])}"
    return ""


def mapped(artist: Any) -> str:  # noqa: ANN401
    """Describe numbers that are shown as colours."""
    shades, ends = numbers(artist.get_array()), numbers(artist.get_clim())
    return f"{artist.get_cmap().name}: {shades}; colours {ends}"


def scaled(axis: Any) -> str:  # noqa: ANN401
    """Describe one axis; of limits that follow from what is drawn, it says nothing."""
    limits = "" if axis._get_autoscale_on() else f": {numbers(axis.get_view_interval())}"  # noqa: SLF001
    texts = getattr(axis.get_units(), "_mapping", None)  # the texts that stand for 0, 1, 2
    return f"{axis.get_label_text()!r} {list(texts) if texts else axis.get_scale()}{limits}"


def described(figure: Any) -> str:  # noqa: ANN401
    """Describe a figure: its axes, and what is drawn in each."""
    told = [repr(figure.get_suptitle())] if figure.get_suptitle() else []
    for axes in figure.axes:
        ways = "; ".join(f"{name} {scaled(axis)}" for name, axis in axes._axis_map.items())  # noqa: SLF001
        told.append(f"axes {axes.get_title()!r}: {ways}")
        told += filter(None, map(drawn, [*axes.lines, *axes.images, *axes.collections,
                                         *axes.patches, *axes.texts]))  # fmt: skip
        legend = axes.get_legend()
        told += [f"legend {[text.get_text() for text in legend.get_texts()]}"] if legend else []
    return "\n".join(told)


class Seen(BaseFormatter):
    """Gives figures their texts. It has no list of types: matplotlib strikes its own off."""

    format_type = Unicode("text/vnd.bookproof.figure")
    print_method = ObjectName("_repr_bookproof_figure_")

    def __call__(self, obj: object) -> str | None:
        """Return the text of a figure, and nothing of what is none."""
        if (type(obj).__module__, type(obj).__name__) != ("matplotlib.figure", "Figure"):
            return None
        try:
            return described(obj)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is nothing to expect)
            return f"{FAILED}{type(error).__name__}: {error}"


if (shell := get_ipython()) and (display := shell.display_formatter):
    display.formatters[Seen.format_type.default_value] = Seen(parent=display)
