"""スパイキングニューロンのモデルです。必要なのはPyTorchだけです。"""

from __future__ import annotations

from snn_docs.adaptive import ALIF
from snn_docs.currents import CubaLIF
from snn_docs.integrator import LI
from snn_docs.neurons import IF, LIF, PLIF
from snn_docs.recurrent import Recurrent
from snn_docs.sequential import Sequential
from snn_docs.surrogate import Heaviside

__all__ = [
    "ALIF",
    "IF",
    "LI",
    "LIF",
    "PLIF",
    "CubaLIF",
    "Heaviside",
    "Recurrent",
    "Sequential",
]
__version__ = "0.1.0"
