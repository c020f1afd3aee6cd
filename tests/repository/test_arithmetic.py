"""The book's arithmetic: pinned, the same on every x86-64 processor; perturbed, one unit off."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from bookproof.settings import find_settings

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "arithmetic"
START = ROOT / "docs" / "_data" / "start"
RECORD = json.loads((HERE / "x86_64.json").read_text(encoding="utf-8"))


def run(*arguments: str) -> str:
    """Run Python with the book's variables and return what it prints."""
    environment = os.environ | dict(find_settings(ROOT / "docs" / "index.md").environment)
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def operations() -> dict[str, str]:
    """What this processor computes."""
    return json.loads(run(str(HERE / "operations.py"), str(START / "pinned.py")))


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="another instruction set")
@pytest.mark.parametrize("name", [name for name in RECORD if name not in {"torch", "numpy"}])
def test_an_operation_has_the_bytes_that_it_has_on_other_processors(operations, name):
    if any(operations[library] != RECORD[library] for library in ("torch", "numpy")):
        pytest.skip(f"the bytes of record are of torch {RECORD['torch']}, numpy {RECORD['numpy']}")
    assert operations[name] == RECORD[name]


PINNED = f"exec(open({str(START / 'pinned.py')!r}).read(), {{'__name__': 'book_start'}})\n"
ROOTS = """
import numpy as np
x = torch.arange(1, 20001) * 0.37
for dtype in (torch.float32, torch.float64):
    y = x.to(dtype)
    exact = torch.from_numpy(np.sqrt(y.numpy()))
    found = [y.sqrt(), y.clone().sqrt_(), torch.sqrt(y, out=torch.empty(3, dtype=dtype))]
    found += [y.view(100, 200).T.sqrt().T.reshape(-1), torch.stack([each.sqrt() for each in y])]
    print([int((each != exact).sum()) for each in found], found[0].dtype)
whole = torch.tensor([4, 9]).sqrt()
leaf = torch.tensor([4.0, 16.0], requires_grad=True)
leaf.sqrt().sum().backward()
print(whole.tolist(), whole.dtype, leaf.grad.tolist(), torch.tensor(2.0).sqrt().shape)
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_pinned_root_is_the_nearest_number_whenever_torch_is_imported(order):
    head = f"import torch\n{PINNED}" if order == "before" else f"{PINNED}import torch\n"
    assert run("-c", head + ROOTS).splitlines() == [
        "[0, 0, 0, 0, 0] torch.float32",
        "[0, 0, 0, 0, 0] torch.float64",
        "[2.0, 3.0] torch.float32 [0.25, 0.125] torch.Size([])",
    ]


def test_perturbed_weights_are_one_unit_off_and_the_draws_after_them_are_the_same():
    code = f"""
import torch
def drawn():
    torch.manual_seed(1)
    linear, convolution = torch.nn.Linear(7, 5), torch.nn.Conv2d(1, 2, 3)
    return [linear.weight.detach(), convolution.bias.detach(), torch.rand(3)]
plain = drawn()
exec(open({str(START / "perturbed.py")!r}).read(), {{"__name__": "book_start"}})
moved, again = drawn(), drawn()
for a, b, c in zip(plain, moved, again):
    up, down = (torch.nextafter(a, torch.tensor(s)) for s in (torch.inf, -torch.inf))
    print(bool(((b == up) | (b == down)).all()), bool((b == up).any()), bool((b == c).all()))
"""
    weights, biases, draws = run("-c", code).splitlines()
    assert weights.startswith("True True")
    assert biases.startswith("True")
    assert draws == "False False True"
