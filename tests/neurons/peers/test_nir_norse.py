"""NIR graphs between this package and Norse."""

import warnings

import pytest
import torch

from snn_docs import IF
from snn_docs.nir import from_nir

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    import norse.torch as norse

# They exchange graphs by functions of nirtorch that it will take away.
pytestmark = pytest.mark.filterwarnings("ignore:nirtorch.* is being deprecated:DeprecationWarning")


def written(*modules, dt=1.0):
    return norse.to_nir(norse.SequentialState(*modules), torch.zeros(1, 40), dt=dt)


class TestTheirGraphs:
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
