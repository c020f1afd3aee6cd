"""Does a surrogate gradient point to where the loss falls, and how noisy is it?

Moves the weights of networks that have learnt nothing by a given length and counts for how many of
twenty the loss on digits falls: against the surrogate gradient, along it, in a direction drawn at
random, and against the gradient of the relaxed network, in which the spike itself is replaced by
the smooth function whose derivative the surrogate is. Then, six layers deep, by how much a steeper
surrogate enlarges each layer's gradients, before and after they are summed over samples. With
--record the figures are kept beside it. A run takes about two minutes on one quiet processor.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from harness import Row, record
from torch import Tensor
from torch.nn.functional import cross_entropy

from snn_docs import IF, data
from snn_docs.network import Network, count
from snn_docs.surrogate import ArcTan

SLOPES = (1.0, 4.0, 16.0)
LENGTHS = (0.05, 0.15, 0.5, 1.5, 5.0)
MOVED = ((2, 1), (7, 1), (7, 7))  # layers, and how many of them move
NETWORKS = 20
SAMPLES = (32, 3200)
DEPTH = 6
SPLIT = data.digits(validation=360)
IMAGES = SPLIT.train_inputs[:128].expand(8, -1, -1)
LABELS = SPLIT.train_labels[:128]


def build(layers: int, spike: Callable[[Tensor], Tensor], seed: int) -> Network:
    """Return a network whose weights the seed draws, large enough for deep layers to fire."""
    torch.manual_seed(seed)
    network = Network([64] * layers + [10], lambda: IF(surrogate=spike, detach_reset=True))
    with torch.no_grad():
        for linear in network.linears:
            linear.get_parameter("weight").mul_(12**0.5)
    return network


def loss(network: Network, weights: dict[str, Tensor]) -> Tensor:
    """Return the loss with some weights in place of the network's."""
    spikes, _ = torch.func.functional_call(network, weights, IMAGES)
    return cross_entropy(count(spikes), LABELS)


def falls(network: Network, weights: dict[str, Tensor], direction: Sequence[Tensor]) -> Tensor:
    """Tell for each length whether the loss falls that far in a direction."""
    with torch.no_grad():
        size = sum((each.square().sum() for each in direction), torch.zeros(())).sqrt()
        before, after = loss(network, weights), []
        for length in LENGTHS:
            pairs = zip(weights.items(), direction, strict=True)
            moved = {name: weight + length * each / size for (name, weight), each in pairs}
            after.append(loss(network, moved))
    return torch.stack(after) < before


def counted(layers: int, moved: int) -> Iterator[Row]:
    """Yield for how many networks the loss falls, by direction and slope."""
    found: dict[tuple[str, float], Tensor] = {}
    for seed in range(NETWORKS):
        for slope in SLOPES:
            network, relaxed = (
                build(layers, spike, seed) for spike in (ArcTan(slope), ArcTan(slope).smooth)
            )
            names = [f"linears.{i}.weight" for i in range(moved)]
            weights = {name: network.get_parameter(name) for name in names}
            twin = {name: relaxed.get_parameter(name) for name in names}
            along = torch.autograd.grad(
                loss(network, weights),  # type: ignore[arg-type]
                [*weights.values()],
            )
            smooth = torch.autograd.grad(
                loss(relaxed, twin),  # type: ignore[arg-type]
                [*twin.values()],
            )
            ways = {"against": [-each for each in along], "along": along}
            ways["relaxed"] = [-each for each in smooth]
            ways["random"] = [torch.randn_like(each) for each in along]
            for name, direction in ways.items():
                told = falls(network, weights, direction).int()  # type: ignore[arg-type]
                found[name, slope] = found.get((name, slope), torch.zeros_like(told)) + told
    for (name, slope), numbers in found.items():
        yield {
            "layers": layers, "moved": moved, "direction": name, "slope": slope,
            "lengths": LENGTHS, "falls": numbers.tolist(),
        }  # fmt: skip


def sizes(slope: float, samples: int) -> tuple[list[float], list[float]]:
    """Return how large each layer's gradients are before and after the sum over samples."""
    torch.manual_seed(0)
    make = lambda: IF(surrogate=ArcTan(slope), detach_reset=True)  # noqa: E731
    network = Network([64] * (DEPTH + 1), make).double()
    spikes, currents = torch.rand(8, samples, 64, dtype=torch.float64), []
    for linear, neuron in zip(network.linears, network.neurons, strict=True):
        torch.nn.init.uniform_(linear.get_parameter("weight"), -(12**0.5) / 8, 12**0.5 / 8)
        torch.nn.init.zeros_(linear.get_parameter("bias"))
        currents.append(linear(spikes))
        spikes, _ = neuron.run(currents[-1])  # type: ignore[operator]
    weights = [linear.get_parameter("weight") for linear in network.linears]
    gradients = torch.autograd.grad(spikes.mean(), currents + weights)
    each = [float(gradient.square().mean().sqrt() * 8 * samples) for gradient in gradients[:DEPTH]]
    return each, [float(gradient.norm()) for gradient in gradients[DEPTH:]]


def rows() -> Iterator[Row]:
    """Yield all counts, then all sizes."""
    for layers, moved in MOVED:
        yield from counted(layers, moved)
    for samples in SAMPLES:
        gentle, steep = sizes(4.0, samples), sizes(16.0, samples)
        for name, a, b in zip(("before", "after"), gentle, steep, strict=True):
            ratios = [round(y / x, 2) for x, y in zip(a, b, strict=True)]
            yield {"samples": samples, "sum": name, "ratios": ratios}


if __name__ == "__main__":
    record.run(__doc__, "surrogate_field", rows, libraries=["torch", "scikit-learn"])
