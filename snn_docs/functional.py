r"""発火の式です。状態もパラメータも持たない関数で、``IF``と``LIF``はこれを呼びます。"""

from collections.abc import Callable

from torch import Tensor

from snn_docs import bptt, equations
from snn_docs._checks import check_rule, check_tensors
from snn_docs.equations import Reset, Rule, decay_of
from snn_docs.surrogate import Heaviside


def step(
    v_previous: Tensor,
    inputs: Tensor,
    s_previous: Tensor,
    threshold: float | Tensor = 1.0,
    leak: float | Tensor = 0.0,
    *,
    reset: Reset = "zero",
    detach_reset: bool = False,
    surrogate: Callable[[Tensor], Tensor] = Heaviside.apply,
) -> tuple[Tensor, Tensor]:
    r"""1ステップ進め、スパイクと膜電位を返します。

    .. math::

        r_{t-1} &= \begin{cases}
        v_{t-1} (1 - s_{t-1}) & (\texttt{zero}) \\
        v_{t-1} - \theta s_{t-1} & (\texttt{subtract})
        \end{cases} \\
        v_t &= (1 - \lambda)\, r_{t-1} + I_t \\
        s_t &= H(v_t - \theta)

    :param v\_previous: 1つ前の時刻の膜電位:math:`v_{t-1}`。リセットする前の値。\
        形は``[*]``、型は浮動小数点数
    :param inputs: この時刻の入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
        形は``[*]``、型は``v_previous``と同じ
    :param s\_previous: 1つ前の時刻のスパイク:math:`s_{t-1}`。値は0か1。\
        形は``[*]``、型は``v_previous``と同じ
    :param threshold: 閾値:math:`\theta`。数か、``[*]``とブロードキャストできるテンソル。\
        単位は膜電位と同じ
    :param leak: 漏れ:math:`\lambda`。1ステップで失う膜電位の割合で、0から1まで。\
        数か、``[*]``とブロードキャストできるテンソル。時定数が:math:`\tau`ステップなら:math:`1/\tau`
    :param reset: 発火した次の時刻に、``"zero"``は膜電位を0に戻し、``"subtract"``は閾値を引く
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る
    :param surrogate: 膜電位から閾値を引いた値を受け取り、スパイクを返す関数。\
        ``Heaviside.apply``か、``snn_docs.surrogate``のインスタンス
    :returns: スパイク:math:`s_t`と、リセットする前の膜電位:math:`v_t`の組。\
        形は引数をブロードキャストした``[*]``
    :raises TypeError: 型の合わない引数があるとき
    :raises ValueError: 値の範囲、デバイス、形の合わない引数があるとき

    >>> import torch
    >>> from snn_docs.functional import step
    >>> v, s = torch.tensor([1.5, 0.5]), torch.tensor([1.0, 0.0])
    >>> step(v, torch.tensor([0.25, 0.25]), s, leak=0.5)
    (tensor([0., 0.]), tensor([0.2500, 0.5000]))
    >>> step(v, torch.tensor([0.25, 0.25]), s, leak=0.5, reset="subtract")
    (tensor([0., 0.]), tensor([0.5000, 0.5000]))

    出典: :cite:t:`gerstner2014neuronal`
    """
    check_rule(threshold, leak, reset, detach_reset, surrogate)
    rule = Rule(threshold, decay_of(leak), reset, detach_reset, surrogate)
    tensors = {"v_previous": v_previous, "inputs": inputs, "s_previous": s_previous}
    check_tensors("inputs", tensors, **rule.by_argument)
    spikes, v = equations.step(rule, inputs, s_previous, v_previous)
    return spikes, v


def record(
    inputs: Tensor,
    state: tuple[Tensor, Tensor] | None = None,
    threshold: float | Tensor = 1.0,
    leak: float | Tensor = 0.0,
    *,
    reset: Reset = "zero",
    detach_reset: bool = False,
    surrogate: Callable[[Tensor], Tensor] = Heaviside.apply,
) -> tuple[Tensor, Tensor]:
    r"""すべての時刻を一度に進め、すべての時刻のスパイクと膜電位を返します。

    値は、``step``を時刻の順に:math:`T`回呼んだときと、ビット単位で等しくなります。\
    勾配は、丸めの差を除いて等しくなります。逆伝播は、次の漸化式を終わりの時刻から解きます。\
    :math:`G^s_t`と:math:`G^v_t`は、外から届くスパイクと膜電位の勾配です。

    .. math::

        D_t &= \frac{\partial L}{\partial v_t} \\
        &= \Bigl(G^s_t + E_t \frac{\partial r_t}{\partial s_t}\Bigr) H'(v_t - \theta) \\
        &\quad + E_t \frac{\partial r_t}{\partial v_t} + G^v_t \\
        E_t &= (1 - \lambda) D_{t+1}

    確保する大きさ``[T, *]``のバッファは、順伝播で2つ、逆伝播でもう1つです。\
    勾配の要らないときは、何も保存しません。

    次のときは``step``を1つずつ呼ぶので、遅くなります。\
    半精度のとき、``torch.func``や前進モード、``torch.compile``の中で使うとき、\
    自分で書いた``surrogate``が、閾値ちょうどでも発火したり、学習するパラメータを持ったりするときです。\
    2階微分では、順伝播は変わらず、逆伝播だけを1ステップずつ計算します。

    :param inputs: 入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
        形は``[T, *]``、型は浮動小数点数。``T``は0でもよい
    :param state: 始まる前のスパイクと膜電位の組。形は``[*]``とブロードキャストできればよい。\
        続きから始めるには``(spikes[-1], v[-1])``を渡す。``None``なら、どちらも0。\
        この2つは``[T, *]``全体の記憶領域を指し、計算グラフにもつながっている。\
        勾配をそこで打ち切るなら``detach``し、前の区間のメモリを放すならさらに``clone``して渡す
    :param threshold: 閾値:math:`\theta`。数か、``[*]``とブロードキャストできるテンソル。\
        単位は膜電位と同じ
    :param leak: 漏れ:math:`\lambda`。1ステップで失う膜電位の割合で、0から1まで。\
        数か、``[*]``とブロードキャストできるテンソル。時定数が:math:`\tau`ステップなら:math:`1/\tau`
    :param reset: 発火した次の時刻に、``"zero"``は膜電位を0に戻し、``"subtract"``は閾値を引く
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る
    :param surrogate: 膜電位から閾値を引いた値を受け取り、スパイクを返す関数。\
        ``Heaviside.apply``か、``snn_docs.surrogate``のインスタンス
    :returns: スパイク:math:`s_t`と、リセットする前の膜電位:math:`v_t`の組。形はどちらも``[T, *]``
    :raises TypeError: 型の合わない引数があるとき
    :raises ValueError: 値の範囲、デバイス、形の合わない引数があるとき

    >>> import torch
    >>> from snn_docs.functional import record
    >>> inputs = torch.full((5, 1), 0.4)
    >>> spikes, v = record(inputs)
    >>> spikes.squeeze()
    tensor([0., 0., 1., 0., 0.])
    >>> v.squeeze()
    tensor([0.4000, 0.8000, 1.2000, 0.4000, 0.8000])
    >>> first = record(inputs[:2])
    >>> rest = record(inputs[2:], state=(first[0][-1], first[1][-1]))
    >>> torch.equal(torch.cat([first[1], rest[1]]), v)
    True

    出典: :cite:t:`neftci2019surrogate`
    """
    check_rule(threshold, leak, reset, detach_reset, surrogate)
    rule = Rule(threshold, decay_of(leak), reset, detach_reset, surrogate)
    return bptt.record(inputs, state, rule)
