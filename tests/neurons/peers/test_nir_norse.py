"""NIR graphs between this package and Norse."""

import logging
import warnings

import pytest
import torch
from nir_checks import convolutional, fold, sums_for_means, through_a_file
from peer_checks import DEMO_2

from snn_docs import IF, LIF, CubaLIF
from snn_docs.nir import from_nir, to_nir

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    import norse.torch as norse

# They exchange graphs by functions of nirtorch that it will take away.
pytestmark = pytest.mark.filterwarnings("ignore:nirtorch.* is being deprecated:DeprecationWarning")


def written(*modules, dt=1.0):
    return norse.to_nir(norse.SequentialState(*modules), torch.zeros(1, 40), dt=dt)


def run_norse(graph, inputs, dt, **options):
    network, state, spikes = norse.from_nir(graph, dt=dt, **options), None, []
    for current in inputs.unsqueeze(1):
        fired, state = network(current, state)
        spikes.append(fired[0].detach())
    return torch.stack(spikes)


class TestTheirGraphs:
    def test_iaf(self):
        (layer,) = from_nir(written(norse.IAFCell()), dt=1.0)
        assert repr(layer) == "IF(threshold=1.0)"
        assert layer.run(DEMO_2)[0].sum() == 521

    def test_weights(self):
        linear = torch.nn.Linear(40, 2)
        got, layer = from_nir(written(linear, norse.IAFCell()), dt=1.0)
        assert torch.equal(got.weight, linear.weight)
        assert torch.equal(got.bias, linear.bias)
        assert isinstance(layer, IF)

    def test_an_iaf_counts_time_in_steps(self):
        with pytest.raises(ValueError, match=r"adds 0.001 times its input in a step of dt = 0.001"):
            from_nir(written(norse.IAFCell()), dt=1e-3)

    def test_lif_box_takes_a_part_of_the_input(self):
        cell = norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor(0.5)), dt=1.0)
        with pytest.raises(ValueError, match=r"adds 0.5 times its input in a step of dt = 1.0"):
            from_nir(written(cell), dt=1.0)

    def test_the_tau_of_lif_box_is_multiplied_by_dt(self):
        """They write dt / tau_mem_inv: 1e-5 seconds, where their cell has 1e-2."""
        with pytest.raises(ValueError, match=r"tau = 1.00.*e-05, but it must be .* dt = 0.001"):
            from_nir(written(norse.LIFBoxCell(), dt=1e-3), dt=1e-3)


class TestOurGraphs:
    @pytest.mark.parametrize("dt", [1.0, 1e-3])
    def test_if_is_the_same(self, dt, caplog):
        graph = to_nir([IF()], dt=dt, input_shape=(40,))
        with caplog.at_level(logging.ERROR):  # they ignore r, and say so
            spikes = run_norse(graph, DEMO_2, dt)
        assert torch.equal(spikes, IF().run(DEMO_2)[0])
        assert spikes.sum() == 521

    def test_lif_gets_a_part_of_the_input_because_they_ignore_r(self):
        layer = LIF(leak=0.25)
        graph = to_nir([layer], dt=1.0, input_shape=(40,))
        assert torch.equal(run_norse(graph, DEMO_2 / 0.25, 1.0), layer.run(DEMO_2)[0])
        assert run_norse(graph, DEMO_2, 1.0).sum() == 80
        assert layer.run(DEMO_2)[0].sum() == 499

    def test_a_reset_method_reaches_a_cuba_lif_alone(self):
        """Which is read with its resistance, too."""
        inputs = DEMO_2 + 1 / 64  # no current that meets the threshold exactly
        told = {"reset_method": norse.reset_subtract}
        rule = {"leak": 0.25, "synapse_leak": 0.5}
        graph = to_nir([CubaLIF(**rule)], dt=1.0, input_shape=(40,))
        subtracting = CubaLIF(**rule, reset="subtract").run(inputs)[0]
        assert torch.equal(run_norse(graph, inputs, 1.0, **told), subtracting)
        graph = to_nir([LIF(leak=0.25)], dt=1.0, input_shape=(40,))
        spikes = run_norse(graph, inputs / 0.25, 1.0, ignore_warnings=True, **told)
        assert torch.equal(spikes, LIF(leak=0.25).run(inputs)[0])


class TestConvolutions:
    def test_the_spikes_are_the_same_once_pools_and_resistances_are_moved(self):
        graph, inputs, spikes = convolutional(dt=1e-3)
        network = norse.from_nir(through_a_file(fold(sums_for_means(graph))), dt=1e-3)
        state, theirs = None, []
        for current in inputs:
            fired, state = network(current, state)
            theirs.append(fired.detach())
        assert torch.equal(torch.stack(theirs), spikes)

    def test_they_know_no_mean(self):
        graph, *_ = convolutional(dt=1e-3)
        with pytest.raises(KeyError, match="layer_1"):
            norse.from_nir(graph, dt=1e-3, ignore_warnings=True)
