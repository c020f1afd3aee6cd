"""発火するたびに閾値の上がるニューロンです。"""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from snn_docs import equations
from snn_docs._checks import check_constant, check_leak, check_run
from snn_docs._module import Parts, Spiking, asks_for, input_first
from snn_docs.equations import Reset, Rule, decay_of, start, widened
from snn_docs.states import ALIFState
from snn_docs.surrogate import USUAL


class ALIF(Spiking[ALIFState]):
    r"""閾値の適応するLIFモデル（adaptive LIF）を動かす層です。

    .. math::

        a_t &= (1 - \lambda_a)\, a_{t-1} + s_{t-1} \\
        \theta_t &= \theta + \beta a_t \\
        v_t &= (1 - \lambda)\, r_{t-1} + I_t \\
        s_t &= H(v_t - \theta_t)

    発火の跡:math:`a_t`は、発火した次の時刻に1だけ増え、1ステップごとに割合:math:`\lambda_a`だけ消えます。\
    閾値:math:`\theta_t`は、その:math:`\beta`倍だけ上がります。\
    同じ入力が続くと発火はまばらになり、発火したことは、およそ:math:`1/\lambda_a`ステップのあいだ閾値に残ります。\
    膜電位と、リセットしたあとの膜電位:math:`r`は``LIF``と同じです。\
    ``reset="subtract"``が引くのは、上がる前の閾値:math:`\theta`です。\
    :math:`\beta = 0`なら、``LIF``とビット単位で等しくなります。

    2020年の論文は、漏れのあとで閾値を引きます。ここではリセットが先、漏れが後です。\
    論文の:math:`\rho`は、ここでは:math:`1 - \lambda_a`です。

    :param threshold: 上がる前の閾値:math:`\theta`。``LIF``と同じ
    :param leak: 漏れ:math:`\lambda`。``LIF``と同じ
    :param adaptation: 1回の発火で閾値が上がる量:math:`\beta`。単位は膜電位と同じ。有限の数か、\
        入力とブロードキャストできる浮動小数点数のテンソル。テンソルの扱いは``threshold``と同じ
    :param adaptation\_leak: 跡の漏れ:math:`\lambda_a`。0から1まで。\
        時定数が:math:`\tau_a`ステップなら:math:`1/\tau_a`。数かテンソル
    :param reset: ``"zero"``か``"subtract"``
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る。閾値を通る勾配は切らない
    :param surrogate: スパイクを返す関数。既定は``ArcTan()``
    :raises TypeError: ``leak``、``adaptation``、``adaptation_leak``を名前で渡さないとき、\
        どれかの定数が数でも浮動小数点数のテンソルでもないときなど、型の合わないとき
    :raises ValueError: ``threshold``が非数（NaN）を含むとき、``adaptation``が有限でないとき、\
        ``leak``か``adaptation_leak``が0から1までにないとき

    >>> import torch
    >>> from snn_docs import ALIF
    >>> layer = ALIF(leak=0.5, adaptation=1.0, adaptation_leak=0.25)
    >>> layer
    ALIF(leak=0.5, adaptation=1.0, adaptation_leak=0.25, threshold=1.0)
    >>> spikes, state = layer.run(torch.full((12,), 1.5))
    >>> spikes
    tensor([1., 0., 1., 0., 1., 0., 0., 1., 0., 0., 1., 0.])

    出典: :cite:t:`bellec2018lsnn`、:cite:t:`bellec2020eprop`
    """

    state_kind = ALIFState
    leak: float | Tensor
    adaptation: float | Tensor
    adaptation_leak: float | Tensor

    @asks_for("leak=dt / tau, adaptation=0.5, adaptation_leak=dt / tau_a")
    def __init__(  # noqa: PLR0913 - all of a neuron
        self,
        threshold: float | Tensor = 1.0,
        *,
        leak: float | Tensor,
        adaptation: float | Tensor,
        adaptation_leak: float | Tensor,
        reset: Reset = "zero",
        detach_reset: bool = False,
        surrogate: Callable[[Tensor], Tensor] = USUAL,
    ) -> None:
        """閾値、漏れ、適応、リセットの規則を決めます。"""
        check_constant("adaptation", adaptation)
        check_leak(adaptation_leak, "adaptation_leak", "the trace")
        constants = {"leak": leak, "adaptation": adaptation, "adaptation_leak": adaptation_leak}
        super().__init__(threshold, reset, detach_reset, surrogate, **constants)

    @input_first
    def step(self, inputs: Tensor, state: Parts | None = None) -> tuple[Tensor, ALIFState]:
        r"""1ステップ進め、スパイクと、次に渡す状態を返します。

        .. math::

            a_t &= (1 - \lambda_a)\, a_{t-1} + s_{t-1} \\
            v_t &= (1 - \lambda)\, r_{t-1} + I_t \\
            s_t &= H(v_t - \theta - \beta a_t)

        :param inputs: この時刻の入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
            形は``[*]``、型は浮動小数点数
        :param state: 1つ前の時刻の状態。スパイク:math:`s_{t-1}`、\
            リセットする前の膜電位:math:`v_{t-1}`、跡:math:`a_{t-1}`の組。\
            ``step``か``run``が返したもの。形は``[*]``、型は``inputs``と同じ。``None``なら、どれも0
        :returns: スパイク:math:`s_t`と、状態。\
            状態は、スパイク:math:`s_t`、リセットする前の膜電位:math:`v_t`、跡:math:`a_t`の組。\
            形は引数をブロードキャストした``[*]``
        :raises TypeError: 浮動小数点数のテンソルでない引数があるとき、型がそろわないとき、\
            ``state``が3つのテンソルの組でないとき
        :raises ValueError: デバイスがそろわないとき、形がブロードキャストできないとき

        >>> import torch
        >>> from snn_docs import ALIF
        >>> layer = ALIF(leak=0.0, adaptation=0.5, adaptation_leak=0.5)
        >>> state = None
        >>> for _ in range(3):
        ...     s, state = layer.step(torch.full((1,), 1.25), state)
        ...     print(*state)
        tensor([1.]) tensor([1.2500]) tensor([0.])
        tensor([0.]) tensor([1.2500]) tensor([1.])
        tensor([1.]) tensor([2.5000]) tensor([0.5000])

        出典: :cite:t:`bellec2018lsnn`、:cite:t:`bellec2020eprop`
        """
        before = self._state_before(inputs, state, **self._constants)
        after = ALIFState(*equations.adaptive_step(self._rule, inputs, *before))
        return after.spikes, after

    def record(self, inputs: Tensor, state: Parts | None = None) -> ALIFState:
        r"""すべての時刻を一度に進め、すべての時刻のスパイク、膜電位、発火の跡を返します。

        値も勾配も、``step``を:math:`T`回呼んだときと同じです。逆伝播は自動微分が解きます。

        .. math::

            s_t = H(v_t - \theta - \beta a_t)

        :param inputs: 入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
            形は``[T, *]``、型は浮動小数点数。``T``は0でもよい
        :param state: 始まる前の状態。``step``か``run``が返したもの。``None``なら、どれも0
        :returns: スパイク:math:`s_t`、リセットする前の膜電位:math:`v_t`、跡:math:`a_t`の組。\
            形はどれも``[T, *]``
        :raises TypeError: 型の合わない引数があるとき
        :raises ValueError: デバイスや形の合わない引数があるとき

        >>> import torch
        >>> from snn_docs import ALIF
        >>> layer = ALIF(leak=0.0, adaptation=0.5, adaptation_leak=0.5)
        >>> spikes, v, a = layer.record(torch.full((4,), 1.25))
        >>> spikes
        tensor([1., 0., 1., 0.])
        >>> a
        tensor([0.0000, 1.0000, 0.5000, 1.2500])

        出典: :cite:t:`bellec2018lsnn`、:cite:t:`bellec2020eprop`
        """
        step = partial(equations.adaptive_step, self._rule)
        shape = check_run(inputs, state, self.state_kind._fields, **self._constants)
        inputs = widened(inputs, shape)
        if not len(inputs):
            return ALIFState(inputs.clone(), inputs.clone(), inputs.clone())
        return ALIFState(*equations.one_by_one(step, inputs, start(state, inputs, 3)))

    @property
    def _rule(self) -> Rule:
        # not of super()'s, which torch.compile can't trace
        decay, adaptation_decay = decay_of(self.leak), 1 - self.adaptation_leak
        fires = self.reset, self.detach_reset, self.surrogate
        return Rule(self.threshold, decay, *fires, self.adaptation, adaptation_decay)
