"""Lets a book check its matplotlib figures: ``book_start = open("figures.py").read()``.

Beside its picture, each figure then puts out a text: what is drawn, how many numbers it has, from
where to where they go, and a sum with fixed weights that any one which moves changes. It knows
nothing of fonts and pixels, and rounds, so that processors and versions of matplotlib agree on it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from IPython.core.formatters import BaseFormatter
from IPython.core.getipython import get_ipython
from traitlets import ObjectName, Unicode

if TYPE_CHECKING:
    from collections.abc import Iterable


def numbers(*arrays: Any) -> str:  # noqa: ANN401
    """Say how many numbers there are, from where to where they go, and their weighted sum."""
    found = [float(value) for array in arrays for value in getattr(array, "flat", array)]
    kept = [(place, value) for place, value in enumerate(found) if math.isfinite(value)]
    low, high = (f(value for _, value in kept) if kept else 0.0 for f in (min, max))
    size = (high - low) * math.sqrt(len(found)) or 1
    weighed = sum(math.cos(1 + place * place) * (value - low) for place, value in kept) / size
    return f"{len(kept)} from {low:.4g} to {high:.4g}, {weighed + 0.0:.3f}"


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
            x, y = (numbers(values) for values in (artist.get_xdata(), artist.get_ydata()))
            return f"line {colours([artist.get_color()])} {style}: x {x}; y {y}"
        case image.AxesImage():
            place = numbers(artist.get_extent())
            pixels, ends = numbers(artist.get_array()), numbers(artist.get_clim())
            return f"image {artist.get_cmap().name}: {pixels}; in {place}; colours {ends}"
        case collections.Collection():
            shades = colours([*artist.get_facecolor(), *artist.get_edgecolor()])
            paths = numbers(*(path.vertices for path in artist.get_paths()))
            places, sizes = numbers(artist.get_offsets()), numbers(artist.get_linewidth())
            return f"points {shades}: {places}; shape {paths}; width {sizes}"
        case patches.Patch():
            outline = artist.get_patch_transform().transform(artist.get_path().vertices)
            return f"patch {colours([artist.get_facecolor()])}: {numbers(outline)}"
        case text.Text() if artist.get_text():
            return f"text {artist.get_text()!r} at {numbers(artist.get_position())}"
    return ""


def described(figure: Any) -> str:  # noqa: ANN401
    """Describe a figure: its axes, and what is drawn in each."""
    told = [repr(figure.get_suptitle())] if figure.get_suptitle() else []
    for axes in figure.axes:
        labels = axes.get_title(), axes.get_xlabel(), axes.get_ylabel()
        limits = f"x {numbers(axes.get_xlim())}; y {numbers(axes.get_ylim())}"
        told.append(f"axes {labels} {axes.get_xscale()} {axes.get_yscale()}: {limits}")
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
        is_figure = (type(obj).__module__, type(obj).__name__) == ("matplotlib.figure", "Figure")
        return described(obj) if is_figure else None


if (shell := get_ipython()) and (display := shell.display_formatter):
    display.formatters[Seen.format_type.default_value] = Seen(parent=display)
