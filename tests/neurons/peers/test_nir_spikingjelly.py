"""NIR graphs between this package and SpikingJelly."""

import pytest
import torch
from nir_checks import convolutional
from peer_checks import DEMO_2
from spikingjelly.activation_based import layer as theirs
from spikingjelly.activation_based import neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir, import_from_nir

from snn_docs import IF, LIF
from snn_docs.nir import from_nir, to_nir

steps = pytest.mark.parametrize("dt", [1.0, 1e-3, 1e-4])


def written(*modules, dt):
    return export_to_nir(torch.nn.Sequential(*modules), torch.zeros(1, 40), dt=dt)


def run_spikingjelly(graph, inputs, dt):
    network, state, spikes = import_from_nir(graph, dt=dt), None, []
    for current in inputs.unsqueeze(1):
        fired, state = network(current, state)
        spikes.append(fired[0])
    return torch.stack(spikes)


class TestTheirGraphs:
    @steps
    def test_if_node(self, dt):
        (layer,) = from_nir(written(neuron.IFNode(), dt=dt), dt=dt)
        assert repr(layer) == "IF(threshold=1.0)"
        assert layer.run(DEMO_2)[0].sum() == 521  # their own node fires 537 times

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


class TestOurGraphs:
    """They fire at exactly the threshold: with no current that meets it, all is the same."""

    @steps
    def test_if(self, dt):
        graph = to_nir([IF()], dt=dt, input_shape=(40,))
        assert run_spikingjelly(graph, DEMO_2, dt).sum() == 537
        inputs = DEMO_2 + 1 / 64
        assert torch.equal(run_spikingjelly(graph, inputs, dt), IF().run(inputs)[0])

    @steps
    def test_lif(self, dt):
        layer = LIF(leak=0.25)
        graph = to_nir([layer], dt=dt, input_shape=(40,))
        assert run_spikingjelly(graph, DEMO_2, dt).sum() == 509
        inputs = DEMO_2 + 1 / 64
        assert torch.equal(run_spikingjelly(graph, inputs, dt), layer.run(inputs)[0])


class TestConvolutions:
    def test_the_spikes_are_the_same(self):
        graph, inputs, spikes = convolutional(dt=1e-3)
        network, state, theirs = import_from_nir(graph, dt=1e-3), None, []
        for current in inputs:
            fired, state = network(current, state)
            theirs.append(fired.detach())
        assert torch.equal(torch.stack(theirs), spikes)
