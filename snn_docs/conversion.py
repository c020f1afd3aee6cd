"""学習済みのReLUのネットワークを、学習し直さずに、スパイキングニューロンのネットワークに変えます。"""

import copy
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.pooling import (
    _AdaptiveAvgPoolNd,
    _AdaptiveMaxPoolNd,
    _AvgPoolNd,
    _MaxPoolNd,
)
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from snn_docs._checks import check_floating, check_integer, check_number, type_name
from snn_docs.neurons import IF, Firing
from snn_docs.sequential import NetworkState, Sequential

WEIGHTED = nn.Linear, _ConvNd
PASSED = _AvgPoolNd, _AdaptiveAvgPoolNd, nn.Flatten, nn.Unflatten, nn.Identity
"""Layers that give twice the outputs for twice the inputs, as do those of weights without bias."""
INSTEAD: dict[tuple[type[nn.Module], ...], str] = {
    (_NormBase,): "fold it into the weights before it, as "
    "torch.nn.utils.fusion.fuse_conv_bn_eval and fuse_linear_bn_eval do for layers in eval mode, "
    "and leave it out",
    (_MaxPoolNd, _AdaptiveMaxPoolNd): "the largest of some rates is not the rate of the largest "
    "spike; train with torch.nn.AvgPool2d, or with a stride of the convolution",
}
"""What to do about a layer of which spikes make nothing."""


def convert(network: nn.Sequential, inputs: Tensor, *, percentile: float = 99.9) -> Sequential:
    r"""学習済みのReLUのネットワークを、``IF``のネットワークに変えます。

    .. math::

        \theta_l &= P_q\bigl(x^{(l)}\bigr) \\
        \frac{\theta_l}{T} \sum_{t=1}^{T} s^{(l)}_t &\approx
        \min\bigl(x^{(l)}, \theta_l\bigr)

    :math:`l`番目のReLUを、閾値を引く``IF``に替えます。閾値:math:`\theta_l`は、``inputs``に対する\
    ReLUの出力:math:`x^{(l)}`の、小さいほうから:math:`q`パーセントの値です。\
    スパイク1つの値が:math:`\theta_l`になるように、次の重みに:math:`\theta_l`を掛けます。\
    バイアスは変えません。もとのネットワークも変えません。

    動かすときは、同じ入力を毎ステップ与え（``encoding.direct``）、最後の層の出力を時刻について平均します。\
    膜電位を``halfway``の状態から始めると、少ないステップで近い値になります。

    :param network: 学習済みのネットワーク。ReLUのほかに置けるのは、``Linear``、畳み込み、\
        平均プーリング、``Flatten``、``Dropout``（取り除く）と、これらの``torch.nn.Sequential``
    :param inputs: 閾値を決めるための、訓練データの一部。形と型は``network``の入力と同じで、\
        時刻の次元はない
    :param percentile: :math:`q`。0より大きく100以下。100なら最大
    :returns: ``Sequential``。入力の形は``[T, B, *]``
    :raises TypeError: ``network``が``torch.nn.Sequential``でないとき、変えられない層があるとき、\
        ``inputs``が浮動小数点数のテンソルでないとき
    :raises ValueError: ``inputs``が空のとき、層が入力を受け取れないとき、\
        閾値が正の有限な数にならないとき、ReLUのあとに重みがないとき、``percentile``が範囲の外のとき

    >>> import torch
    >>> from snn_docs import encoding
    >>> from snn_docs.conversion import convert, halfway
    >>> _ = torch.manual_seed(0)
    >>> network = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2)
    ... )
    >>> x = torch.rand(100, 4)
    >>> spiking = convert(network, x)
    >>> print(spiking.describe(4))
    inputs     [T, B, 4]
    0 Linear   [T, B, 32]
    1 IF       [T, B, 32]
    2 Linear   [T, B, 2]
    >>> for steps in (4, 64):
    ...     outputs, _ = spiking.run(encoding.direct(x, steps), halfway(spiking))
    ...     print(f"{(outputs.mean(0) - network(x)).abs().max():.2f}")
    0.12
    0.02

    出典: :cite:t:`rueckauer2017conversion`
    """
    if not isinstance(network, nn.Sequential):
        raise TypeError(
            f"network must be a torch.nn.Sequential, but a {type_name(network)} came; put its "
            "layers into one, in the order in which they work"
        )
    check_floating(inputs=inputs)
    if not inputs.numel():
        raise ValueError(
            f"inputs must hold samples, from which thresholds are taken, but {list(inputs.shape)} "
            "came; give some hundreds of the training data"
        )
    if not 0 < check_number("percentile", percentile) <= 100:  # noqa: PLR2004 - percent
        raise ValueError(
            f"percentile must be above 0, and 100 at most, but {percentile} came; give for "
            "example 99.9, or 100 for the largest activation"
        )
    with torch.no_grad():
        return Sequential(*_converted(network, inputs, percentile))


class Stairs(nn.Module):
    r"""高さを学習する上限まで、等しい段で上がる活性化関数です。段の数のステップで待つ``IF``の発火率に当たります。

    .. math::

        y = h \cdot \frac{1}{L} \left\lfloor
        L \cdot \mathrm{clip}\left(\frac{x}{h}, 0, 1\right) + \frac{1}{2} \right\rfloor

    段の数:math:`L`を``IF``のステップの数に、高さ:math:`h`を閾値にして、膜電位を半分から始めます。\
    段には傾きがないので、勾配は、段のない坂のものです（直通推定）。

    :param levels: 段の数:math:`L`。0以上の整数。0なら、段のない坂
    :raises TypeError: ``levels``が整数でないとき
    :raises ValueError: ``levels``が負のとき

    >>> import torch
    >>> from snn_docs.conversion import Stairs
    >>> Stairs(2)(torch.tensor([-1.0, 0.2, 0.3, 0.9, 5.0]))
    tensor([0.0000, 0.0000, 0.5000, 1.0000, 1.0000], grad_fn=<MulBackward0>)

    出典: :cite:t:`bu2022optimal`
    """

    def __init__(self, levels: int) -> None:
        """高さ1から始めます。"""
        super().__init__()
        check_integer(minimum=0, levels=levels)
        self.levels = levels
        self.height = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        """段の高さを返します。

        :param x: 値。浮動小数点数のテンソル。形は任意
        :returns: 段の高さ。形と型は``x``と同じ
        :raises TypeError: ``x``が浮動小数点数のテンソルでないとき
        """
        check_floating(x=x)
        ramp = (x / self.height).clamp(0, 1)
        if not self.levels:
            return self.height * ramp
        stairs = (ramp * self.levels + 0.5).floor() / self.levels
        return self.height * (ramp + (stairs - ramp).detach())

    def extra_repr(self) -> str:
        """段の数を書きます。"""
        return f"levels={self.levels}"


def halfway(network: Sequential) -> NetworkState:
    r"""どの``IF``の膜電位も閾値の半分である状態を返します。``run``や``step``に渡します。

    .. math::

        \frac{\theta}{T} \sum_{t=1}^{T} s_t = I + \frac{1}{T} \left(\frac{\theta}{2} - r_T\right)

    同じ入力:math:`I`を受け取る``IF``では、:math:`0 \le I \le \theta`なら、リセットしたあとの\
    電位:math:`r_T`は0から:math:`\theta`までです。\
    半分から始めれば、発火率の誤差は0を中心に:math:`\theta / 2T`以内に収まります。

    :param network: ``convert``が返したものなど、``IF``か``LIF``を含む``Sequential``
    :returns: 状態。``IF``と``LIF``のほかは``None``で、0から始まる
    :raises TypeError: ``network``が``Sequential``でないとき

    >>> import torch
    >>> from snn_docs import IF, Sequential
    >>> from snn_docs.conversion import halfway
    >>> network = Sequential(IF(2.0, reset="subtract"))
    >>> inputs = torch.full((4, 1, 1), 0.5)
    >>> network(inputs).flatten(), network.run(inputs, halfway(network))[0].flatten()
    (tensor([0., 0., 0., 0.]), tensor([0., 0., 1., 0.]))

    出典: :cite:t:`bu2022potential`
    """
    if not isinstance(network, Sequential):
        raise TypeError(
            f"network must be a snn_docs.Sequential, but a {type_name(network)} came; give what "
            "convert has returned"
        )
    like = next(network.parameters(), torch.empty(0))
    return tuple(_half(layer, like) for layer in network)


def _half(layer: nn.Module, like: Tensor) -> NetworkState | None:
    """Return a layer's state; its tensors broadcast to whatever comes in."""
    if isinstance(layer, Sequential):
        return halfway(layer)
    if not isinstance(layer, Firing):
        return None
    return like.new_zeros(1), like.new_zeros(1) + layer.threshold / 2


def _converted(network: nn.Sequential, x: Tensor, percentile: float) -> Iterator[nn.Module]:
    """Yield the layers, with neurons and the weights of spikes; `worth` is the value of one."""
    worth, where = 1.0, ""
    for name, layer in _flat(network):
        where = f"layer {name}, {layer},"
        if isinstance(layer, _DropoutNd):
            continue
        if isinstance(layer, nn.ReLU):
            x = x.relu()
            threshold = _threshold(where, x, percentile)
            yield IF(threshold / worth, reset="subtract")
            worth = threshold
            continue
        copied = _copy(where, layer)
        try:
            x = copied(x)
        except (IndexError, RuntimeError, ValueError) as error:
            raise ValueError(f"{where} can't take inputs of {list(x.shape)}: {error}") from error
        if isinstance(copied, WEIGHTED):
            copied.weight.mul_(worth)
            worth = 1.0
        yield copied
    if worth != 1.0:
        raise ValueError(
            f"{where} is the last, but a layer of weights must come after the last ReLU, to say "
            "what a spike is worth; end the network with the layer whose outputs are compared"
        )


def _flat(network: nn.Sequential, before: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers by name, with those of a Sequential inside in its place."""
    for name, layer in zip(network._modules, network, strict=True):  # noqa: SLF001 - a layer may come twice
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer, f"{before}{name}.")
        else:
            yield f"{before}{name}", layer


def _copy(where: str, layer: nn.Module) -> nn.Module:
    """Return a layer with weights of its own; raise TypeError where spikes can't replace values."""
    if not isinstance(layer, (*WEIGHTED, *PASSED)):
        why = (text for kinds, text in INSTEAD.items() if isinstance(layer, kinds))
        raise TypeError(
            f"{where} can't be converted: "
            + next(why, "of activations, only a ReLU's is a rate; train with torch.nn.ReLU")
        )
    copied = copy.deepcopy(layer)
    if is_parametrized(layer):
        # not remove_parametrizations, which takes the weight from the class that both share
        copied.__class__ = type_before_parametrizations(layer)
        del copied.parametrizations
        for name in layer.parametrizations:  # type: ignore[union-attr]
            setattr(copied, name, nn.Parameter(getattr(layer, name).clone()))
    return copied


def _threshold(where: str, x: Tensor, percentile: float) -> float:
    """Return the activation that a percentage does not exceed; not torch.quantile, for any size."""
    rank = math.ceil(percentile * x.numel() / 100)
    threshold = x.flatten().kthvalue(rank).values.item()
    if not 0 < threshold < math.inf:
        raise ValueError(
            f"{where} has {threshold} as its percentile {percentile} of activations, but a "
            "threshold must be positive and finite; give a higher percentile, or other inputs"
        )
    return threshold
