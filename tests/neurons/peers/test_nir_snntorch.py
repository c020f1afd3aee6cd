"""NIR graphs between this package and snnTorch."""

import pytest
import snntorch
import torch
from peer_checks import DEMO_2
from snntorch.export_nir import export_to_nir

from snn_docs.nir import from_nir

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
