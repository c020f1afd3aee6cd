r"""発火の式です。状態もパラメータも持たない関数で、``IF``と``LIF``はこれを呼びます。"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad
from torch.autograd.function import BackwardCFunction

from snn_docs import kernels
from snn_docs._checks import check_leak, check_rule, check_run, check_step, check_threshold
from snn_docs.surrogate import Heaviside, Surrogate

Reset = Literal["zero", "subtract"]


class Rule(NamedTuple):
    """How a neuron fires and resets."""

    threshold: float | Tensor
    leak: float | Tensor
    reset: Reset
    detach_reset: bool
    surrogate: Callable[[Tensor], Tensor]

    def check(self) -> None:
        """Raise TypeError or ValueError for what can't be part of a rule."""
        check_threshold(self.threshold)
        check_leak(self.leak)
        check_rule(self.reset, self.detach_reset, self.surrogate)


def step(
    v_previous: Tensor,
    vt: Tensor,
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
        v_{t-1} (1 - s_{t-1}) & (\text{reset = zero}) \\
        v_{t-1} - \theta s_{t-1} & (\text{reset = subtract})
        \end{cases} \\
        v_t &= (1 - \lambda)\, r_{t-1} + I_t \\
        s_t &= H(v_t - \theta)

    :param v\_previous: 1つ前の時刻の膜電位:math:`v_{t-1}`。リセットする前の値。\
        形は``[*]``、型は浮動小数点数
    :param vt: この時刻の入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
        形は``[*]``、型は``v_previous``と同じ
    :param s\_previous: 1つ前の時刻のスパイク:math:`s_{t-1}`。値は0か1。\
        形は``[*]``、型は``v_previous``と同じ
    :param threshold: 閾値:math:`\theta`。数か、``[*]``とブロードキャストできるテンソル。\
        単位は膜電位と同じ
    :param leak: 漏れ:math:`\lambda`。1ステップで失う膜電位の割合で、0から1まで。\
        数か、``[*]``とブロードキャストできるテンソル。時定数が:math:`\tau`ステップなら:math:`1/\tau`
    :param reset: 発火した次の時刻に、``"zero"``は膜電位を0へ戻し、``"subtract"``は閾値を引く
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る
    :param surrogate: 膜電位から閾値を引いた値を受けとり、スパイクを返す関数。\
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

    出典: Gerstner et al. (2014), Neuronal Dynamics, Cambridge University Press
    """
    rule = Rule(threshold, leak, reset, detach_reset, surrogate)
    rule.check()
    return checked_step(v_previous, vt, s_previous, rule)


def run(
    inputs: Tensor,
    state: tuple[Tensor, Tensor] | None = None,
    threshold: float | Tensor = 1.0,
    leak: float | Tensor = 0.0,
    *,
    reset: Reset = "zero",
    detach_reset: bool = False,
    surrogate: Callable[[Tensor], Tensor] = Heaviside.apply,
) -> tuple[Tensor, Tensor]:
    r"""すべての時刻を一度に進め、スパイクと膜電位を返します。

    値は、``step``を時刻の順に:math:`T`回呼んだときと、ビットまで等しくなります。\
    勾配は、丸めの差を除いて等しくなります。逆伝播は、次の漸化式を終わりの時刻から解きます。\
    :math:`G^s_t`と:math:`G^v_t`は、外から届くスパイクと膜電位の勾配です。

    .. math::

        D_t = \frac{\partial L}{\partial v_t}
        = \Bigl(G^s_t
        + (1 - \lambda) D_{t+1} \frac{\partial r_t}{\partial s_t}\Bigr) H'(v_t - \theta)
        + (1 - \lambda) D_{t+1} \frac{\partial r_t}{\partial v_t} + G^v_t

    確保する大きさ``[T, *]``のバッファは、順伝播で2つ、逆伝播でもう1つです。\
    勾配の要らないときは、何も保存しません。

    次のときは``step``を1つずつ呼ぶので、遅くなります。\
    このパッケージにない``surrogate``を渡したとき、半精度のとき、``torch.func``や前進モード、\
    ``torch.compile``の中で使うときです。\
    2階微分では、順伝播は変わらず、逆伝播だけを1ステップずつ計算します。

    :param inputs: 入力電流:math:`I_t`。1ステップあたりの膜電位の増分。\
        形は``[T, *]``、型は浮動小数点数。``T``は0でもよい
    :param state: 始まる前のスパイクと膜電位の組。形は``[*]``とブロードキャストできればよい。\
        続きから始めるには``(spikes[-1], v[-1])``を渡す。``None``なら、どちらも0
    :param threshold: 閾値:math:`\theta`。数か、``[*]``とブロードキャストできるテンソル。\
        単位は膜電位と同じ
    :param leak: 漏れ:math:`\lambda`。1ステップで失う膜電位の割合で、0から1まで。\
        数か、``[*]``とブロードキャストできるテンソル。時定数が:math:`\tau`ステップなら:math:`1/\tau`
    :param reset: 発火した次の時刻に、``"zero"``は膜電位を0へ戻し、``"subtract"``は閾値を引く
    :param detach\_reset: ``True``なら、リセットを通る勾配を切る
    :param surrogate: 膜電位から閾値を引いた値を受けとり、スパイクを返す関数。\
        ``Heaviside.apply``か、``snn_docs.surrogate``のインスタンス
    :returns: スパイク:math:`s_t`と、リセットする前の膜電位:math:`v_t`の組。形はどちらも``[T, *]``
    :raises TypeError: 型の合わない引数があるとき
    :raises ValueError: 値の範囲、デバイス、形の合わない引数があるとき

    >>> import torch
    >>> from snn_docs.functional import run
    >>> inputs = torch.full((5, 1), 0.4)
    >>> spikes, v = run(inputs)
    >>> spikes.squeeze()
    tensor([0., 0., 1., 0., 0.])
    >>> v.squeeze()
    tensor([0.4000, 0.8000, 1.2000, 0.4000, 0.8000])
    >>> first = run(inputs[:2])
    >>> rest = run(inputs[2:], state=(first[0][-1], first[1][-1]))
    >>> torch.equal(torch.cat([first[1], rest[1]]), v)
    True

    出典: Neftci, Mostafa, Zenke (2019), IEEE Signal Processing Magazine 36:51–63
    """
    rule = Rule(threshold, leak, reset, detach_reset, surrogate)
    rule.check()
    return checked_run(inputs, state, rule)


_loops: ModuleType = kernels


def backend(name: Literal["torch", "numba"] | None = None) -> str:
    r"""時刻の繰り返しを何で計算するかを選び、使うものの名前を返します。

    .. math::

        v^{\text{numba}}_t = v^{\text{torch}}_t, \qquad
        s^{\text{numba}}_t = s^{\text{torch}}_t, \qquad
        D^{\text{numba}}_t = D^{\text{torch}}_t

    はじめは``"torch"``で、PyTorchの演算だけを使います。\
    ``"numba"``は、``run``の繰り返しを機械語に翻訳して使います。\
    どちらも結果はビットまで等しく、小さい層ほど``"numba"``が速くなります。\
    翻訳は最初の1回だけ数秒かかり、結果はディスクに残ります。\
    CPUにないテンソルには、いつも``"torch"``を使います。

    :param name: ``"torch"``か``"numba"``。``None``なら変えない
    :returns: いま選ばれているものの名前
    :raises ImportError: numbaがないのに``"numba"``を選んだとき。\
        ``pip install "snn-docs[fast]"``で入る
    :raises ValueError: 知らない名前のとき

    >>> from snn_docs import functional
    >>> functional.backend()
    'torch'
    >>> functional.backend("numba")
    'numba'
    >>> functional.backend("torch")
    'torch'

    出典: Lam, Pitrou, Seibert (2015), LLVM-HPC, Numba: a LLVM-based Python JIT compiler
    """
    global _loops  # noqa: PLW0603 - one setting for the process, as torch.set_num_threads
    if name not in (None, "torch", "numba"):
        raise ValueError(f"the backend must be 'torch' or 'numba', but {name!r} came")
    if name is not None:
        home = "snn_docs.kernels" if name == "torch" else "snn_docs.kernels_numba"
        _loops = importlib.import_module(home)
    return "torch" if _loops is kernels else "numba"


def _loops_for(inputs: Tensor) -> ModuleType:
    return _loops if inputs.device.type == "cpu" else kernels


def checked_step(
    v_previous: Tensor, vt: Tensor, s_previous: Tensor, rule: Rule
) -> tuple[Tensor, Tensor]:
    """Take one step by a rule that has been checked."""
    check_step(v_previous, vt, s_previous, rule.threshold, rule.leak)
    return _step(v_previous, vt, s_previous, rule)


def checked_run(
    inputs: Tensor, state: tuple[Tensor, Tensor] | None, rule: Rule
) -> tuple[Tensor, Tensor]:
    """Run over all of time by a rule that has been checked."""
    shape = check_run(inputs, state, rule.threshold, rule.leak)
    if shape != inputs.shape[1:]:
        ones = [1] * (len(shape) + 1 - inputs.dim())
        inputs = inputs.reshape(len(inputs), *ones, *inputs.shape[1:]).expand(-1, *shape)
    if not len(inputs):
        return inputs.clone(), inputs.clone()
    tensors = [x for x in (inputs, *(state or ()), *rule[:2]) if isinstance(x, Tensor)]
    if _one_by_one(tensors, rule):
        return _loop(inputs, state, rule)
    carried = None if state is None else _carried(state[1], state[0], rule).expand(shape)
    kept = _kept(rule)
    threshold = _tensor(rule.threshold, inputs)
    kept = None if kept is None else _tensor(kept, inputs)
    if not torch.is_grad_enabled() or not any(x.requires_grad for x in tensors):
        constants = kernels.Constants(threshold, kept, rule.reset == "subtract")
        spikes, v = _loops_for(inputs).forward(inputs, carried, constants)
    else:
        spikes, v = _Run.apply(inputs, carried, threshold, kept, rule)  # type: ignore[no-untyped-call]
    return spikes, v


def _tensor(value: float | Tensor, like: Tensor) -> Tensor:
    """Return the same bits as a tensor, which operations take faster than a number."""
    return value if isinstance(value, Tensor) else like.new_full((), value)


def _kept(rule: Rule) -> float | Tensor | None:
    """Return the part of the potential that the leak leaves, or None if that is all."""
    if isinstance(rule.leak, int | float) and rule.leak == 0:
        return None
    return 1 - rule.leak


def _carried(v_previous: Tensor, s_previous: Tensor, rule: Rule) -> Tensor:
    """Return what is left of the potential after reset and leak."""
    s = s_previous.detach() if rule.detach_reset else s_previous
    left = v_previous * (1 - s) if rule.reset == "zero" else v_previous - s * rule.threshold
    kept = _kept(rule)
    return left if kept is None else left * kept


def _step(v_previous: Tensor, vt: Tensor, s_previous: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    x = _carried(v_previous, s_previous, rule) + vt
    return rule.surrogate(x - rule.threshold), x


def _loop(inputs: Tensor, state: tuple[Tensor, Tensor] | None, rule: Rule) -> tuple[Tensor, Tensor]:
    """Run step by step, which every transform of torch understands."""
    s, v = state or (torch.zeros_like(inputs[0]),) * 2
    record = []
    for current in inputs:
        s, v = _step(v, current, s, rule)
        record.append((s, v))
    spikes, potentials = (torch.stack(part) for part in zip(*record, strict=True))
    return spikes, potentials


def _one_by_one(tensors: list[Tensor], rule: Rule) -> bool:
    """Tell whether the steps must be taken one by one.

    All at once go the surrogates of this package, in the dtypes that round a number as a tensor.
    """
    return (
        torch.compiler.is_compiling()  # first: what follows it can't trace
        or torch._C._are_functorch_transforms_active()  # noqa: SLF001 - torch has no public name
        or not (rule.surrogate == Heaviside.apply or isinstance(rule.surrogate, Surrogate))
        or tensors[0].dtype not in (torch.float32, torch.float64)
        or any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors)
    )


class Record(NamedTuple):
    """Some steps in a row, and the gradients that arrive there: each `[T, *]`."""

    spikes: Tensor
    v: Tensor
    grad_spikes: Tensor
    grad_v: Tensor | None


class _Context(BackwardCFunction):
    rule: Rule
    loops: ModuleType


class _Run(Function):
    """All of time in one call. Its derivative is the exact adjoint, linear in the gradients."""

    @staticmethod
    def forward(
        ctx: _Context,
        inputs: Tensor,
        carried: Tensor | None,
        threshold: Tensor,
        kept: Tensor | None,
        rule: Rule,
    ) -> tuple[Tensor, Tensor]:
        ctx.rule, ctx.loops = rule, _loops_for(inputs)
        # detached, because torch keeps books of the views of a tensor that has gradients
        constants = kernels.Constants(threshold, kept, rule.reset == "subtract")
        spikes, v = ctx.loops.forward(inputs.detach(), carried, constants)
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        reset_by_v = not (rule.reset == "subtract" or rule.detach_reset)
        needs_v = reset_by_v or isinstance(rule.surrogate, Surrogate) or wanted[3]
        ctx.save_for_backward(spikes, v if needs_v else None, threshold, kept)  # type: ignore[arg-type]
        ctx.set_materialize_grads(value=False)
        return spikes, v

    @staticmethod
    def backward(
        ctx: _Context, grad_spikes: Tensor | None, grad_v: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        spikes, v, threshold, kept = ctx.saved_tensors  # type: ignore[misc]
        if v is None:
            v = spikes  # a stand-in: nothing that is wanted depends on it
        if grad_spikes is None:
            grad_spikes = spikes.new_zeros(()).expand_as(spikes)
        adjoint = _Adjoint(ctx.rule, threshold, kept, wanted[2:4])
        if torch.is_grad_enabled():  # the gradient may be differentiated again
            record = Record(spikes, v, grad_spikes, grad_v)
            grad, sums = adjoint.solve_in_the_open(record)
        else:
            record = Record(spikes.detach(), v.detach(), grad_spikes, grad_v)
            grad, sums = adjoint.solve(record, ctx.loops)
        carried = grad[0].clone() if wanted[1] else None  # not a view, which would share memory
        return grad, carried, *sums, None


BLOCK = 2**15  # gradients whose terms are computed at once


class _Adjoint(NamedTuple):
    """The backward pass: D[t] = arriving[t] + factors[t] · D[t+1], see `run`."""

    rule: Rule
    threshold: Tensor
    kept: Tensor | None
    wanted: tuple[bool, ...]  # the gradients of these two

    def solve(self, record: Record, loops: ModuleType) -> tuple[Tensor, list[Tensor | None]]:
        """Return the gradients of the potentials, and of the constants."""
        grad = torch.empty_like(record.spikes)
        sums: list[Tensor | None] = [None, None]
        rule = self.rule
        smooth = isinstance(rule.surrogate, Surrogate)
        plain = not smooth and rule.reset == "zero" and record.grad_v is None
        if plain and rule.detach_reset and not any(self.wanted):
            loops.backward_choosing(grad, record.grad_spikes, record.spikes, self.kept)
            return grad, sums
        later = None
        length = max(1, BLOCK // max(1, grad[0].numel()))
        for start in reversed(range(0, len(grad), length)):
            block = slice(start, start + length)
            part = Record(*(None if x is None else x[block] for x in record))  # type: ignore[arg-type]
            slopes, arriving, factors = self.terms(part)
            loops.backward(grad[block], arriving, factors, later)
            if any(self.wanted):
                after = grad[start + 1 : start + length + 1]
                sums = list(map(_plus, sums, self.sums(part, slopes, after)))
            later = grad[start]
        return grad, sums

    def solve_in_the_open(self, record: Record) -> tuple[Tensor, list[Tensor | None]]:
        """Return what `solve` does, from operations that autograd records."""
        slopes, arriving, factors = self.terms(record)
        grads = [arriving[-1]]
        for t in reversed(range(len(arriving) - 1)):
            grads.append(torch.addcmul(arriving[t], grads[-1], factors[t]))
        grad = torch.stack(grads[::-1])
        return grad, self.sums(record, slopes, grad[1:])

    def terms(self, record: Record) -> tuple[Tensor, Tensor, Tensor]:
        """Return the slopes of the spikes, and what arrives and how much of the next is kept."""
        spikes, v, grad_spikes, grad_v = record
        slopes = spikes.detach()
        if isinstance(self.rule.surrogate, Surrogate):
            slopes = self.rule.surrogate.derivative(v - self.threshold)
        arriving = grad_spikes * slopes
        if grad_v is not None:
            arriving = arriving + grad_v
        factors = (
            torch.ones_like(spikes) if self.rule.reset == "subtract" else 1 - self.held(spikes)
        )
        if not self.rule.detach_reset:
            factors = torch.addcmul(factors, self.taken(v), slopes, value=-1)
        return slopes, arriving, factors if self.kept is None else factors * self.kept

    def sums(self, record: Record, slopes: Tensor, after: Tensor) -> list[Tensor | None]:
        """Return the gradients of the constants; `after` are those of the steps after."""
        spikes, v, grad_spikes, _ = record
        threshold = kept = None
        s, v, slope = (x[: len(after)] for x in (self.held(spikes), v, slopes))
        if self.wanted[0]:
            carry = after if self.kept is None else after * self.kept
            threshold = -(grad_spikes * slopes).sum(0)
            if not self.rule.detach_reset:
                threshold = threshold + (carry * self.taken(v) * slope).sum(0)
            if self.rule.reset == "subtract":
                threshold = threshold - (s * carry).sum(0)
            threshold = threshold.sum_to_size(self.threshold.shape)
        if self.wanted[1] and self.kept is not None:
            kept = (after * (v - s * self.taken(v))).sum(0).sum_to_size(self.kept.shape)
        return [threshold, kept]

    def held(self, spikes: Tensor) -> Tensor:
        """Return the spikes as the reset sees them."""
        return spikes.detach() if self.rule.detach_reset else spikes

    def taken(self, v: Tensor) -> Tensor:
        """Return what the reset takes with each spike."""
        return self.threshold if self.rule.reset == "subtract" else v


def _plus(total: Tensor | None, term: Tensor | None) -> Tensor | None:
    return term if total is None else total + term  # type: ignore[operator]
