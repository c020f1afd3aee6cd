"""What every kernel of the book runs first: square roots and arctangents that no processor sways.

torch leaves them to MKL, and MKL, on processors that are not Intel's and under the pins of
conf.py, to approximate instructions (rsqrtps, rcpps) whose results each maker chooses for itself.
Adam takes square roots, so weights would differ from its first step on. NumPy's root is the one
that IEEE 754 defines; its arctangent is the system's, since the pins leave NumPy no other.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ROUNDED = {"sqrt": np.sqrt, "atan": np.arctan}
KEPT: list[Any] = []
"""What torch's operators are while it is alive."""


def pin(torch: ModuleType) -> None:
    """Have torch compute the operators in NumPy."""
    library = torch.library.Library("aten", "IMPL")
    KEPT.append(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is one already is the point
        for name, function in ROUNDED.items():
            own = operator(torch, function)
            for form in (name, f"{name}.out"):
                library.impl(form, own, "CPU", allow_override=True)
            library.impl(f"{name}_", lambda x, own=own: x.copy_(own(x)), "CPU", allow_override=True)


def operator(torch: ModuleType, function: np.ufunc) -> Any:  # noqa: ANN401 - torch's own types
    """Return an operator of torch that computes a function of NumPy."""

    def own(x: Any, *, out: Any = None) -> Any:  # noqa: ANN401
        values = x if x.is_floating_point() else x.to(torch.get_default_dtype())
        found = torch.from_numpy(np.asarray(function(values.detach().numpy())))
        return found if out is None else out.resize_(found.shape).copy_(found)

    return own


class Torch(MetaPathFinder):
    """Waits for torch where a page imports it later, since pages set variables before they do."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find torch as it is, and pin it once it is there."""
        del path, target
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def load_and_pin(module: ModuleType) -> None:
                load(module)
                pin(module)

            spec.loader.exec_module = load_and_pin  # type: ignore[method-assign]
        return spec


if __name__ == "book_start":  # and not where a test looks for examples
    if "torch" in sys.modules:
        pin(sys.modules["torch"])
    else:
        sys.meta_path.insert(0, Torch())
