"""ニューロンのモデルです。状態を持たない``torch.nn.Module``で、1ステップでも、すべての時刻でも進められます。"""

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor

from snn_docs import bptt, equations
from snn_docs._checks import check_leak, check_tensors
from snn_docs._module import Parts, Spiking, asks_for, input_first
from snn_docs.equations import Reset
from snn_docs.states import State
from snn_docs.surrogate import USUAL, Heaviside


class Firing(Spiking[State]):  # its adjoint, written by hand: `backward` in kernels.py
    """``IF``、``LIF``、``PLIF``に共通の、進め方です。"""

    state_kind = State

    @input_first
    def step(self, inputs: Tensor, state: Parts | None = None) -> tuple[Tensor, State]:
        r"""1ステップ進め、スパイクと、次に渡す状態を返します。

        .. math::

            v_t &= (1 - \lambda)\, r_{t-1} + I_t \\
            s_t &= H(v_t - \theta)

        :math:`r`はリセットしたあとの膜電位、:math:`\lambda`は漏れです。\
        ``IF``では:math:`\lambda = 0`です。

        :param inputs: この時刻の入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
            形は``[*]``、型は浮動小数点数
        :param state: 1つ前の時刻の状態。スパイク:math:`s_{t-1}`と、\
            リセットする前の膜電位:math:`v_{t-1}`の組。``step``か``run``が返したもの。\
            形は``[*]``、型は``inputs``と同じ。``None``なら、どちらも0
        :returns: スパイク:math:`s_t`と、状態。\
            状態は、スパイク:math:`s_t`と、リセットする前の膜電位:math:`v_t`の組。\
            形は引数をブロードキャストした``[*]``
        :raises TypeError: 浮動小数点数のテンソルでない引数があるとき、型がそろわないとき、\
            ``state``が2つのテンソルの組でないとき
        :raises ValueError: デバイスがそろわないとき、形がブロードキャストできないとき

        >>> import torch
        >>> from snn_docs import IF
        >>> layer, state = IF(), None
        >>> current = torch.tensor([0.4, 0.6])
        >>> for _ in range(3):
        ...     s, state = layer.step(current, state)
        ...     print(s, state.v)
        tensor([0., 0.]) tensor([0.4000, 0.6000])
        tensor([0., 1.]) tensor([0.8000, 1.2000])
        tensor([1., 0.]) tensor([1.2000, 0.6000])

        出典: chizuchizu「IFモデルをPyTorchで動かす」（2022年9月3日）。\
        記事の``forward``が捨てる:math:`v_t`も返す
        """
        rule = self._rule
        before = self._state_before(inputs, state, **rule.by_argument)
        after = State(*equations.step(rule, inputs, *before))
        return after.spikes, after

    def record(self, inputs: Tensor, state: Parts | None = None) -> State:
        r"""すべての時刻を一度に進め、すべての時刻のスパイクと膜電位を返します。

        .. math::

            v_t &= (1 - \lambda)\, r_{t-1} + I_t \\
            s_t &= H(v_t - \theta)

        膜電位を描くときや、損失を膜電位で測るときに使います。\
        計算は``run``と同じです。詳しくは``snn_docs.functional.record``にあります。

        :param inputs: 入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
            形は``[T, *]``、型は浮動小数点数。``T``は0でもよい
        :param state: 始まる前の状態。``step``か``run``が返したもの。``None``なら0
        :returns: スパイク:math:`s_t`と、リセットする前の膜電位:math:`v_t`の組。\
            形はどちらも``[T, *]``
        :raises TypeError: 型の合わない引数があるとき
        :raises ValueError: デバイスや形の合わない引数があるとき

        >>> import torch
        >>> from snn_docs import IF
        >>> spikes, v = IF().record(torch.full((6,), 0.4))
        >>> spikes
        tensor([0., 0., 1., 0., 0., 1.])
        >>> v
        tensor([0.4000, 0.8000, 1.2000, 0.4000, 0.8000, 1.2000])

        出典: chizuchizu「IFモデルをPyTorchで動かす」（2022年9月3日）
        """
        return State(*bptt.record(inputs, state, self._rule))


class IF(Firing):
    r"""積分発火（integrate-and-fire）モデルを動かす層です。

    .. math::

        v_t &= r_{t-1} + I_t \\
        s_t &= H(v_t - \theta) \\
        r_t &= \begin{cases}
        v_t (1 - s_t) & (\texttt{zero}) \\
        v_t - \theta s_t & (\texttt{subtract})
        \end{cases}

    膜電位:math:`v_t`が閾値:math:`\theta`を超えると発火し、次の時刻にリセットされます。\
    閾値とちょうど等しいときは発火しません。\
    状態は層の中に持たず、スパイクと膜電位の組を、呼ぶ側が渡します。\
    ``step``は1ステップ、``run``はすべての時刻を進めます。\
    層を呼ぶと``run``と同じですが、記事の3つの引数で呼ぶと、記事と同じ1ステップです。

    :param threshold: 閾値。数か、入力とブロードキャストできる浮動小数点数のテンソル。\
        単位は膜電位と同じ。\
        テンソルは、型とデバイスを入力とそろえる。バッファとして``state_dict``に入り、\
        ``torch.nn.Parameter``なら学習できる。数も``state_dict``に入り、値の違う層には読み込めない。\
        あとから代入すると値を確かめないので、変えるときは層を作り直す
    :param reset: 発火した次の時刻に、``"zero"``は膜電位を0に戻し、``"subtract"``は閾値を引く
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る。\
        切らないと、発火のたびに勾配へ膜電位が掛かり、時刻を重ねると爆発しやすい
    :param surrogate: 膜電位から閾値を引いた値を受け取り、スパイクを返す関数。\
        既定は、記事の微分``Heaviside.apply``。学習させるなら、``ArcTan()``のような\
        ``snn_docs.surrogate``のインスタンスを渡す
    :raises TypeError: ``threshold``が数でも浮動小数点数のテンソルでもないときなど、型の合わないとき
    :raises ValueError: ``threshold``が非数（NaN）を含むとき、``reset``が規則の名前でないとき

    >>> import torch
    >>> from snn_docs import IF
    >>> layer = IF(threshold=1.0)
    >>> layer
    IF(threshold=1.0)
    >>> spikes, state = layer(torch.full((6,), 0.4))
    >>> spikes
    tensor([0., 0., 1., 0., 0., 1.])

    出典: chizuchizu「IFモデルをPyTorchで動かす」（2022年9月3日）
    """

    _usual = staticmethod(Heaviside.apply)

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        reset: Reset = "zero",
        detach_reset: bool = False,
        surrogate: Callable[[Tensor], Tensor] = Heaviside.apply,
    ) -> None:
        """閾値とリセットの規則を決めます。"""
        super().__init__(threshold, reset, detach_reset, surrogate)

    @overload
    def forward(self, inputs: Tensor, state: Parts | None = None) -> tuple[Tensor, State]: ...

    @overload
    def forward(self, v_previous: Tensor, vt: Tensor, s_previous: Tensor) -> Tensor: ...

    def forward(self, *arguments: Any, **named: Any) -> Any:
        r"""``run``と同じく、すべての時刻を進めます。引数が3つなら、記事と同じく1ステップです。

        .. math::

            s_t = H(r_{t-1} + I_t - \theta)

        記事の引数で呼ぶと、スパイクだけを返します。\
        引数``vt``は、この時刻の入力電流:math:`I_t`として使います。\
        記事は``vt``を膜電位と呼びますが、両者が一致するのは``v_previous``が0のときです。

        :param inputs: ``run``と同じ
        :param state: ``run``と同じ
        :param v\_previous: 1つ前の時刻の膜電位:math:`v_{t-1}`。リセットする前の値。\
            形は``[*]``、型は浮動小数点数
        :param vt: この時刻の入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
            形は``[*]``、型は``v_previous``と同じ
        :param s\_previous: 1つ前の時刻のスパイク:math:`s_{t-1}`。値は0か1。\
            形は``[*]``、型は``v_previous``と同じ
        :returns: 記事の引数なら、スパイク:math:`s_t`。形は引数をブロードキャストした``[*]``。\
            ほかは``run``と同じ
        :raises TypeError: 浮動小数点数のテンソルでない引数があるとき、型がそろわないとき
        :raises ValueError: デバイスがそろわないとき、形がブロードキャストできないとき

        >>> import torch
        >>> from snn_docs import IF
        >>> zeros = torch.zeros(2)
        >>> vt = torch.tensor([0.5, 1.5], requires_grad=True)
        >>> spikes = IF()(zeros, vt, zeros)
        >>> spikes.sum().backward()
        >>> vt.grad
        tensor([0., 1.])

        出典: chizuchizu「IFモデルをPyTorchで動かす」（2022年9月3日）
        """
        if len(arguments) + len(named) == 3:  # noqa: PLR2004 - the article's
            return self._article(*arguments, **named)
        return self.run(*arguments, **named)

    def _article(self, v_previous: Tensor, vt: Tensor, s_previous: Tensor) -> Tensor:
        rule = self._rule
        tensors = {"v_previous": v_previous, "vt": vt, "s_previous": s_previous}
        check_tensors("vt", tensors, **rule.by_argument)
        return equations.step(rule, vt, s_previous, v_previous)[0]


class LIF(Firing):
    r"""漏れのある積分発火（leaky integrate-and-fire）モデルを動かす層です。

    .. math::

        v_t &= (1 - \lambda)\, r_{t-1} + I_t \\
        s_t &= H(v_t - \theta)

    膜電位は1ステップごとに割合:math:`\lambda`だけ失われます。\
    :math:`r`はリセットしたあとの膜電位で、リセットの規則と使い方は``IF``と同じです。\
    漏れが0なら、スパイクと膜電位は``IF``とビット単位で等しくなります。\
    何も渡さなければ、代理勾配は、学習に向いた``ArcTan()``です。

    snnTorchの``beta``は:math:`1 - \lambda`、SpikingJellyの``tau``は:math:`1/\lambda`です。\
    snnTorchの``reset_mechanism="subtract"``は、漏れのあとで閾値を引くので、\
    ``reset="subtract"``より:math:`\lambda\theta`だけ多く引きます（下の例）。

    :param threshold: 閾値:math:`\theta`。``IF``と同じ
    :param leak: 漏れ:math:`\lambda`。0から1まで。\
        数か、入力とブロードキャストできる浮動小数点数のテンソル。\
        時定数が:math:`\tau`ステップなら:math:`1/\tau`。テンソルの扱いは``threshold``と同じ
    :param reset: ``"zero"``か``"subtract"``
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る
    :param surrogate: スパイクを返す関数。既定は``ArcTan()``
    :raises TypeError: ``leak``を名前で渡さないとき、``threshold``か``leak``が\
        数でも浮動小数点数のテンソルでもないときなど、型の合わないとき
    :raises ValueError: ``threshold``が非数（NaN）を含むとき、``leak``が0から1までにないとき

    >>> import torch
    >>> from snn_docs import LIF
    >>> layer = LIF(threshold=1.0, leak=0.5)
    >>> layer
    LIF(leak=0.5, threshold=1.0)
    >>> spikes, v = layer.record(torch.full((5,), 0.6))
    >>> v
    tensor([0.6000, 0.9000, 1.0500, 0.6000, 0.9000])
    >>> spikes
    tensor([0., 0., 1., 0., 0.])

    snnTorchの引き算に合わせるには、1ステップずつ、その差を入力から引きます。

    >>> layer = LIF(leak=0.5, reset="subtract")
    >>> s, state = torch.zeros(1), None
    >>> for _ in range(4):
    ...     more = layer.leak * layer.threshold * s.detach()
    ...     s, state = layer.step(torch.full((1,), 1.25) - more, state)
    ...     print(state.v)
    tensor([1.2500])
    tensor([0.8750])
    tensor([1.6875])
    tensor([1.0938])

    出典: :cite:t:`gerstner2014neuronal`
    """

    leak: float | Tensor

    @asks_for("leak=dt / tau")
    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        leak: float | Tensor,
        reset: Reset = "zero",
        detach_reset: bool = False,
        surrogate: Callable[[Tensor], Tensor] = USUAL,
    ) -> None:
        """閾値、漏れ、リセットの規則を決めます。"""
        super().__init__(threshold, reset, detach_reset, surrogate, leak=leak)


class PLIF(Firing):
    r"""漏れを学習するLIFモデル（parametric LIF）を動かす層です。

    .. math::

        \lambda &= \sigma(w) = \frac{1}{1 + e^{-w}} \\
        v_t &= (1 - \lambda)\, r_{t-1} + I_t \\
        s_t &= H(v_t - \theta)

    漏れの代わりに、どんな実数でもよいパラメータ:math:`w`を学習するので、\
    漏れはいつも0と1のあいだに収まります。\
    :math:`w`は、数で始めれば層に1つ、テンソルで始めればその形です。\
    ほかは``LIF``と同じで、漏れが:math:`\sigma(w)`の``LIF``とビット単位で等しくなります。

    元の論文は入力にも:math:`\lambda`を掛けます。ここでは、ほかのニューロンと同じように掛けません。\
    SpikingJellyの``ParametricLIFNode``では``decay_input=False``にあたります。

    :param threshold: 閾値:math:`\theta`。``IF``と同じ
    :param leak: 学習を始めるときの漏れ。0より大きく1より小さい。数か、\
        入力とブロードキャストできる浮動小数点数のテンソル
    :param reset: ``"zero"``か``"subtract"``
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る
    :param surrogate: スパイクを返す関数。既定は``ArcTan()``
    :raises TypeError: ``threshold``か``leak``が数でも浮動小数点数のテンソルでもないときなど、\
        型の合わないとき
    :raises ValueError: ``threshold``が非数（NaN）を含むとき、``leak``が0と1のあいだにないとき

    >>> import torch
    >>> from snn_docs import PLIF
    >>> layer = PLIF(leak=0.5)
    >>> layer
    PLIF(leak=0.5, threshold=1.0)
    >>> layer.w
    Parameter containing:
    tensor(0., requires_grad=True)
    >>> spikes, v = layer.record(torch.full((5,), 0.6))
    >>> v.sum().backward()
    >>> layer.w.grad
    tensor(-0.3694)

    出典: :cite:t:`fang2021plif`
    """

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        leak: float | Tensor = 0.5,
        reset: Reset = "zero",
        detach_reset: bool = False,
        surrogate: Callable[[Tensor], Tensor] = USUAL,
    ) -> None:
        """閾値、始めの漏れ、リセットの規則を決めます。"""
        super().__init__(threshold, reset, detach_reset, surrogate)
        check_leak(leak)
        start = leak.detach() if isinstance(leak, Tensor) else torch.tensor(float(leak))
        w = torch.logit(start)
        if not w.isfinite().all():
            raise ValueError(
                f"leak must be more than 0 and less than 1, but {leak} came, from where nothing is "
                "learnt; give for example 0.5, or take LIF for a leak that stays"
            )
        self.w = torch.nn.Parameter(w)

    @property
    def leak(self) -> Tensor:
        r"""いまの漏れ:math:`\sigma(w)`です。"""
        return torch.sigmoid(self.w)
