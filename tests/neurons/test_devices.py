"""Whatever is given tensors on a device stays there: `meta`, which every machine has, stands in."""

import pytest
import torch
from torch_checks import SURROGATES

from snn_docs import (
    ALIF,
    IF,
    LI,
    LIF,
    PLIF,
    CubaLIF,
    Recurrent,
    Sequential,
    functional,
    network,
    surrogate,
)
from snn_docs.conversion import halfway
from snn_docs.network import Network

ELSEWHERE = torch.device("meta")
RULES = [
    {"reset": reset, "detach_reset": cut, "surrogate": spike}
    for reset in ("zero", "subtract")
    for cut in (False, True)
    for spike in (surrogate.Heaviside.apply, surrogate.ArcTan())
]


def own(x):
    return surrogate.ArcTan()(x)


STATEFUL = {
    "IF": IF(),
    "IF, a tensor as its threshold": IF(torch.ones(3)),
    "IF, a function of the reader's own": IF(surrogate=own),
    "LIF": LIF(leak=0.1),
    "LIF, that learns its leak": LIF(leak=torch.nn.Parameter(torch.full((3,), 0.1))),
    "PLIF": PLIF(),
    "ALIF": ALIF(leak=0.1, adaptation=0.2, adaptation_leak=0.3),
    "ALIF, of tensors": ALIF(leak=torch.tensor(0.1), adaptation=torch.ones(3), adaptation_leak=0.3),
    "CubaLIF": CubaLIF(leak=0.1, synapse_leak=0.2),
    "LI": LI(leak=0.1),
    "LI, of a tensor": LI(leak=torch.full((3,), 0.1)),
    "Recurrent": Recurrent(LIF(leak=0.1), torch.nn.Linear(3, 3)),
    "Sequential": Sequential(torch.nn.Linear(3, 3), LIF(leak=0.1), LI(leak=0.1)),
    **{f"LIF {rule}": LIF(leak=0.1, **rule) for rule in RULES},
    **{
        f"ALIF {rule}": ALIF(leak=0.1, adaptation=0.2, adaptation_leak=0.3, **rule)
        for rule in RULES
    },
}  # fmt: skip


def tensors(state):
    """Yield the tensors of a state, whatever it is made of."""
    if isinstance(state, torch.Tensor):
        yield state
    elif state is not None:
        for part in state:
            yield from tensors(part)


def there(*shape, **options):
    return torch.rand(*shape, device=ELSEWHERE, **options)


@pytest.mark.parametrize("layer", STATEFUL.values(), ids=STATEFUL)
class TestLayers:
    def test_all_of_time_and_its_gradient(self, layer):
        inputs = there(4, 2, 3, requires_grad=True)
        outputs, state = layer.to(ELSEWHERE).run(inputs)
        outputs, state = layer.run(inputs, state)
        outputs.sum().backward()
        found = [outputs, inputs.grad, *tensors(state)]
        assert {each.device for each in found} == {ELSEWHERE}

    def test_a_step(self, layer):
        outputs, state = layer.to(ELSEWHERE).step(there(2, 3))
        outputs, state = layer.step(there(2, 3), state)
        assert {each.device for each in (outputs, *tensors(state))} == {ELSEWHERE}

    def test_no_time_at_all(self, layer):
        outputs, state = layer.to(ELSEWHERE).run(there(0, 2, 3))
        assert {each.device for each in (outputs, *tensors(state))} == {ELSEWHERE}

    def test_the_gradient_of_a_gradient(self, layer):
        inputs = there(4, 2, 3, requires_grad=True)
        outputs, _ = layer.to(ELSEWHERE).run(inputs)
        (grad,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=True)
        assert grad.device == ELSEWHERE
        if grad.requires_grad:
            assert torch.autograd.grad(grad.sum(), inputs, allow_unused=True)[0].device == ELSEWHERE


def test_the_network_of_linear_layers():
    spikes, v = Network([3, 4, 2], lambda: LIF(leak=0.1)).to(ELSEWHERE)(there(5, 2, 3))
    assert spikes.device == v.device == ELSEWHERE


@pytest.mark.parametrize(
    "read", [network.count, network.last_potential, network.max_potential, network.mean_potential]
)
def test_what_reads_an_output(read):
    lengths = torch.ones(2, dtype=torch.int64, device=ELSEWHERE)
    assert read(there(5, 2, 3)).device == read(there(5, 2, 3), lengths).device == ELSEWHERE


@pytest.mark.parametrize(
    "spike",
    [
        surrogate.Heaviside.apply,
        *(kind() for kind in SURROGATES),
    ],
    ids=repr,
)  # fmt: skip
def test_surrogates(spike):
    x = there(3, requires_grad=True)
    spikes = spike(x)
    spikes.sum().backward()
    assert spikes.device == x.grad.device == ELSEWHERE
    if isinstance(spike, surrogate.Surrogate):
        assert spike.smooth(x).device == spike.derivative(x).device == ELSEWHERE


def test_functions():
    spikes, v = functional.record(there(4, 3), leak=0.1)
    s, _ = functional.step(v[-1], there(3), spikes[-1], leak=0.1)
    assert s.device == ELSEWHERE


def test_the_state_halfway():
    half = halfway(Sequential(torch.nn.Linear(3, 3), IF(reset="subtract")).to(ELSEWHERE))
    assert {each.device for each in tensors(half)} == {ELSEWHERE}


def test_the_description_of_a_network():
    described = Sequential(torch.nn.Linear(3, 2), LI(leak=0.1)).to(ELSEWHERE).describe(3)
    assert described.endswith("1 LI       [T, B, 2]")
