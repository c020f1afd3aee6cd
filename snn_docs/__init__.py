"""スパイキングニューロンのモデルです。必要なのはPyTorchだけです。"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snn_docs.neurons import IF, LIF
    from snn_docs.surrogate import Heaviside

__all__ = ["IF", "LIF", "Heaviside"]
__version__ = "0.1.0"

HOMES = {"IF": "snn_docs.neurons", "LIF": "snn_docs.neurons", "Heaviside": "snn_docs.surrogate"}


def __getattr__(name: str) -> object:
    # torch is imported when a neuron is asked for, so that snn_docs.book does without it
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
