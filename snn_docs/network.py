"""スパイキングニューロンの層を重ねたネットワークと、その出力を読む関数です。"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from snn_docs._checks import check_floating, check_integer, type_name
from snn_docs.neurons import IF


class Network(torch.nn.Module):
    r"""全結合層とニューロンの層を、交互に重ねたネットワークです。

    .. math::

        I^{(l)}_t = W^{(l)} s^{(l-1)}_t + b^{(l)}

    :math:`l`番目の層のニューロンは、前の層のスパイク:math:`s^{(l-1)}_t`の重み付きの和を、\
    入力電流:math:`I^{(l)}_t`として受け取ります。:math:`s^{(0)}_t`はネットワークの入力です。\
    重みとバイアスの初期値は、``torch.nn.Linear``が大域の乱数生成器で決めます。

    :param sizes: 各層のニューロンの数。入力の数で始め、出力の数で終わる。1以上の整数を2つ以上
    :param neuron: ニューロンの層を1つ作る関数。層ごとに1回ずつ呼ぶ
    :raises TypeError: ``sizes``に整数でないものがあるとき、\
        ``neuron``が``IF``や``LIF``を返さないとき
    :raises ValueError: ``sizes``が2つに満たないとき、1未満の数を含むとき

    >>> from snn_docs.network import Network
    >>> from snn_docs.neurons import LIF
    >>> Network([64, 128, 10], lambda: LIF(leak=0.1))
    Network(
      (linears): ModuleList(
        (0): Linear(in_features=64, out_features=128, bias=True)
        (1): Linear(in_features=128, out_features=10, bias=True)
      )
      (neurons): ModuleList(
        (0-1): 2 x LIF(leak=0.1, threshold=1.0)
      )
    )

    出典: :cite:t:`neftci2019surrogate`
    """

    def __init__(self, sizes: Sequence[int], neuron: Callable[[], IF]) -> None:
        """層を作ります。"""
        super().__init__()
        if len(sizes) < 2:  # noqa: PLR2004 - inputs and outputs
            raise ValueError(
                f"sizes must hold the number of inputs and of outputs at least, but {sizes} came; "
                "give for example [64, 128, 10]"
            )
        check_integer(minimum=1, **{f"sizes[{i}]": size for i, size in enumerate(sizes)})
        self.features = sizes[0]
        self.linears = torch.nn.ModuleList(torch.nn.Linear(*pair) for pair in pairwise(sizes))
        neurons = [neuron() for _ in self.linears]
        for layer in neurons:
            if not isinstance(layer, IF):
                raise TypeError(
                    f"neuron must return an IF or a LIF, but it returned a {type_name(layer)}; "
                    "give for example lambda: LIF(leak=0.1)"
                )
        self.neurons = torch.nn.ModuleList(neurons)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        r"""すべての時刻を動かし、最後の層のスパイクと膜電位を返します。

        .. math::

            (s^{(l)}, v^{(l)}) = \mathrm{run}(W^{(l)} s^{(l-1)} + b^{(l)})

        どの層も、膜電位0から始めます。

        :param inputs: 入力。スパイクでも、実数の電流でもよい。\
            形は``[T, batch, features]``、型は重みと同じ浮動小数点数
        :returns: 最後の層のスパイクと、リセットする前の膜電位の組。\
            形は``[T, batch, classes]``、型は``inputs``と同じ
        :raises TypeError: ``inputs``が浮動小数点数のテンソルでないとき
        :raises ValueError: ``inputs``の形が``[T, batch, features]``でないとき

        >>> import torch
        >>> from snn_docs.network import Network
        >>> from snn_docs.neurons import IF
        >>> network = Network([3, 8, 2], IF)
        >>> spikes, v = network(torch.ones(10, 5, 3))
        >>> spikes.shape, v.shape
        (torch.Size([10, 5, 2]), torch.Size([10, 5, 2]))

        出典: :cite:t:`neftci2019surrogate`
        """
        check_floating(inputs=inputs)
        if inputs.dim() != 3 or inputs.shape[-1] != self.features:  # noqa: PLR2004 - as below
            raise ValueError(
                f"inputs must have the shape [T, batch, {self.features}], "
                f"but {list(inputs.shape)} came; put time first, and features last"
            )
        spikes = v = inputs
        for linear, neuron in zip(self.linears, self.neurons, strict=True):
            spikes, v = neuron.run(linear(spikes))  # type: ignore[operator] # not any Module
        return spikes, v


def count(spikes: Tensor) -> Tensor:
    r"""スパイクを数えます。最も多く発火した出力が、ネットワークの答えです。

    .. math::

        y = \sum_{t=1}^{T} s_t

    :param spikes: 最後の層のスパイク。形は``[T, batch, classes]``、型は浮動小数点数
    :returns: スパイクの数。形は``[batch, classes]``、型は``spikes``と同じ
    :raises TypeError: ``spikes``が浮動小数点数のテンソルでないとき
    :raises ValueError: ``spikes``の形が``[T, batch, classes]``でないとき、``T``が0のとき

    >>> import torch
    >>> from snn_docs.network import count
    >>> count(torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]], [[0.0, 1.0]]]))
    tensor([[1., 3.]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_output(spikes=spikes)
    return spikes.sum(0)


def last_potential(v: Tensor) -> Tensor:
    r"""最後の時刻の膜電位を返します。

    .. math::

        y = v_T

    :param v: 最後の層の膜電位。リセットする前の値。\
        形は``[T, batch, classes]``、型は浮動小数点数
    :returns: 最後の時刻の膜電位。形は``[batch, classes]``、型は``v``と同じ
    :raises TypeError: ``v``が浮動小数点数のテンソルでないとき
    :raises ValueError: ``v``の形が``[T, batch, classes]``でないとき、``T``が0のとき

    >>> import torch
    >>> from snn_docs.network import last_potential
    >>> last_potential(torch.tensor([[[0.5, 2.0]], [[1.5, 1.0]], [[0.7, 0.9]]]))
    tensor([[0.7000, 0.9000]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_output(v=v)
    return v[-1]


def max_potential(v: Tensor) -> Tensor:
    r"""膜電位の、時刻にわたる最大値を返します。

    .. math::

        y = \max_{1 \le t \le T} v_t

    勾配は、最大になった時刻に届きます。同じ値の時刻が複数あれば、等しく分けて届きます。

    :param v: 最後の層の膜電位。リセットする前の値。\
        形は``[T, batch, classes]``、型は浮動小数点数
    :returns: 膜電位の最大値。形は``[batch, classes]``、型は``v``と同じ
    :raises TypeError: ``v``が浮動小数点数のテンソルでないとき
    :raises ValueError: ``v``の形が``[T, batch, classes]``でないとき、``T``が0のとき

    >>> import torch
    >>> from snn_docs.network import max_potential
    >>> max_potential(torch.tensor([[[0.5, 2.0]], [[1.5, 1.0]], [[0.7, 0.9]]]))
    tensor([[1.5000, 2.0000]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_output(v=v)
    return v.amax(0)


def check_output(**tensors: Tensor) -> None:
    """Raise TypeError or ValueError for what no last layer returns."""
    check_floating(**tensors)
    for name, value in tensors.items():
        if value.dim() != 3 or not len(value):  # noqa: PLR2004 - time, batch, classes
            raise ValueError(
                f"{name} must have the shape [T, batch, classes] with T of 1 or more, but "
                f"{list(value.shape)} came; give what the network returns"
            )
