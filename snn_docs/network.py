"""スパイキングニューロンの層を重ねたネットワークと、その出力を読む関数です。"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from snn_docs._checks import (
    check_alike_parameters,
    check_finite,
    check_floating,
    check_integer,
    type_name,
)
from snn_docs._module import check_contract, is_watched, run_layer


class Network(torch.nn.Module):
    r"""全結合層とニューロンの層を、交互に重ねたネットワークです。

    .. math::

        I^{(l)}_t = W^{(l)} s^{(l-1)}_t + b^{(l)}

    :math:`l`番目の層のニューロンは、前の層のスパイク:math:`s^{(l-1)}_t`の重み付きの和を、\
    入力電流:math:`I^{(l)}_t`として受け取ります。:math:`s^{(0)}_t`はネットワークの入力です。\
    重みとバイアスの初期値は、``torch.nn.Linear``が大域の乱数生成器で決めます。

    :param sizes: 各層のニューロンの数。入力の数で始め、出力の数で終わる。1以上の整数を2つ以上
    :param neuron: ニューロンの層を1つ作る関数。層ごとに1回ずつ呼ぶ。\
        ``IF``や``ALIF``のほか、``step``と``run``が出力と状態の組を返すなら、自分で書いたものでもよい
    :raises TypeError: ``sizes``が整数の並びでないとき、\
        ``neuron``がニューロンの層を返す関数でないとき
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

    def __init__(self, sizes: Sequence[int], neuron: Callable[[], torch.nn.Module]) -> None:
        """層を作ります。"""
        super().__init__()
        if not isinstance(sizes, Sequence):
            raise TypeError(
                f"sizes must be a list of whole numbers, but a {type_name(sizes)} came; "
                "give for example [64, 128, 10], or put layers into a snn_docs.Sequential"
            )
        if len(sizes) < 2:  # noqa: PLR2004 - inputs and outputs
            raise ValueError(
                f"sizes must hold the number of inputs and of outputs at least, but {sizes} came; "
                "give for example [64, 128, 10]"
            )
        check_integer(minimum=1, **{f"sizes[{i}]": size for i, size in enumerate(sizes)})
        if isinstance(neuron, torch.nn.Module) or not callable(neuron):
            raise TypeError(
                f"neuron must be a function that makes a layer, but a {type_name(neuron)} came, "
                "and each layer needs its own; give for example lambda: LIF(leak=0.1)"
            )
        self.features = sizes[0]
        self.linears = torch.nn.ModuleList(torch.nn.Linear(*pair) for pair in pairwise(sizes))
        neurons = [neuron() for _ in self.linears]
        for layer in neurons:
            check_contract("what neuron returns", layer)
        self.neurons = torch.nn.ModuleList(neurons)

    def __iter__(self) -> Iterator[torch.nn.Module]:
        """層を、入力に近いものから順に返します。"""
        for pair in zip(self.linears, self.neurons, strict=True):
            yield from pair

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        r"""すべての時刻を動かし、最後の層のスパイクと膜電位を返します。

        .. math::

            I^{(l)} &= W^{(l)} s^{(l-1)} + b^{(l)} \\
            s^{(l)}, v^{(l)} &= \mathrm{record}(I^{(l)})

        どの層も、膜電位0から始めます。

        :param inputs: 入力。スパイクでも、実数の電流でもよい。\
            形は``[T, batch, features]``、型は重みと同じ浮動小数点数。\
            ``[batch, T, features]``は、形だけでは見分けられないので、誤って動く。\
            ``inputs.transpose(0, 1)``で時刻を先頭にして渡す
        :returns: 最後の層のスパイクと、リセットする前の膜電位の組。\
            形は``[T, batch, classes]``、型は``inputs``と同じ。\
            最後の層が``record``を持たなければ、どちらも``run``の出力
        :raises TypeError: ``inputs``が浮動小数点数のテンソルでないとき、型が重みと違うとき、\
            ニューロンの``run``が、出力と状態の組を返さないとき
        :raises ValueError: ``inputs``の形が``[T, batch, features]``でないとき、\
            デバイスが重みと違うとき、非数（NaN）か無限大を含むとき

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
                f"but {list(inputs.shape)} came; put time first, and features last, as many as "
                "the first of the network's sizes; to give the same inputs in every step take "
                "snn_docs.encoding.direct(inputs, steps)"
            )
        check_alike_parameters(self, inputs)
        check_finite(inputs=inputs)
        *hidden, (linear, last) = zip(self.linears, self.neurons, strict=True)
        spikes = inputs
        for before, neuron in hidden:
            spikes, _ = run_layer(neuron, before(spikes))
        current = linear(spikes)
        if not hasattr(last, "record"):
            outputs, _ = run_layer(last, current)
            return outputs, outputs
        if is_watched(last):  # hooks wait for a call: it gives what is recorded, bit for bit
            last(current)
        spikes, v, *_ = last.record(current)  # type: ignore[operator] # not any Module
        return spikes, v


def count(spikes: Tensor, lengths: Tensor | None = None) -> Tensor:
    r"""スパイクを数えます。最も多く発火した出力が、ネットワークの答えです。

    .. math::

        y_b = \sum_{t=1}^{T_b} s_{t,b}

    :param spikes: 最後の層のスパイク。形は``[T, batch, classes]``、型は浮動小数点数
    :param lengths: 標本ごとの長さ:math:`T_b`。1以上:math:`T`以下の整数。形は``[batch]``。\
        それより後の時刻は、パディングとみなして読まない。``None``なら、どの標本も:math:`T`
    :returns: スパイクの数。形は``[batch, classes]``、型は``spikes``と同じ
    :raises TypeError: ``spikes``が浮動小数点数のテンソルでないとき、\
        ``lengths``が整数のテンソルでないとき
    :raises ValueError: ``spikes``の形が``[T, batch, classes]``でないとき、``T``が0のとき、\
        ``lengths``の形、デバイス、値の範囲が合わないとき

    >>> import torch
    >>> from snn_docs.network import count
    >>> spikes = torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]], [[0.0, 1.0]]])
    >>> count(spikes)
    tensor([[1., 3.]])
    >>> count(spikes, lengths=torch.tensor([2]))
    tensor([[1., 2.]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_output("spikes", spikes, lengths)
    return _padded(spikes, lengths, 0.0).sum(0)


def last_potential(v: Tensor, lengths: Tensor | None = None) -> Tensor:
    r"""最後の時刻の膜電位を返します。

    .. math::

        y_b = v_{T_b,b}

    :param v: 最後の層の膜電位。リセットする前の値。\
        形は``[T, batch, classes]``、型は浮動小数点数
    :param lengths: 標本ごとの長さ:math:`T_b`。1以上:math:`T`以下の整数。形は``[batch]``。\
        それより後の時刻は、パディングとみなして読まない。``None``なら、どの標本も:math:`T`
    :returns: 最後の時刻の膜電位。形は``[batch, classes]``、型は``v``と同じ
    :raises TypeError: ``v``が浮動小数点数のテンソルでないとき、\
        ``lengths``が整数のテンソルでないとき
    :raises ValueError: ``v``の形が``[T, batch, classes]``でないとき、``T``が0のとき、\
        ``lengths``の形、デバイス、値の範囲が合わないとき

    >>> import torch
    >>> from snn_docs.network import last_potential
    >>> v = torch.tensor([[[0.5, 2.0]], [[1.5, 1.0]], [[0.7, 0.9]]])
    >>> last_potential(v)
    tensor([[0.7000, 0.9000]])
    >>> last_potential(v, lengths=torch.tensor([2]))
    tensor([[1.5000, 1.0000]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_output("v", v, lengths)
    if lengths is None:
        return v[-1]
    return v[lengths - 1, torch.arange(len(lengths), device=v.device)]


def max_potential(v: Tensor, lengths: Tensor | None = None) -> Tensor:
    r"""膜電位の、時刻にわたる最大値を返します。

    .. math::

        y_b = \max_{1 \le t \le T_b} v_{t,b}

    勾配は、最大になった時刻に届きます。同じ値の時刻が複数あれば、等しく分けて届きます。

    最後の層が``LI``で、そのバイアスが負になると、どの標本でも、スパイクの届く前の1ステップ目が最大になり、\
    重みの勾配が0になって、学習が止まることがあります。``bias=False``にしても、重みがどれも負なら同じです。\
    止まったら、``mean_potential``で読みます。

    :param v: 最後の層の膜電位。リセットする前の値。\
        形は``[T, batch, classes]``、型は浮動小数点数
    :param lengths: 標本ごとの長さ:math:`T_b`。1以上:math:`T`以下の整数。形は``[batch]``。\
        それより後の時刻は、パディングとみなして読まない。``None``なら、どの標本も:math:`T`
    :returns: 膜電位の最大値。形は``[batch, classes]``、型は``v``と同じ
    :raises TypeError: ``v``が浮動小数点数のテンソルでないとき、\
        ``lengths``が整数のテンソルでないとき
    :raises ValueError: ``v``の形が``[T, batch, classes]``でないとき、``T``が0のとき、\
        ``lengths``の形、デバイス、値の範囲が合わないとき

    >>> import torch
    >>> from snn_docs.network import max_potential
    >>> v = torch.tensor([[[0.5, 2.0]], [[1.5, 1.0]], [[0.7, 3.0]]])
    >>> max_potential(v)
    tensor([[1.5000, 3.0000]])
    >>> max_potential(v, lengths=torch.tensor([2]))
    tensor([[1.5000, 2.0000]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_output("v", v, lengths)
    return _padded(v, lengths, -math.inf).amax(0)


def mean_potential(v: Tensor, lengths: Tensor | None = None) -> Tensor:
    r"""膜電位の、時刻にわたる平均を返します。スパイクを渡せば、1ステップあたりの発火率です。

    .. math::

        y_b = \frac{1}{T_b} \sum_{t=1}^{T_b} v_{t,b}

    終わりの時刻だけを読むのと違い、漏れが大きくても、どの時刻の入力も同じ重さで答えに届きます。

    :param v: 最後の層の膜電位かスパイク。形は``[T, batch, classes]``、型は浮動小数点数
    :param lengths: 標本ごとの長さ:math:`T_b`。1以上:math:`T`以下の整数。形は``[batch]``。\
        それより後の時刻は、パディングとみなして読まない。``None``なら、どの標本も:math:`T`
    :returns: 平均。形は``[batch, classes]``、型は``v``と同じ
    :raises TypeError: ``v``が浮動小数点数のテンソルでないとき、\
        ``lengths``が整数のテンソルでないとき
    :raises ValueError: ``v``の形が``[T, batch, classes]``でないとき、``T``が0のとき、\
        ``lengths``の形、デバイス、値の範囲が合わないとき

    >>> import torch
    >>> from snn_docs.network import mean_potential
    >>> v = torch.tensor([[[0.5, 2.0]], [[1.5, 1.0]], [[0.7, 3.0]]])
    >>> mean_potential(v)
    tensor([[0.9000, 2.0000]])
    >>> mean_potential(v, lengths=torch.tensor([2]))
    tensor([[1.0000, 1.5000]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_output("v", v, lengths)
    if lengths is None:
        return v.mean(0)
    return _padded(v, lengths, 0.0).sum(0) / lengths.unsqueeze(1).to(v.dtype)


def _padded(values: Tensor, lengths: Tensor | None, padding: float) -> Tensor:
    """Return the values with another number after the end of each sample, whatever was there."""
    if lengths is None:
        return values
    steps = torch.arange(len(values), device=values.device)
    is_there = steps.unsqueeze(1) < lengths
    return values.where(is_there.unsqueeze(2), values.new_full((), padding))


def check_output(name: str, value: Tensor, lengths: Tensor | None) -> None:
    """Raise TypeError or ValueError for what no last layer returns, or no lengths of it."""
    check_floating(**{name: value})
    if value.dim() != 3 or not len(value):  # noqa: PLR2004 - time, batch, classes
        raise ValueError(
            f"{name} must have the shape [T, batch, classes] with T of 1 or more, but "
            f"{list(value.shape)} came; give what the network returns"
        )
    if lengths is not None:
        _check_lengths(lengths, value)


def _check_lengths(lengths: Tensor, values: Tensor) -> None:
    steps, batch, _ = values.shape
    if not isinstance(lengths, Tensor) or lengths.dtype != torch.int64:
        came = lengths.dtype if isinstance(lengths, Tensor) else f"a {type_name(lengths)}"
        raise TypeError(
            f"lengths must be a tensor of whole numbers, torch.int64, but {came} came; convert "
            "with torch.as_tensor(lengths, dtype=torch.int64)"
        )
    if lengths.shape != (batch,) or lengths.device != values.device:
        raise ValueError(
            f"lengths must have the shape [{batch}], one for each sample, on {values.device}, but "
            f"{list(lengths.shape)} on {lengths.device} came"
        )
    if not lengths.is_meta and not ((lengths >= 1) & (lengths <= steps)).all():
        raise ValueError(
            f"lengths must be from 1 to {steps}, the time that there is, but "
            f"{lengths.min().item()} to {lengths.max().item()} came; a sample without a step has "
            "no answer"
        )
