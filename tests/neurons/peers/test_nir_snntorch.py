"""NIR graphs between this package and snnTorch."""

import pytest
import snntorch
import torch
from nir_checks import convolutional, through_a_file
from peer_checks import DEMO_2
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir

from snn_docs import IF, LIF
from snn_docs.nir import from_nir, to_nir

# They exchange graphs by functions of nirtorch that it will take away.
pytestmark = pytest.mark.filterwarnings("ignore:nirtorch.* is being deprecated:DeprecationWarning")

DT = 1e-4  # theirs, always


def written(beta, **options):
    """Write a network of theirs, which can't begin with neurons, or have one number for all."""
    neurons = snntorch.Leaky(
        beta=torch.full((40,), beta), threshold=torch.ones(40), init_hidden=True, **options
    )
    network = torch.nn.Sequential(torch.nn.Linear(3, 40), neurons)
    return network, export_to_nir(network, torch.zeros(1, 3), ignore_dims=[0])


def run_snntorch(graph, inputs):
    network, state, spikes = import_from_nir(graph), None, []
    for current in inputs.unsqueeze(1):
        fired, state = network(current, state)
        spikes.append(fired[0] if isinstance(fired, tuple) else fired)
    return torch.stack(spikes).squeeze(1)


class TestTheirGraphs:
    @pytest.mark.parametrize("beta", [0.9, 0.5, 0.0])
    def test_leaky(self, beta):
        network, graph = written(beta, reset_mechanism="zero")
        linear, layer = from_nir(graph, dt=DT)
        assert torch.equal(linear.weight, network[0].weight)
        assert torch.equal(linear.bias, network[0].bias)
        neurons = network[1]
        theirs = torch.stack([neurons(current.clone()) for current in DEMO_2])
        assert torch.equal(layer.run(DEMO_2)[0], theirs)

    def test_a_reset_by_subtraction_is_not_in_the_graph(self):
        subtracting, zeroing = (
            from_nir(written(0.9, reset_mechanism=reset)[1], dt=DT)[1]
            for reset in ("subtract", "zero")
        )
        assert repr(subtracting) == repr(zeroing)

    @pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # theirs, for tau
    def test_without_a_leak_tau_is_infinite(self):
        _, graph = written(1.0)
        with pytest.raises(ValueError, match=r"tau = inf, but it must be finite"):
            from_nir(graph, dt=DT)

    def test_the_dt_must_be_theirs(self):
        with pytest.raises(ValueError, match=r"not shorter than dt = 1.0"):
            from_nir(written(0.9)[1], dt=1.0)


class TestOurGraphs:
    def test_if_gets_a_leak_and_subtracts(self):
        spikes = run_snntorch(to_nir([IF()], dt=1.0, input_shape=(40,)), DEMO_2)
        assert spikes.sum() == 565
        assert IF().run(DEMO_2)[0].sum() == 521

    @pytest.mark.parametrize("leak", [0.1, 0.25, 0.5])
    def test_lif_is_the_same(self, leak):
        layer = LIF(leak=leak)
        spikes = run_snntorch(to_nir([layer], dt=DT, input_shape=(40,)), DEMO_2)
        assert torch.equal(spikes, layer.run(DEMO_2.double())[0])


class TestConvolutions:
    def test_the_spikes_are_the_same(self):
        graph, inputs, spikes = convolutional(dt=DT)
        network, state, theirs = import_from_nir(through_a_file(graph)), None, []
        for current in inputs:
            fired, state = network(current, state)
            theirs.append(fired.detach())
        assert torch.equal(torch.stack(theirs).to(spikes.dtype), spikes)

    def test_dimensions_counted_from_the_first_flatten_the_batch(self):
        graph, inputs, _ = convolutional(dt=DT)
        graph.nodes["layer_6"].start_dim = 0
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            import_from_nir(graph)(inputs[0], None)
