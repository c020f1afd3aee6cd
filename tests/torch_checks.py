"""What the tests of tensors share: comparing bits, every dtype, torch's own warnings."""

import pytest
import torch
from hypothesis import settings

FLOATING = [torch.float16, torch.bfloat16, torch.float32, torch.float64]

reproducible = settings(deadline=None, derandomize=True, database=None, max_examples=200)

# What torch warns about in its own code, whatever the function: the rules of forward mode are
# TorchScript; torch.compile instantiates torch.autograd.Function and looks for .grad everywhere.
quiet_torch = pytest.mark.filterwarnings(
    "ignore:.torch.jit.script.* is (deprecated|not supported)",
    "ignore:.*Function.* should not be instantiated",
    "ignore:The .grad attribute of a Tensor that is not a leaf",
)


def bits(tensor):
    """Tell -0.0 from 0.0, and one NaN from another."""
    return tensor.view(torch.int32)


def from_bits(patterns):
    return torch.tensor(patterns, dtype=torch.int64).to(torch.int32).view(torch.float32)
