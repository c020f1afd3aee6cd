"""What kernels that are forked need to know of certain libraries; nothing else here names one.

It counts for a book whose `book_modules` names the library. The template process reads this file
by its path, without the package: it imports nothing of it.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Any

USUAL = tuple(name for name in ("torch", "matplotlib.pyplot") if find_spec(name.partition(".")[0]))
"""What books import that is slow, and that the template imports unless told otherwise."""
IMPORTED_LATE = {
    # when a figure is shown first
    "matplotlib.pyplot": (
        "matplotlib_inline.backend_inline", "matplotlib.backends.backend_agg",
        "matplotlib.backends.backend_svg", "PIL.PngImagePlugin", "PIL.BmpImagePlugin",
        "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin",
    ),
    # when torch is given a gradient, or prints a tensor: sympy, for one
    "torch": ("torch.fx.experimental.symbolic_shapes", "torch._subclasses.schema_check_mode"),
}  # fmt: skip
"""What these libraries import when it is first needed, which each kernel would wait for."""
TIED = ("matplotlib.pyplot", "matplotlib_inline.backend_inline")
"""Modules that look for the kernel's shell when they are imported, and tie themselves to it."""
INLINE = "module://matplotlib_inline.backend_inline"


def choose() -> None:
    """Set what counts when a library is imported, as an ordinary kernel has it by then."""
    os.environ.setdefault("MPLBACKEND", INLINE)


def state() -> str | None:
    """Return what an import has read that may be another in a kernel's folder: the matplotlibrc."""
    if mpl := sys.modules.get("matplotlib"):
        return str(os.path.abspath(mpl.matplotlib_fname()))
    return None


def renew(before: str | None) -> None:
    """Make of a fork what a new process would be: with seeds and settings of its own."""
    if random := sys.modules.get("numpy.random"):  # numpy imports it when it is asked for
        random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()
    if state() != before:
        _read_matplotlib_settings()


def _read_matplotlib_settings() -> None:
    """Set matplotlib up as its import does."""
    mpl: Any = sys.modules["matplotlib"]
    mpl.rcParams.update(mpl.rc_params_from_file(mpl.matplotlib_fname()))
    mpl.rcParamsOrig = mpl.rcParams.copy()
    mpl.rcParams["backend"] = os.environ.get("MPLBACKEND") or INLINE
