"""入力が、減衰するシナプスの電流を通って、膜電位に届くニューロンです。"""

from collections.abc import Callable

from torch import Tensor

from snn_docs import bptt, equations
from snn_docs._checks import check_leak, check_run
from snn_docs._module import Parts, Spiking, asks_for, input_first
from snn_docs.equations import Reset, start, widened
from snn_docs.integrator import integrate
from snn_docs.states import CubaLIFState
from snn_docs.surrogate import USUAL


class CubaLIF(Spiking[CubaLIFState]):
    r"""シナプスの電流をもつLIFモデル（current-based LIF）を動かす層です。

    .. math::

        i_t &= (1 - \lambda_i)\, i_{t-1} + I_t \\
        v_t &= (1 - \lambda)\, r_{t-1} + i_t \\
        s_t &= H(v_t - \theta)

    届いた入力:math:`I_t`は、シナプスの電流:math:`i_t`になって残り、\
    1ステップごとに割合:math:`\lambda_i`だけ消えながら、膜電位を押し続けます。\
    膜電位の式とリセットは``LIF``と同じで、リセットは電流を変えません。\
    :math:`\lambda_i = 1`なら、``LIF``とビット単位で等しくなります。

    snnTorchの``Synaptic``の``alpha``は:math:`1 - \lambda_i`、``beta``は:math:`1 - \lambda`です。

    :param threshold: 閾値:math:`\theta`。``LIF``と同じ
    :param leak: 膜電位の漏れ:math:`\lambda`。``LIF``と同じ
    :param synapse\_leak: 電流の漏れ:math:`\lambda_i`。0から1まで。\
        時定数が:math:`\tau_i`ステップなら:math:`1/\tau_i`。数か、\
        入力とブロードキャストできる浮動小数点数のテンソル。テンソルの扱いは``threshold``と同じ
    :param reset: ``"zero"``か``"subtract"``
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る
    :param surrogate: スパイクを返す関数。既定は``ArcTan()``
    :raises TypeError: ``leak``、``synapse_leak``を名前で渡さないとき、\
        どれかの定数が数でも浮動小数点数のテンソルでもないときなど、型の合わないとき
    :raises ValueError: ``threshold``が非数（NaN）を含むとき、\
        ``leak``か``synapse_leak``が0から1までにないとき

    >>> import torch
    >>> from snn_docs import CubaLIF
    >>> layer = CubaLIF(leak=0.5, synapse_leak=0.5)
    >>> layer
    CubaLIF(leak=0.5, synapse_leak=0.5, threshold=1.0)
    >>> spikes, v, i = layer.record(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    >>> i
    tensor([1.0000, 0.5000, 0.2500, 0.1250])
    >>> v
    tensor([1.0000, 1.0000, 0.7500, 0.5000])

    出典: :cite:t:`gerstner2014neuronal`
    """

    state_kind = CubaLIFState
    leak: float | Tensor
    synapse_leak: float | Tensor

    @asks_for("leak=dt / tau, synapse_leak=dt / tau_i")
    def __init__(  # noqa: PLR0913 - all of a neuron
        self,
        threshold: float | Tensor = 1.0,
        *,
        leak: float | Tensor,
        synapse_leak: float | Tensor,
        reset: Reset = "zero",
        detach_reset: bool = False,
        surrogate: Callable[[Tensor], Tensor] = USUAL,
    ) -> None:
        """閾値、2つの漏れ、リセットの規則を決めます。"""
        check_leak(synapse_leak, "synapse_leak", "the current")
        constants = {"leak": leak, "synapse_leak": synapse_leak}
        super().__init__(threshold, reset, detach_reset, surrogate, **constants)

    @input_first
    def step(self, inputs: Tensor, state: Parts | None = None) -> tuple[Tensor, CubaLIFState]:
        r"""1ステップ進め、スパイクと、次に渡す状態を返します。

        .. math::

            i_t &= (1 - \lambda_i)\, i_{t-1} + I_t \\
            v_t &= (1 - \lambda)\, r_{t-1} + i_t \\
            s_t &= H(v_t - \theta)

        :param inputs: この時刻の入力:math:`I_t`。1ステップあたりの電流の増分。\
            形は``[*]``、型は浮動小数点数
        :param state: 1つ前の時刻の状態。スパイク:math:`s_{t-1}`、\
            リセットする前の膜電位:math:`v_{t-1}`、電流:math:`i_{t-1}`の組。\
            ``step``か``run``が返したもの。形は``[*]``、型は``inputs``と同じ。``None``なら、どれも0
        :returns: スパイク:math:`s_t`と、状態。\
            状態は、スパイク:math:`s_t`、リセットする前の膜電位:math:`v_t`、電流:math:`i_t`の組。\
            形は引数をブロードキャストした``[*]``
        :raises TypeError: 浮動小数点数のテンソルでない引数があるとき、型がそろわないとき、\
            ``state``が3つのテンソルの組でないとき
        :raises ValueError: デバイスがそろわないとき、形がブロードキャストできないとき

        >>> import torch
        >>> from snn_docs import CubaLIF
        >>> layer = CubaLIF(leak=0.0, synapse_leak=0.5)
        >>> s, state = layer.step(torch.ones(1))
        >>> s, state = layer.step(torch.ones(1), state)
        >>> state
        CubaLIFState(spikes=tensor([1.]), v=tensor([2.5000]), i=tensor([1.5000]))

        出典: :cite:t:`gerstner2014neuronal`
        """
        s, v, i = self._state_before(inputs, state, **self._constants)
        i = i * (1 - self.synapse_leak) + inputs
        spikes, v = equations.step(self._rule, i, s, v)
        after = CubaLIFState(spikes, v, i)
        return spikes, after

    def record(self, inputs: Tensor, state: Parts | None = None) -> CubaLIFState:
        r"""すべての時刻を一度に進め、すべての時刻のスパイク、膜電位、シナプスの電流を返します。

        .. math::

            i_{1:T} &= \mathrm{LI}(I_{1:T}) \\
            s_{1:T}, v_{1:T} &= \mathrm{LIF}(i_{1:T})

        発火は電流に戻らないので、``LI``と``LIF``を続けて動かすのと同じです。\
        値は``step``を:math:`T`回呼んだときとビット単位で等しく、勾配は丸めの差を除いて等しくなります。

        :param inputs: 入力:math:`I_t`。1ステップあたりの電流の増分。\
            形は``[T, *]``、型は浮動小数点数。``T``は0でもよい
        :param state: 始まる前の状態。``step``か``run``が返したもの。``None``なら、どれも0
        :returns: スパイク:math:`s_t`、リセットする前の膜電位:math:`v_t`、電流:math:`i_t`の組。\
            形はどれも``[T, *]``
        :raises TypeError: 型の合わない引数があるとき
        :raises ValueError: デバイスや形の合わない引数があるとき

        >>> import torch
        >>> from snn_docs import CubaLIF
        >>> layer = CubaLIF(leak=0.0, synapse_leak=0.5)
        >>> spikes, v, i = layer.record(torch.tensor([0.75, 0.0, 0.0, 0.0]))
        >>> spikes
        tensor([0., 1., 0., 0.])

        出典: :cite:t:`gerstner2014neuronal`
        """
        shape = check_run(inputs, state, self.state_kind._fields, **self._constants)
        inputs = widened(inputs, shape)
        *before, current = start(state, inputs, 3)
        i = integrate(inputs, current, self.synapse_leak)
        return CubaLIFState(*bptt.record(i, tuple(before), self._rule), i)
