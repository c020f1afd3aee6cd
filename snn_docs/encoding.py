"""値を、時刻を追って変わる入力に変える関数です。"""

import torch
from torch import Tensor

from snn_docs._checks import (
    check_finite,
    check_floating,
    check_generator,
    check_integer,
    check_number,
)


def rate(values: Tensor, steps: int, *, generator: torch.Generator | None = None) -> Tensor:
    r"""値を発火率に変えます（rate coding）。

    .. math::

        P(s_t = 1) = x \qquad (t = 1, \dots, T)

    どのステップでも、ほかのステップとは独立に、確率:math:`x`で発火します。\
    これはポアソン過程のベルヌーイ近似です。1ステップの発火は多くても1回なので、\
    近似がよいのは:math:`x`が小さいときです。勾配は通しません。

    :param values: 値:math:`x`。1ステップあたりの発火の確率で、0以上1以下。\
        形は``[*]``、型は浮動小数点数
    :param steps: ステップ数:math:`T`。1以上の整数
    :param generator: 乱数生成器。デバイスは``values``とそろえる。\
        渡さなければ、PyTorchの大域の生成器を使う
    :returns: スパイク。値は0か1。形は``[T, *]``、型とデバイスは``values``と同じ
    :raises TypeError: ``values``が浮動小数点数のテンソルでないとき、``steps``が整数でないとき、\
        ``generator``が乱数生成器でないとき
    :raises ValueError: ``values``が0から1の外の値か非数（NaN）を含むとき、``steps``が1未満のとき、\
        ``generator``のデバイスが違うとき

    >>> import torch
    >>> from snn_docs import encoding
    >>> values = torch.tensor([0.0, 0.5, 1.0])
    >>> encoding.rate(values, steps=4, generator=torch.Generator().manual_seed(0))
    tensor([[0., 0., 1.],
            [0., 1., 1.],
            [0., 0., 1.],
            [0., 1., 1.]])

    出典: :cite:t:`gerstner2014neuronal`の第7章（ポアソン過程）
    """
    check_unit_interval(values)
    check_integer(minimum=1, steps=steps)
    check_generator(generator, values.device)
    # not rand() < values: in half precision that has too few different numbers for small values
    return torch.bernoulli(values.detach().expand(steps, *values.shape), generator=generator)


def latency(values: Tensor, steps: int) -> Tensor:
    r"""値を、最初のスパイクまでの時間に変えます（latency coding）。

    .. math::

        t = 1 + \operatorname{round}\bigl((1 - x)(T - 1)\bigr)

    大きい値ほど早く、ちょうど1回だけ発火します。1は最初のステップで発火し、\
    0に近い値は最後のステップで発火します。0は発火しません。\
    時刻は値の1次式を最も近い整数に丸めたもので、ちょうど中間なら偶数に丸めます。\
    勾配は通しません。

    :param values: 値:math:`x`。0以上1以下で、単位はない。形は``[*]``、型は浮動小数点数
    :param steps: ステップ数:math:`T`。1以上の整数
    :returns: スパイク。値は0か1。形は``[T, *]``、型とデバイスは``values``と同じ
    :raises TypeError: ``values``が浮動小数点数のテンソルでないとき、``steps``が整数でないとき
    :raises ValueError: ``values``が0から1の外の値か非数（NaN）を含むとき、``steps``が1未満のとき

    >>> import torch
    >>> from snn_docs import encoding
    >>> encoding.latency(torch.tensor([1.0, 0.6, 0.1, 0.0]), steps=4)
    tensor([[1., 0., 0., 0.],
            [0., 1., 0., 0.],
            [0., 0., 0., 0.],
            [0., 0., 1., 0.]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_unit_interval(values)
    check_integer(minimum=1, steps=steps)
    x = values.detach()
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # half precision counts to 2048
    delay = ((1 - wide) * (steps - 1)).round().long()
    spikes = x.new_zeros((steps, *x.shape))
    return spikes.scatter_(0, delay.unsqueeze(0), (x > 0).to(x.dtype).unsqueeze(0))


def delta(signal: Tensor, threshold: float) -> Tensor:
    r"""信号の変化を、正負のスパイクに変えます（delta modulation）。

    .. math::

        s_t = \begin{cases}
            +1 & (x_t - x_{t-1} > \theta) \\
            -1 & (x_t - x_{t-1} < -\theta) \\
            0 & (\text{それ以外})
        \end{cases}

    最初のステップには前の値がないので、0です。変化が閾値とちょうど等しいときも0です。

    1ステップの変化が閾値以下だと、積み重なっても発火しません。\
    大きく変わっても1回しか発火しません。\
    そのため、:math:`x_1 + \theta\sum_{u \le t} s_u`で復元した信号の誤差は、変化の絶対値の最大を\
    :math:`d`として、1ステップごとに:math:`\max(\theta, d - \theta)`まで増えることがあります。\
    勾配は通しません。

    :param signal: 信号:math:`x_t`。値は有限。形は``[T, *]``、型は浮動小数点数
    :param threshold: 閾値:math:`\theta`。0以上の数で、単位は``signal``と同じ
    :returns: スパイク。値は-1、0、+1のどれか。形・型・デバイスは``signal``と同じ
    :raises TypeError: ``signal``が浮動小数点数のテンソルでないとき、``threshold``が数でないとき
    :raises ValueError: ``signal``に時刻の次元がないとき、無限大か非数（NaN）を含むとき、\
        ``threshold``が負か非数（NaN）のとき

    >>> import torch
    >>> from snn_docs import encoding
    >>> encoding.delta(torch.tensor([5.0, 5.5, 7.0, 7.0, 4.0]), threshold=1.0)
    tensor([ 0.,  0.,  1.,  0., -1.])

    出典: :cite:t:`eshraghian2023training`
    """
    check_floating(signal=signal)
    check_finite(signal=signal)
    if signal.dim() == 0:
        raise ValueError(
            "signal must have time as its first dimension, but a tensor of shape () came; "
            "give a tensor of shape [T, *]"
        )
    if not check_number("threshold", threshold) >= 0:  # NaN is not, either
        raise ValueError(f"threshold must be 0 or more, but {threshold} came")
    x = signal.detach()
    change = x.diff(dim=0, prepend=x[:1])
    return (change > threshold).to(x.dtype) - (change < -threshold).to(x.dtype)


def direct(values: Tensor, steps: int) -> Tensor:
    r"""値を、毎ステップ同じ入力電流にします（direct coding）。

    .. math::

        I_t = x \qquad (t = 1, \dots, T)

    値は複製しません。どのステップも``values``と同じメモリを指すので、\
    書き換えるなら先に``clone``してください。勾配は通し、``values``にはステップの分の和が届きます。

    :param values: 値:math:`x`。1ステップあたりの膜電位の増分で、値は有限。\
        形は``[*]``、型は浮動小数点数
    :param steps: ステップ数:math:`T`。1以上の整数
    :returns: 入力電流:math:`I_t`。形は``[T, *]``、型とデバイスは``values``と同じ
    :raises TypeError: ``values``が浮動小数点数のテンソルでないとき、``steps``が整数でないとき
    :raises ValueError: ``values``が無限大か非数（NaN）を含むとき、``steps``が1未満のとき

    >>> import torch
    >>> from snn_docs import encoding
    >>> encoding.direct(torch.tensor([0.3, 1.5]), steps=3)
    tensor([[0.3000, 1.5000],
            [0.3000, 1.5000],
            [0.3000, 1.5000]])

    出典: :cite:t:`eshraghian2023training`
    """
    check_floating(values=values)
    check_finite(values=values)
    check_integer(minimum=1, steps=steps)
    return values.expand(steps, *values.shape)


def check_unit_interval(values: Tensor) -> None:
    """Raise TypeError or ValueError unless every value lies between 0 and 1."""
    check_floating(values=values)
    if values.is_meta:  # holds no values
        return
    outside = values[~((values >= 0) & (values <= 1))]
    if outside.numel():
        raise ValueError(
            f"values must be between 0 and 1, but {outside[0].item()} came, and "
            f"{outside.numel()} of {values.numel()} elements are such; scale them first, for "
            "example with (values - values.min()) / (values.max() - values.min())"
        )
