"""`count_operations` tells what NeuroBench's metrics tell, which skip weights of 0 as well."""

import pytest
import torch
from neurobench.metrics import workload
from neurobench.models import TorchModel
from torch import nn
from torch_checks import seeded

from snn_docs import ALIF, IF, LIF, Sequential
from snn_docs.costs import count_operations
from snn_docs.network import Network

NEURONS = (ALIF, IF, LIF)
SAMPLES = 4  # of each input


def sparse(*shape):
    """Numbers of which half are 0."""
    drawn = torch.rand(shape, generator=seeded())
    return drawn * (drawn > 0.5)


def adaptive():
    """A neuron whose threshold rises."""
    return ALIF(leak=0.1, adaptation=0.5, adaptation_leak=0.1)


def convolutional():
    """Layers whose inputs are numbers at first, then spikes, and then the means of a pool."""
    first, second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3, stride=2)
    last = [nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 3)]
    return Sequential(first, LIF(leak=0.1), second, LIF(leak=0.1), *last)


NETWORKS = {
    "spikes": (lambda: Network([8, 20, 10], lambda: LIF(leak=0.1)), (6, SAMPLES, 8)),
    "adaptive": (
        lambda: Sequential(nn.Linear(8, 20), adaptive(), nn.Linear(20, 5)),
        (6, SAMPLES, 8),
    ),
    "convolutions": (convolutional, (6, SAMPLES, 1, 8, 8)),
    "ReLU": (lambda: nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 5)), (SAMPLES, 8)),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    """A network, and inputs for it."""
    make, shape = NETWORKS[request.param]
    torch.manual_seed(0)
    return make(), 4 * sparse(*shape)


def told(network, inputs):
    """What NeuroBench tells of a network; of a neuron's spikes and state, it sees the spikes."""
    model = TorchModel(network)
    model.activation_modules += NEURONS
    model.register_hooks()
    with torch.no_grad():
        model(inputs)
    for hook in model.activation_hooks:
        outputs = hook.activation_outputs
        hook.activation_outputs = [each[0] if isinstance(each, tuple) else each for each in outputs]
    data = torch.empty(SAMPLES), None
    operations = workload.SynapticOperations()(model, None, data)
    zeros = workload.ActivationSparsity()(model, None, data)
    model.cleanup_hooks()
    return operations, zeros


def test_dense_and_effective_operations(network):
    operations, _ = told(*network)
    costs = count_operations(*network)
    assert operations["Dense"] == sum(cost.dense for cost in costs) / SAMPLES
    effective = operations["Effective_MACs"] + operations["Effective_ACs"]
    assert effective == sum(cost.nonzero for cost in costs) / SAMPLES < operations["Dense"]


def test_zeros_among_what_neurons_give(network):
    _, zeros = told(*network)
    kinds = {neuron.__name__ for neuron in NEURONS} | {"ReLU"}
    neurons = [cost for cost in count_operations(*network) if cost.layer in kinds]
    silent = sum(cost.outputs - cost.active for cost in neurons)
    assert zeros == silent / sum(cost.outputs for cost in neurons)
    assert 0 < zeros < 1


def test_additions_are_those_of_layers_whose_inputs_are_spikes():
    torch.manual_seed(0)
    network, inputs = convolutional(), 4 * sparse(6, SAMPLES, 1, 8, 8)
    operations, _ = told(network, inputs)
    first, _, second, _, _, _, last = count_operations(network, inputs)
    assert operations["Effective_ACs"] == second.nonzero / SAMPLES > 0
    assert operations["Effective_MACs"] == (first.nonzero + last.nonzero) / SAMPLES
