"""Moves freshly initialised weights by one unit in the last place, up or down.

It stands for computers that nobody here has: what one rounding changes in the outputs of a page,
another processor may. The draws are seeded, and torch's own generator is left alone.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWS = torch.Generator().manual_seed(0)
RANDOM = [
    name for name in dir(torch.nn.init)
    if name.endswith(("uniform_", "normal_")) and not name.startswith("_")
]  # fmt: skip


def moved(initialise: Callable[..., Any]) -> Callable[..., Any]:
    """Return an initialiser whose weights are one unit off."""

    @functools.wraps(initialise)
    def wrapper(tensor: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        given = initialise(tensor, *arguments, **options)
        with torch.no_grad():
            signs = torch.randint(0, 2, given.shape, generator=DRAWS).to(given) * 2 - 1
            return given.copy_(torch.nextafter(given, signs * torch.inf))

    return wrapper


if __name__ == "book_start":  # and not where a test looks for examples
    for _name in RANDOM:
        setattr(torch.nn.init, _name, moved(getattr(torch.nn.init, _name)))
