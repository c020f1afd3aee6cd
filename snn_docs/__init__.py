"""スパイキングニューロンのモデルです。必要なのはPyTorchだけです。"""

from snn_docs.neurons import IF
from snn_docs.surrogate import Heaviside

__all__ = ["IF", "Heaviside"]
__version__ = "0.1.0"
