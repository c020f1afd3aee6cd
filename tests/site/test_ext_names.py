"""What names in code mean, found without running it."""

from __future__ import annotations

import pytest
from book.links import names
from hypothesis import given
from hypothesis import strategies as st

IMPORTS = """\
import math
import matplotlib.pyplot as plt
import torch
from pathlib import Path
from snn_docs import IF, Heaviside, data
"""


def read(*cells: str) -> dict[str, str]:
    """The names in the last cell, and what the first guess of their documentation is."""
    sources = [IMPORTS, *cells]
    found = list(names.meanings(sources))[-1]
    return {sources[-1][span.start : span.end]: span.targets[0] for span in found}


@pytest.mark.parametrize(
    ("code", "name", "target"),
    [
        ("torch.nn.Linear(2, 3)", "torch.nn.Linear", "torch.nn.Linear"),
        ("plt.subplots()", "plt.subplots", "matplotlib.pyplot.subplots"),
        ("print(len([]))", "len", "len"),
        ("math.pi", "math.pi", "math.pi"),
        ("IF(threshold=1)", "IF", "snn_docs.IF"),
        ("IF().run", "run", "snn_docs.IF.run"),
        ("Heaviside.apply", "Heaviside.apply", "snn_docs.Heaviside.apply"),
        ("Path('x').read_text()", "read_text", "pathlib.Path.read_text"),
        ("' '.join([])", "join", "str.join"),
        ("torch.zeros(3).sum().item()", "item", "torch.Tensor.item"),
        ("torch.zeros(3).detach().abs()", "abs", "torch.Tensor.abs"),
        ("(1 - 2 * torch.ones(2))[0].exp()", "exp", "torch.Tensor.exp"),
        ("(torch.ones(2) > 0).any()", "any", "torch.Tensor.any"),
        ("x = torch.rand(2)\ny = x\ny.cumsum(0)", "cumsum", "torch.Tensor.cumsum"),
        ("data.digits().train_inputs.shape", "shape", "torch.Tensor.shape"),
        ("fig, ax = plt.subplots()\nax.plot([])", "plot", "matplotlib.axes._axes.Axes.plot"),
        ("fig, (p, q) = plt.subplots(2)\nq.set()", "set", "matplotlib.axes._axes.Axes.set"),
        ("for i, x in enumerate(torch.ones(2)):\n    x.sin()", "sin", "torch.Tensor.sin"),
        ("def f(n):\n    return torch.ones(n)\nf(2).log()", "log", "torch.Tensor.log"),
        ("plt.subplots()[1].plot([])", "plot", "matplotlib.axes._axes.Axes.plot"),
        ("x = torch.ones(2)[:1]['a']\nx.cumsum(0)", "cumsum", "torch.Tensor.cumsum"),
        ("def f(n):\n    m = n\n    return torch.ones(m)\nf(2).log()", "log", "torch.Tensor.log"),
        ("x = torch.ones(2)\nx.grad = None", "grad", "torch.Tensor.grad"),
        ("class A(torch.nn.Module):\n    pass", "torch.nn.Module", "torch.nn.Module"),
        ("%time 1\nprint(1)", "print", "print"),
        ('print("日本語", math.e)', "math.e", "math.e"),
    ],
)
def test_a_name_is_known(code, name, target):
    assert read(code)[name] == target


@pytest.mark.parametrize(
    "code",
    [
        "unknown.sum()",
        "def f(x):\n    return x.sum()",
        "x = torch.ones(2).max(0)\nx.values",  # A tensor has that too, but this is none.
        "print = 1\nprint",
        "def f():\n    pass\nf()",
        "class IF:\n    pass\nIF()",
        "run = torch.ones\nrun",
        "not torch.ones(1).nothing",
        "(not torch.ones(1)).sum()",
        "x = torch.ones(1)\nlambda x: x.sum()",
        "[x for x in torch.ones(2)]\nx.sum()",
        "x = torch.ones(1)\n[x.sum() for x in [x]]",
        "x = torch.ones(1)\nwith torch.ones(1) as x:\n    x.sum()",
        "def f(n):\n    def g():\n        return torch.ones(n)\nf(2).sum()",
        "with torch.ones(1) as x:\n    x.sum()",
        "this is no Python (",
        'f"{math.pi}"',  # Python before 3.12 does not know where that stands.
    ],
)
def test_what_is_not_certain_means_nothing(code):
    known = {"torch.ones", "torch", "max"}  # And what follows these is not.
    assert not set(read(code)) - known


def test_meanings_last_from_cell_to_cell():
    assert read("x = torch.ones(2)", "x.sum()") == {"sum": "torch.Tensor.sum"}
    assert read("x = torch.ones(2)", "x = None", "x.sum()") == {}
    assert read("def f():\n    x = torch.ones(2)", "x.sum()") == {}


def test_a_type_of_the_same_package_stands_for_a_constant():
    spans = list(names.meanings([IMPORTS, "torch.float64\nmath.pi"]))[-1]
    assert spans[0].targets == ("torch.float64", "torch.dtype")
    assert spans[2].targets == ("math.pi",)


def test_a_function_that_returns_one_thing_or_another_returns_nothing_certain():
    def function():
        """function(x) -> Tensor

        function(x, y) -> bool
        """

    assert names.documented_type(function) is None
    function.__doc__ = function.__doc__.replace("bool", "Tensor")
    assert names.documented_type(function).__name__ == "Tensor"


def test_a_name_is_also_known_nearer_than_where_it_is_made():
    assert names.aliases(__import__("torch").nn.Linear)[::3] == [
        "torch.nn.modules.linear.Linear",
        "torch.Linear",
    ]


@given(st.text("aé日\n .()=", max_size=40), st.text("日é ", max_size=5))
def test_spans_are_those_of_the_names_whatever_stands_before(junk, words):
    """Python counts bytes in lines; a page has characters."""
    code = f'"{words}"; print(math.pi, len("{words}"))'
    reader = names.Reader()
    reader.read("import math")
    reader.read(junk)
    found = [code[span.start : span.end] for span in reader.read(code)]
    assert found == ["print", "math.pi", "math", "len"]


def test_the_longest_name_comes_first_and_the_others_are_within_it():
    code = "torch.nn.Linear(len(torch.zeros(1))).weight"
    spans = list(names.meanings([IMPORTS, code]))[-1]
    assert [code[span.start : span.end] for span in spans] == [
        *("torch.nn.Linear", "torch.nn", "torch"),
        *("len", "torch.zeros", "torch", "weight"),
    ]


def test_what_has_no_annotations_that_can_be_read_has_none():
    class Unknown:
        there: Nowhere  # noqa: F821

    assert names.hints_of(Unknown) == names.hints_of(3) == {}
