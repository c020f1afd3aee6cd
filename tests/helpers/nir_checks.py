"""A network of convolutions for the tests against other libraries, and what they can't read."""

import copy
import tempfile

import nir
import numpy as np
import torch
from torch.nn import AvgPool2d, Conv2d, Flatten, Linear

from snn_docs import LIF, Sequential
from snn_docs.nir import RESET, to_nir


def convolutional(dt):
    """Return the graph of a network in which all layers fire, inputs of some steps, and spikes."""
    torch.manual_seed(1)
    neuron = LIF(leak=0.25, reset=RESET)
    first = Conv2d(1, 4, 3), AvgPool2d(2), neuron
    network = Sequential(
        *first, Conv2d(4, 6, 3), AvgPool2d(2), neuron, Flatten(), Linear(24, 5), neuron
    )
    inputs = 2 * torch.rand(8, 3, 1, 14, 14)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(4)
        for depth in (3, 6, 9):
            assert 0.05 < network[:depth](inputs).mean() < 0.6
        spikes = network(inputs)
    return to_nir(network, dt=dt, input_shape=(1, 14, 14)), inputs, spikes


def through_a_file(graph):
    """Write a graph and read it back."""
    with tempfile.TemporaryDirectory() as folder:
        nir.write(f"{folder}/graph.nir", graph)
        return nir.read(f"{folder}/graph.nir")


def sums_for_means(graph):
    """Put sums in the place of means, of which a peer knows nothing."""
    graph = copy.deepcopy(graph)
    for before, name in graph.edges:
        pool = graph.nodes[name]
        if isinstance(pool, nir.AvgPool2d):
            _multiply(graph.nodes[before], 1 / pool.kernel_size.prod())
            graph.nodes[name] = nir.SumPool2d(pool.kernel_size, pool.stride, pool.padding)
    return graph


def fold(graph):
    """Make all resistances 1, which a peer takes them for."""
    graph, before = copy.deepcopy(graph), None
    for _, name in graph.edges:
        node = graph.nodes[name]
        if hasattr(node, "weight"):
            before = node
        if isinstance(node, nir.LIF):
            _multiply(before, node.r.flat[0])
            node.r = node.r / node.r
    return graph


def _multiply(node, factor):
    node.weight, node.bias = (np.float32(factor) * each for each in (node.weight, node.bias))
