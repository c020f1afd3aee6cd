"""1つの推論で、どの層が何回計算し、何回発火したかを数えます。"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.modules.conv import _ConvNd

from snn_docs._checks import type_name
from snn_docs._module import Neuron, evaluating


class Cost(NamedTuple):
    """1つの層の勘定です。どの数も、すべての時刻と標本の合計です。"""

    name: str
    """層の名前。``named_modules``の名前と同じ。何か所にもある層では、それを並べたもの"""
    layer: str
    """層のクラスの名前"""
    dense: int
    """積和演算の数。入力の0も数える。重みのない層では0"""
    nonzero: int
    """積和演算のうち、入力が0でないものの数。入力が{0, 1}なら、シナプス演算の数"""
    outputs: int
    """出力の数"""
    active: int
    """出力のうち、0でないものの数。ニューロンなら、スパイクの数"""

    @property
    def rate(self) -> float:
        """出力のうち、0でないものの割合。ニューロンなら、発火率"""
        return self.active / self.outputs if self.outputs else 0.0


def count_operations(
    network: torch.nn.Module,
    inputs: Tensor,
    state: Any = None,  # noqa: ANN401 - as the network has
) -> list[Cost]:
    r"""ネットワークを1回動かし、層ごとの演算と活動を数えます。

    .. math::

        n_{\mathrm{dense}} &= \sum_i k_i \\
        n_{\mathrm{nonzero}} &= \sum_{i\,:\,x_i \ne 0} k_i

    :math:`k_i`は、入力:math:`x_i`から出る結合の数です。\
    畳み込みでは、パディングに掛ける分は数えません。\
    0の入力を飛ばせる計算機を考えるなら、ReLUのネットワークの0も飛ばせます。\
    どちらのネットワークも``nonzero``で比べるのが公平です。

    NeuroBenchの言葉では、``dense``がDense、``nonzero``がEffective MACsです\
    （入力が0と1だけの層では、Effective ACs）。\
    ただし、NeuroBenchは0の重みも飛ばします。ここでは飛ばしません。

    積和演算は、``Linear``と``Conv2d``などの畳み込みだけで数えます。\
    バイアスの足し算、プーリング、ニューロンが状態を進める計算は含めません。\
    ニューロンの計算は、発火しなくても``outputs``の回数だけ要ります。\
    層は呼ばれた順に並び、何度も呼ばれる層は足し合わせます。\
    数えるのは、層が呼ばれたときです。自分で書いたネットワークでは、``neuron.run(x)``の代わりに\
    ``neuron(x)``と書きます。呼ばれないニューロンがあれば、エラーにします。\
    1つのニューロンを何か所にも置くと、1行にまとまります。場所ごとに数えるには、場所ごとに作ります。

    勾配は計算しません。訓練中の層は、評価のときのように動かし、もとに戻します。

    :param network: ``Sequential``、``Network``、``torch.nn.Sequential``など
    :param inputs: ネットワークの入力。形はネットワークによる
    :param state: 始まる前の状態。``run``で動くネットワークに渡す。``None``なら0
    :returns: 層ごとの勘定
    :raises TypeError: ``network``が``torch.nn.Module``でないとき、\
        ``state``を渡したのに``run``を持たないとき
    :raises ValueError: 呼ばれなかったニューロンがあるとき

    >>> import torch
    >>> from snn_docs import IF, Sequential
    >>> from snn_docs.costs import count_operations
    >>> network = Sequential(torch.nn.Linear(4, 3), IF())
    >>> _ = torch.nn.init.constant_(network[0].weight, 1.0)
    >>> _ = torch.nn.init.zeros_(network[0].bias)
    >>> inputs = torch.tensor([[[1.0, 0.0, 0.0, 0.0]], [[0.0, 1.0, 1.0, 0.0]]])  # [T, B, 4]
    >>> for cost in count_operations(network, inputs):
    ...     print(cost)
    Cost(name='0', layer='Linear', dense=24, nonzero=9, outputs=6, active=6)
    Cost(name='1', layer='IF', dense=0, nonzero=0, outputs=6, active=3)

    出典: :cite:t:`horowitz2014energy`、:cite:t:`yik2025neurobench`
    """
    if not isinstance(network, torch.nn.Module):
        raise TypeError(
            f"network must be a torch.nn.Module, but a {type_name(network)} came; put layers into "
            "a snn_docs.Sequential"
        )
    # a neuron is called with its state, for hooks see what is called
    run: Any = network if isinstance(network, Neuron) else getattr(network, "run", None)
    if state is not None and run is None:
        raise TypeError(
            f"network must have a method run that takes a state, but a {type_name(network)} came; "
            "give state=None, or put its layers into a snn_docs.Sequential"
        )
    costs: dict[str, Cost] = {}
    with torch.no_grad(), evaluating(network), _watched(network, costs):
        network(inputs) if state is None else run(inputs, state)
    for layer, name in _places(network).items():
        if isinstance(layer, Neuron) and name not in costs:
            raise ValueError(
                f"the {type(layer).__name__} at {name!r} was not called, so its spikes can't be "
                "counted; write neuron(x) where neuron.run(x) or neuron.step(x) stands, and leave "
                "out what does not work"
            )
    return list(costs.values())


@contextmanager
def _watched(network: torch.nn.Module, costs: dict[str, Cost]) -> Iterator[None]:
    """Add to the costs what each layer that holds no others is given, and what it gives."""

    def add(name: str, layer: torch.nn.Module, given: tuple[Tensor], result: Any) -> None:  # noqa: ANN401
        outputs = result[0] if isinstance(result, tuple) else result
        kind, now = type(layer).__name__, (outputs.numel(), int(outputs.count_nonzero()))
        before = costs.get(name, Cost(name, kind, 0, 0, 0, 0))[2:]
        counts = (*_products(layer, given[0]), *now)
        costs[name] = Cost(name, kind, *(a + b for a, b in zip(before, counts, strict=True)))

    hooks = [
        layer.register_forward_hook(partial(add, name))
        for layer, name in _places(network).items()
        if not any(layer.children())
    ]
    try:
        yield
    finally:
        for handle in hooks:
            handle.remove()


def _places(network: torch.nn.Module) -> dict[torch.nn.Module, str]:
    """Name each layer by all the places where it stands."""
    places: dict[torch.nn.Module, list[str]] = {}
    for name, layer in network.named_modules(remove_duplicate=False):
        places.setdefault(layer, []).append(name)
    return {layer: ", ".join(names) for layer, names in places.items()}


def _products(layer: torch.nn.Module, given: Tensor) -> tuple[int, int]:
    """Return how many products a layer of weights makes, of all inputs and of those not 0."""
    if not isinstance(layer, torch.nn.Linear | _ConvNd):
        return 0, 0
    ones = copy.deepcopy(layer).to(torch.float32)
    ones.bias = None
    torch.nn.init.ones_(ones.weight)
    masks = (torch.ones_like(given), given != 0)
    forward: Callable[..., Tensor] = type(layer).forward  # past the hooks, which were copied, too
    dense, nonzero = (forward(ones, mask.float()).sum(dtype=torch.float64) for mask in masks)
    return int(dense), int(nonzero)
