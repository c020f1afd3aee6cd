"""What the tests of tensors share: comparing bits, every dtype, layers to run, torch's warnings."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st

from snn_docs import ALIF, LI, LIF, CubaLIF, Heaviside, surrogate
from snn_docs.surrogate import ArcTan, FastSigmoid, Surrogate

GPUS = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
DEVICES = ["cpu", *(kind for kind, is_there in GPUS.items() if is_there)]

# All that the package has, so that the tests of the family hold of one that is added.
SURROGATES = [
    kind for kind in vars(surrogate).values()
    if isinstance(kind, type) and issubclass(kind, Surrogate) and kind is not Surrogate
]  # fmt: skip

FLOATING = [torch.float16, torch.bfloat16, torch.float32, torch.float64]

# A law is drawn more often where nobody waits for it.
EXAMPLES = 200 if os.environ.get("CI") else 60
reproducible = settings(deadline=None, derandomize=True, database=None, max_examples=EXAMPLES)

# What torch warns about in its own code, whatever the function: the rules of forward mode are
# TorchScript; torch.compile instantiates torch.autograd.Function and looks for .grad everywhere.
quiet_torch = pytest.mark.filterwarnings(
    "ignore:.torch.jit.script.* is (deprecated|not supported)",
    "ignore:.*Function.* should not be instantiated",
    "ignore:The .grad attribute of a Tensor that is not a leaf",
)


def assert_equal(got, expected):
    """Compare tensors, as many as there are, value for value."""
    for ours, theirs in zip(got, expected, strict=True):
        assert torch.equal(ours, theirs)


def seeded(seed=0):
    """Return a generator where the tensors of a test lie."""
    return torch.Generator(torch.get_default_device()).manual_seed(seed)


def bits(tensor):
    """Tell -0.0 from 0.0, and one NaN from another."""
    return tensor.view(torch.int32)


def from_bits(patterns):
    return torch.tensor(patterns, dtype=torch.int64).to(torch.int32).view(torch.float32)


PARTS = {LI: 1, LIF: 2, ALIF: 3, CubaLIF: 3}
"""How many tensors a state is made of."""

# The numbers that a constant of a layer is drawn from, where it is no tensor.
DRAWN = {
    LI: {"leak": [0.0, 0.125, 0.3, 1.0]},
    LIF: {"threshold": [1.0, 0.3, -0.25], "leak": [0.0, 0.125, 1.0]},
    ALIF: {
        "threshold": [0.5, 1.0],
        "leak": [0.0, 0.25, 1.0],
        "adaptation": [0.0, 0.5, -0.125],
        "adaptation_leak": [0.0, 0.1, 1.0],
    },
    CubaLIF: {
        "threshold": [0.5, 1.0],
        "leak": [0.0, 0.25, 1.0],
        "synapse_leak": [0.0, 0.25, 1.0],
    },
}


def parts(tensors):
    """Return what a run or a state is made of: one tensor, or several, or none."""
    return (tensors,) if isinstance(tensors, torch.Tensor) else tuple(tensors or ())


def stepping(layer, inputs, state=None):
    """Take one step after another: the oracle of `run`."""
    record = []
    for current in inputs:
        outputs, state = layer.step(current, state)
        assert outputs is parts(state)[0]
        record.append(parts(state))
    return tuple(torch.stack(part) for part in zip(*record, strict=True))


@st.composite
def cases(draw, kind):
    """Draw a layer, inputs and perhaps a state, with gradients for whatever is a tensor."""
    steps, shape = draw(st.integers(1, 6)), draw(st.sampled_from([(), (1,), (5,), (2, 3)]))
    generator = seeded(draw(st.integers(0, 2**31)))

    def tensor(*size):
        drawn = torch.rand(size, generator=generator, dtype=torch.float64)
        return drawn.requires_grad_()

    def constant(numbers):
        size = draw(st.sampled_from(["number", (), shape[-1:], shape]))
        if size == "number":
            return draw(st.sampled_from(numbers))
        return torch.nn.Parameter(tensor(*size).detach())

    options = {name: constant(numbers) for name, numbers in DRAWN[kind].items()}
    if kind is not LI:
        options |= {
            "reset": draw(st.sampled_from(["zero", "subtract"])),
            "detach_reset": draw(st.booleans()),
            "surrogate": draw(st.sampled_from([Heaviside.apply, ArcTan(), FastSigmoid(3.0)])),
        }
    inputs = (2 * tensor(steps, *shape) - 0.5).detach().requires_grad_()
    state = [tensor(*shape) for _ in range(PARTS[kind])]
    given = None if draw(st.booleans()) else tuple(state)
    return kind(**options), inputs, given


def fresh_memory(prepare: str, call: str, settings: dict[str, str]) -> int:
    """Return the bytes that a later call asks of the system: its page faults, in a new process.

    One thread: several would wait for each other beside other tests.
    """
    code = f"""
import resource, torch
{prepare}
faults = []
for _ in range(8):
{call}
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(sorted(b - a for a, b in zip(faults, faults[1:]))[3] * resource.getpagesize())
"""
    command, env = [sys.executable, "-c", code], os.environ | settings | {"OMP_NUM_THREADS": "1"}
    return int(subprocess.run(command, capture_output=True, check=True, env=env).stdout)
