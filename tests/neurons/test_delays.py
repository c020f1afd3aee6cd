"""`Delayed`: spikes arrive when they should, and training finds out when that is."""

import pytest
import torch
from torch_checks import seeded

from snn_docs import IF, Sequential
from snn_docs.delays import Delayed
from snn_docs.fitting import fit

pytestmark = pytest.mark.usefixtures("device")


def layer(n_in=3, n_out=2, longest=8, **kwargs):
    torch.manual_seed(0)
    return Delayed(n_in, n_out, longest, **kwargs)


def spikes(*shape, seed=0):
    return (torch.rand(shape, generator=seeded(seed)) < 0.3).float()


class Counted(torch.nn.Module):
    """Delays, and all that arrives."""

    def __init__(self):
        super().__init__()
        self.late = layer()

    def forward(self, inputs):
        return self.late(inputs.transpose(0, 1)).sum(0)


def by_sums(delayed, inputs):
    """The formula of the docstring, term by term."""
    currents = delayed.bias.repeat(*inputs.shape[:2], 1)
    for t in range(len(inputs)):
        for k in range(min(t, delayed.longest) + 1):
            hill = torch.exp(-((k - delayed.delay) ** 2) / (2 * delayed.width**2))
            currents[t] += inputs[t - k] @ (delayed.weight * hill).T
    return currents


class TestCurrents:
    def test_each_spike_arrives_as_a_hill_about_its_delay(self):
        delayed, inputs = layer(width=1.7, weight=0.4), spikes(12, 4, 3)
        torch.testing.assert_close(delayed(inputs), by_sums(delayed, inputs))

    def test_narrow_and_whole_a_spike_arrives_once(self):
        delayed = layer(1, 1, weight=1.0)
        delayed.anneal(1.0, narrowest=0.05)
        inputs = torch.zeros(12, 1, 1)
        inputs[2] = 1
        late = int(delayed.delay)
        assert delayed(inputs).flatten().nonzero().tolist() == [[2 + late]]

    @pytest.mark.parametrize("cut", [1, 5, 11])
    def test_a_run_may_be_cut_and_taken_step_by_step(self, cut):
        delayed, inputs = layer(), spikes(12, 4, 3)
        whole, end = delayed.run(inputs)
        first, state = delayed.run(inputs[:cut])
        second, state = delayed.run(inputs[cut:], state)
        torch.testing.assert_close(torch.cat([first, second]), whole)
        assert state.equal(end)
        state = None
        for current, expected in zip(inputs, whole, strict=True):
            found, state = delayed.step(current, state)
            torch.testing.assert_close(found, expected)
        assert state.equal(end)

    def test_it_stands_in_a_row(self, monkeypatch):
        network, inputs = Sequential(layer(weight=0.9), IF()), spikes(12, 4, 3)
        expected, _ = network[1].run(network[0](inputs))
        assert 0 < expected.mean() < 1
        assert network(inputs).equal(expected)
        monkeypatch.setattr("snn_docs.sequential.BYTES_AT_ONCE", 1)
        assert network(inputs).equal(expected)

    def test_the_gradient_is_that_of_the_formula(self):
        delayed, inputs = layer(width=2.0).double(), spikes(12, 2, 3).double()
        names = [name for name, _ in delayed.named_parameters()]

        def run(*values):
            state = dict(zip(names, values, strict=True))
            return torch.func.functional_call(delayed, state, (inputs,))

        assert torch.autograd.gradcheck(run, [*delayed.parameters()])


class TestAnneal:
    def test_the_width_shrinks_for_six_tenths_of_the_time(self):
        delayed, widths = layer(), []
        for progress in [0.0, 0.3, 0.6, 1.0]:
            delayed.anneal(progress)
            widths.append(delayed.width.item())
        assert widths == pytest.approx([10.0, 6.0, 2.0, 2.0])

    def test_delays_stay_in_range_and_become_whole(self):
        delayed = layer(longest=8)
        with torch.no_grad():
            delayed.late += torch.tensor([[9.0, -9.0, 0.1], [0.0, 0.2, 0.3]]) / delayed.pace
        delayed.anneal(0.5)
        kept = delayed.delay.detach()
        assert kept.amax() == 8
        assert kept.amin() == 0
        assert not kept.equal(kept.round())
        assert delayed.late.requires_grad
        delayed.anneal(0.75)
        assert delayed.delay.equal(kept.round())
        assert not delayed.late.requires_grad

    def test_what_fit_keeps_may_not_be_whole_but_its_last_epoch_is(self, tmp_path):
        network = Counted()
        inputs, labels = spikes(4, 12, 3), torch.arange(4) % 2
        training, validation = [(inputs, labels)], [(inputs, 1 - labels)]  # best at first

        def narrow(records):
            network.late.anneal(len(records) / 8)

        place = inputs.device.type
        fit(network, training, validation, tmp_path, epochs=8, device=place, on_epoch=narrow)
        delay, width = network.late.delay, network.late.width
        assert not delay.equal(delay.round())
        assert width > 2
        network.load_state_dict(torch.load(tmp_path / "checkpoint.pt")["network"])
        assert network.late.delay.equal(network.late.delay.round())
        assert width == 2

    def test_a_saved_layer_keeps_its_width(self):
        trained, fresh = layer(), layer()
        trained.anneal(1.0)
        fresh.load_state_dict(trained.state_dict())
        inputs = spikes(12, 4, 3)
        assert fresh(inputs).equal(trained(inputs))
        assert repr(fresh) == "Delayed(3, 2, longest=8, width=2)"
