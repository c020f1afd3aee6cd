"""発火しない、漏れのある積分器です。ネットワークの終わりに置いて、答えを読み出します。"""

from torch import Tensor

from snn_docs._checks import check_leak, check_run
from snn_docs._module import Neuron, Parts, asks_for, input_first, plain
from snn_docs.equations import one_by_one, start, widened
from snn_docs.states import LIState


class LI(Neuron):
    r"""漏れのある積分器（leaky integrator）の層です。発火もリセットもしません。

    .. math::

        v_t = (1 - \lambda)\, v_{t-1} + I_t

    スパイクの列を滑らかな値に戻すので、ネットワークの最後に置いて、答えを膜電位から読み出せます。\
    漏れが0なら入力の和、1なら入力そのものです。\
    状態は層の中に持たず、呼ぶ側が渡します。

    :param leak: 漏れ:math:`\lambda`。1ステップで失う膜電位の割合で、0から1まで。\
        数か、入力とブロードキャストできる浮動小数点数のテンソル。\
        時定数が:math:`\tau`ステップなら:math:`1/\tau`。\
        テンソルの扱いは``LIF``と同じで、``torch.nn.Parameter``なら学習できる
    :raises TypeError: ``leak``が数でも浮動小数点数のテンソルでもないとき
    :raises ValueError: ``leak``が0から1までにないとき

    >>> import torch
    >>> from snn_docs import LI
    >>> layer = LI(leak=0.5)
    >>> layer
    LI(leak=0.5)
    >>> v, state = layer.run(torch.tensor([1.0, 0.0, 0.0, 1.0]))
    >>> v
    tensor([1.0000, 0.5000, 0.2500, 1.1250])

    出典: :cite:t:`gerstner2014neuronal`
    """

    leak: float | Tensor

    @asks_for("leak=dt / tau")
    def __init__(self, leak: float | Tensor) -> None:
        """漏れを決めます。"""
        super().__init__()
        check_leak(leak)
        self._add_constant("leak", leak)

    @input_first
    def step(self, inputs: Tensor, state: Parts | None = None) -> tuple[Tensor, LIState]:
        r"""1ステップ進め、膜電位と、次に渡す状態を返します。状態は、膜電位だけの組です。

        .. math::

            v_t = (1 - \lambda)\, v_{t-1} + I_t

        :param inputs: この時刻の入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
            形は``[*]``、型は浮動小数点数
        :param state: 1つ前の時刻の状態。膜電位:math:`v_{t-1}`だけの組。\
            ``step``か``run``が返したもの。形は``[*]``、型は``inputs``と同じ。``None``なら0
        :returns: 膜電位:math:`v_t`と、状態。形は引数をブロードキャストした``[*]``
        :raises TypeError: 浮動小数点数のテンソルでない引数があるとき、型がそろわないとき
        :raises ValueError: デバイスがそろわないとき、形がブロードキャストできないとき

        >>> import torch
        >>> from snn_docs import LI
        >>> layer = LI(leak=0.25)
        >>> v, state = layer.step(torch.tensor([1.0, 2.0]))
        >>> v, state = layer.step(torch.tensor([0.5, 0.0]), state)
        >>> v
        tensor([1.2500, 1.5000])

        出典: :cite:t:`gerstner2014neuronal`
        """
        (before,) = self._state_before(inputs, state, leak=self.leak)
        v = before * (1 - self.leak) + inputs
        return v, LIState(v)

    def run(self, inputs: Tensor, state: Parts | None = None) -> tuple[Tensor, LIState]:
        r"""すべての時刻を一度に進め、膜電位と、終わりの時刻の状態を返します。

        .. math::

            v_t = (1 - \lambda)\, v_{t-1} + I_t

        値も勾配も、``step``を:math:`T`回呼んだときと同じです。逆伝播は自動微分が解きます。

        :param inputs: 入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
            形は``[T, *]``、型は浮動小数点数。``T``は0でもよい
        :param state: 始まる前の状態。``step``か``run``が返したもの。\
            形は``[*]``とブロードキャストできればよい。``None``なら0
        :returns: 膜電位:math:`v_t`。形は``[T, *]``。\
            それと、状態。膜電位:math:`v_T`だけの組で、形は``[*]``
        :raises TypeError: 型の合わない引数があるとき
        :raises ValueError: デバイスや形の合わない引数があるとき

        >>> import torch
        >>> from snn_docs import LI
        >>> layer = LI(leak=0.5)
        >>> v, state = layer.run(torch.ones(2))
        >>> v, state = layer.run(torch.ones(2), state)
        >>> v
        tensor([1.7500, 1.8750])

        出典: :cite:t:`gerstner2014neuronal`
        """
        inputs = widened(inputs, check_run(inputs, state, LIState._fields, leak=self.leak))
        (before,) = start(state, inputs, 1)
        v = integrate(inputs, before, self.leak)
        return v, LIState(v[-1] if len(v) else before)

    def extra_repr(self) -> str:
        """漏れを表示します。"""
        return f"leak={plain(self.leak)}"


def integrate(inputs: Tensor, before: Tensor, leak: float | Tensor) -> Tensor:
    """Return the potentials of all steps, from arguments that have been checked."""
    if not len(inputs):
        return inputs.clone()
    decay = 1 - leak
    (v,) = one_by_one(lambda x, v: (v * decay + x,), inputs, (before,))
    return v
