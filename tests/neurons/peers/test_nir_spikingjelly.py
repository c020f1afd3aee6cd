"""NIR graphs between this package and SpikingJelly."""

import pytest
import torch
from spikingjelly.activation_based import layer as theirs
from spikingjelly.activation_based import neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir

from snn_docs.nir import from_nir

steps = pytest.mark.parametrize("dt", [1.0, 1e-3, 1e-4])


def written(*modules, dt):
    return export_to_nir(torch.nn.Sequential(*modules), torch.zeros(1, 40), dt=dt)


class TestTheirGraphs:
    @steps
    def test_lif_node_and_weights(self, dt):
        linear, node = theirs.Linear(40, 2), neuron.LIFNode(tau=4.0, decay_input=False)
        got, layer = from_nir(written(linear, node, dt=dt), dt=dt)
        assert torch.equal(got.weight, linear.weight)
        assert torch.equal(got.bias, linear.bias)
        assert repr(layer) == "LIF(leak=0.25, threshold=1.0)"

    def test_a_decaying_input_is_refused(self):
        graph = written(neuron.LIFNode(tau=4.0), dt=1.0)
        with pytest.raises(ValueError, match=r"adds 0.25 times its input"):
            from_nir(graph, dt=1.0)

    def test_they_refuse_to_write_a_subtraction(self):
        with pytest.raises(NotImplementedError):
            written(neuron.IFNode(v_reset=None), dt=1.0)
