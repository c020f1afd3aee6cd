"""NIR graphs between this package and Sinabs, whose nir knows subtraction alone."""

import pytest
import sinabs.layers
import torch
from peer_checks import DEMO_2
from sinabs import nir as theirs

from snn_docs import IF
from snn_docs.nir import RESET, from_nir, to_nir

# They exchange graphs by functions of nirtorch that it will take away.
pytestmark = pytest.mark.filterwarnings("ignore:nirtorch.* is being deprecated:DeprecationWarning")


def written(*modules, size=40):
    network = torch.nn.Sequential(*modules)
    return theirs.to_nir(network, torch.zeros(20, size))


def squeezed(layer, **options):
    return layer(batch_size=1, **options)


class TestTheirGraphs:
    def test_their_nir_subtracts(self):
        assert RESET == "subtract"

    def test_iaf(self):
        graph = written(squeezed(sinabs.layers.IAFSqueeze))
        (layer,) = from_nir(graph, dt=1.0)
        assert repr(layer) == "IF(threshold=1.0, reset='subtract')"
        assert layer.run(DEMO_2)[0].sum() == 579  # their own layer fires 772 times

    def test_weights(self):
        linear = torch.nn.Linear(3, 40)
        graph = written(linear, squeezed(sinabs.layers.IAFSqueeze), size=3)
        got, _ = from_nir(graph, dt=1.0)
        assert torch.equal(got.weight, linear.weight)
        assert torch.equal(got.bias, linear.bias)

    def test_lif_is_written_without_its_exponential(self):
        graph = written(squeezed(sinabs.layers.LIFSqueeze, tau_mem=4.0, norm_input=False))
        with pytest.raises(ValueError, match=r"adds 0.25 times its input"):
            from_nir(graph, dt=1.0)


class TestOurGraphs:
    def test_reset_to_zero_is_refused(self):
        with pytest.raises(
            ValueError, match=r"reset='zero', but nir 1.0.4 can only say 'subtract'"
        ):
            to_nir([IF()], dt=1.0, input_shape=(40,))
