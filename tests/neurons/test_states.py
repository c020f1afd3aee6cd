"""States are read by name: whatever torch does with a tuple of tensors leaves the names."""

import copy
import io
import pickle

import pytest
import torch
from torch.utils import _pytree as pytree
from torch_checks import quiet_torch

from snn_docs import ALIF, IF, LI, LIF, PLIF, CubaLIF, Recurrent, Sequential

NAMED = [
    (IF(), ("spikes", "v")),
    (LIF(leak=0.1), ("spikes", "v")),
    (PLIF(), ("spikes", "v")),
    (ALIF(leak=0.1, adaptation=0.2, adaptation_leak=0.3), ("spikes", "v", "a")),
    (CubaLIF(leak=0.1, synapse_leak=0.2), ("spikes", "v", "i")),
    (LI(0.1), ("v",)),
]
each_neuron = pytest.mark.parametrize(
    ("neuron", "names"), NAMED, ids=[type(neuron).__name__ for neuron, _ in NAMED]
)
INPUTS = torch.rand(4, 2, 3, generator=torch.Generator().manual_seed(0))


def loaded(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)  # weights only, torch's default


@each_neuron
class TestNames:
    def test_a_step_a_run_and_no_time_return_the_same_kind(self, neuron, names):
        empty, given = INPUTS[:0], tuple(torch.zeros(2, 3) for _ in names)
        states = [
            neuron.step(INPUTS[0])[1], neuron.run(INPUTS)[1],
            neuron.run(empty)[1], neuron.run(empty, given)[1],
        ]  # fmt: skip
        assert {each._fields for each in states} == {names}
        assert len({type(each) for each in states}) == 1

    @pytest.mark.parametrize(
        "through",
        [
            copy.deepcopy,
            lambda state: pickle.loads(pickle.dumps(state)),
            loaded,
            lambda state: pytree.tree_map(torch.clone, state),
        ],
        ids=["copied", "pickled", "saved", "mapped"],
    )
    def test_names_stay(self, neuron, names, through):  # noqa: ARG002 - of the class
        _, state = neuron.run(INPUTS)
        state = type(state)(*(part.detach() for part in state))
        after = through(state)
        assert type(after) is type(state)
        assert all(map(torch.equal, after, state))


def test_a_network_holds_one_for_each_layer():
    network = Sequential(
        torch.nn.Linear(3, 3), LIF(leak=0.1), Recurrent(IF(), torch.nn.Linear(3, 3)), LI(0.1)
    )
    outputs, state = network.run(INPUTS)
    assert state[0] is None
    assert torch.equal(state[2].outputs, state[2].neuron.spikes)
    assert torch.equal(state[3].v, outputs[-1])


def test_a_recurrent_layer_names_what_it_was_given_where_there_is_no_time():
    layer = Recurrent(IF(), torch.nn.Linear(3, 3))
    _, state = layer.run(INPUTS)
    assert torch.equal(layer.run(INPUTS[:0], tuple(state))[1].neuron.v, state.neuron.v)


@quiet_torch
def test_names_are_there_in_a_compiled_step(fullgraph):
    layer = ALIF(leak=0.1, adaptation=0.2, adaptation_leak=0.3)

    def rise(x):
        _, state = layer.step(x)
        _, state = layer.step(x, state)
        return state.v, state.a

    got, expected = fullgraph(rise)(INPUTS[0]), rise(INPUTS[0])
    assert all(map(torch.equal, got, expected))
