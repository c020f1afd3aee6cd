"""NIR graphs between this package and Sinabs, whose nir knows subtraction alone."""

import math

import nir
import numpy as np
import pytest
import sinabs.layers
import torch
from nir_checks import convolutional, sums_for_means, through_a_file
from peer_checks import DEMO_2
from sinabs import nir as theirs
from sinabs.activation import MembraneSubtract, SingleSpike

from snn_docs import IF, LIF
from snn_docs.nir import RESET, from_nir, to_nir

# They exchange graphs by functions of nirtorch that it will take away.
pytestmark = pytest.mark.filterwarnings("ignore:nirtorch.* is being deprecated:DeprecationWarning")


def written(*modules, size=40):
    network = torch.nn.Sequential(*modules)
    return theirs.to_nir(network, torch.zeros(20, size))


def run_sinabs(graph, inputs):
    spikes, _ = theirs.from_nir(graph, batch_size=1)(inputs)
    return spikes.float().detach()


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
    def test_if_fires_several_times_in_a_step(self):
        """A number is a float64 in the graph, and they compute in its dtype.

        Their importer also clips the potential at minus the threshold, which rounds it once more.
        """
        for threshold, count in [(1.0, 771), (torch.ones(40), 768)]:
            graph = to_nir([IF(threshold, reset="subtract")], dt=1.0, input_shape=(40,))
            assert run_sinabs(graph, DEMO_2).sum() == count
        inputs = DEMO_2 / 4 + 1 / 64  # no current that meets the threshold exactly, or twice
        assert torch.equal(run_sinabs(graph, inputs), IF(reset="subtract").run(inputs)[0])

    def test_reset_to_zero_is_refused(self):
        with pytest.raises(
            ValueError, match=r"reset='zero', but nir 1.0.4 can only say 'subtract'"
        ):
            to_nir([IF()], dt=1.0, input_shape=(40,))

    def test_lif_gets_an_exponential_leak(self):
        layer = LIF(leak=0.25, reset="subtract")
        graph = to_nir([layer], dt=1.0, input_shape=(1,))
        network = theirs.from_nir(graph, batch_size=1)
        inputs = torch.tensor([[0.5], [0.0]])
        network(inputs)
        v = network.get_submodule("layer_0").v_mem.item()
        assert v == pytest.approx(0.5 * math.exp(-0.25))
        assert layer.record(inputs)[1][-1].item() == 0.5 * 0.75


class TestConvolutions:
    def test_the_spikes_are_the_same_once_all_rules_are(self):
        graph, inputs, spikes = convolutional(dt=1.0)
        graph = sums_for_means(graph)
        neurons = [name for name, node in graph.nodes.items() if isinstance(node, nir.LIF)]
        for name in neurons:
            graph.nodes[name].tau = -1 / np.log1p(-1 / graph.nodes[name].tau)
        graph = through_a_file(graph)
        for name in neurons:
            graph.nodes[name].v_leak = np.zeros(1)  # what no file holds
        network = theirs.from_nir(graph, batch_size=3)
        for layer in network.modules():
            if isinstance(layer, sinabs.layers.LIFSqueeze):
                layer.spike_fn, layer.reset_fn = SingleSpike, MembraneSubtract(1.0)
        fired = network(inputs.transpose(0, 1).flatten(0, 1))[0].detach()
        assert torch.equal(fired.unflatten(0, (3, 8)).transpose(0, 1), spikes)

    def test_they_take_one_potential_at_rest(self):
        graph, *_ = convolutional(dt=1.0)
        with pytest.raises(ValueError, match="more than one element is ambiguous"):
            theirs.from_nir(sums_for_means(graph), batch_size=3)
