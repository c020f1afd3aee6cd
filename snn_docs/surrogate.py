r"""微分を都合よく構成した階段関数です。

どれもスパイクは同じで、微分だけが違います。\
``Heaviside``は発火したら通す微分で、クラスのまま``Heaviside.apply``を渡します。\
ほかは、0から1へ滑らかに上がる関数の微分を借ります。``ArcTan(slope=2.0)``のようにインスタンスを作り、それを渡します。
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction, FunctionCtx

from snn_docs._checks import check_derivative, check_floating, check_positive


class SpikeFunction(Function):
    """スパイクを出す関数に共通の土台です。``torch.func``と``torch.compile``の両方で使えるようにします。

    自分の代理勾配を作るときは、これではなく``Surrogate``を継承します。\
    派生クラスは``forward``、``setup_context``、``backward``を決めます。\
    要素ごとの関数なので、前進モードの微分も``backward``と同じ式になります。
    """

    generate_vmap_rule = True  # for torch.func.vmap, jacrev, jacfwd and hessian
    _eager: "type[SpikeFunction]"

    def __init_subclass__(cls) -> None:
        """前進モードの微分を用意します。"""
        # Forward-mode differentiation needs a `jvp`, and torch.compile refuses a Function that
        # has one. It also looks past an overridden `apply`, at the class that the code names:
        # so compiled code gets the class, and eager code this subclass of it. The name is the
        # same, because torch shows it: grad_fn=<HeavisideBackward>.
        super().__init_subclass__()
        if "jvp" in vars(cls):
            cls._eager = cls
        else:
            cls._eager = type(cls.__name__, (cls,), {"jvp": staticmethod(cls._forward_mode)})

    @classmethod
    def _forward_mode(cls, ctx: BackwardCFunction, tangent: Tensor, *_others: None) -> Tensor:
        made: Tensor | tuple[Tensor, ...] = cls.backward(ctx, tangent)
        return made if isinstance(made, Tensor) else made[0]

    def __init__(self, *_arguments: object) -> None:
        """呼び方の間違いを知らせます。"""
        name = type(self).__name__
        raise TypeError(f"{name} is not called itself; call {name}.apply(input_)")

    @classmethod
    def apply(cls, input_: Tensor, *others: object) -> Tensor:
        r"""スパイクを計算し、微分できるように記録します。

        :param input\_: 膜電位から閾値を引いた値。形は``[*]``、型は浮動小数点数
        :param others: ``forward``が受け取る、微分しない引数
        :returns: スパイク。値は0か1。形・型・デバイスは``input_``と同じ
        :raises TypeError: ``input_``が浮動小数点数のテンソルでないとき
        """
        spikes: Tensor = super(SpikeFunction, cls._eager).apply(input_, *others)  # type: ignore[no-untyped-call]
        return spikes


class Heaviside(SpikeFunction):
    r"""微分を都合よく構成したHeaviside関数です。

    .. math::

        H(x) &= \begin{cases} 1 & (x > 0) \\ 0 & (x \le 0) \end{cases} \\
        \frac{dH}{dx} &:= H(x)

    本来の微分は、定義できない0を除いてどこでも0で、そのままでは学習が進みません。\
    そこで、発火したところ（:math:`x > 0`）では1、しなかったところでは0を微分とします。\
    これを「発火したら通す微分」と呼びます。\
    ちょうど0のときと非数（NaN）のときは発火しません。

    インスタンスは作らず、``Heaviside.apply(input_)``と呼びます。

    :param input\_: 膜電位から閾値を引いた値。単位は膜電位と同じ。\
        形は``[*]``、型は浮動小数点数なら何でもよい
    :returns: スパイク。値は0か1。形・型・デバイスは``input_``と同じ
    :rtype: ``torch.Tensor``
    :raises TypeError: ``input_``が浮動小数点数のテンソルでないとき

    >>> import torch
    >>> from snn_docs import Heaviside
    >>> x = torch.tensor([-0.5, 0.0, 0.5], requires_grad=True)
    >>> spikes = Heaviside.apply(x)
    >>> spikes
    tensor([0., 0., 1.], grad_fn=<HeavisideBackward>)
    >>> spikes.sum().backward()
    >>> x.grad
    tensor([0., 0., 1.])

    出典: chizuchizu「IFモデルをPyTorchで動かす」（2022年9月3日）
    """

    @staticmethod
    def forward(input_: Tensor) -> Tensor:
        """正のところを1、それ以外を0にします。"""
        check_floating(input_=input_)
        return (input_ > 0).to(input_.dtype)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None:
        """微分に使うスパイクを保存します。"""
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: BackwardCFunction, grad_output: Tensor) -> Tensor:
        """発火したところだけ勾配を通します。"""
        (out,) = ctx.saved_tensors  # {0, 1}
        return grad_output * out.bool()


class SurrogateSpike(SpikeFunction):
    """代理の微分をもつスパイクを出します。``Surrogate``のインスタンスを呼ぶと使われます。"""

    @staticmethod
    def forward(input_: Tensor, surrogate: "Surrogate") -> Tensor:
        """正のところを1、それ以外を0にします。"""
        return (input_ > 0).to(input_.dtype)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor, "Surrogate"], output: Tensor) -> None:
        """微分に使う入力を保存します。"""
        input_, ctx.surrogate = inputs  # type: ignore[attr-defined]
        ctx.save_for_backward(input_)
        ctx.save_for_forward(input_)

    @staticmethod
    def backward(ctx: BackwardCFunction, grad_output: Tensor) -> tuple[Tensor, None]:
        """滑らかな関数の微分を掛けます。"""
        (input_,) = ctx.saved_tensors
        return grad_output * ctx.surrogate.slopes(input_), None  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Surrogate(ABC):
    r"""滑らかな関数の微分を借りる階段関数です。派生クラスに共通の土台です。

    .. math::

        H(x) &= \begin{cases} 1 & (x > 0) \\ 0 & (x \le 0) \end{cases} \\
        \frac{dH}{dx} &:= \frac{d\sigma}{dx}

    傾き:math:`\alpha`の意味は、どの派生クラスでも同じです。\
    :math:`x=0`での微分であり、そこで微分は最も大きくなります。\
    傾きが大きいほど、微分は高く、狭くなります。

    自分で作るときは、``smooth``と``derivative``を決めた派生クラスを書きます。\
    それだけで、ここにあるものと同じように、``run``がすべての時刻を一度に進めます。\
    ``slope``のほかの値も引数で受け取るなら、``@dataclass(frozen=True)``を付けます。

    ただの関数を渡したときや、``__call__``を書き換えて発火のしかたを変えたときは、\
    1ステップずつ呼ばれ、数倍の時間がかかります。

    :param slope: 傾き:math:`\alpha`。正の有限な数。単位は膜電位の逆数
    :raises TypeError: ``slope``が数でないとき
    :raises ValueError: ``slope``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs.surrogate import Boxcar
    >>> spike = Boxcar(slope=2.0)
    >>> x = torch.tensor([-0.3, -0.2, 0.2, 0.3], requires_grad=True)
    >>> spikes = spike(x)
    >>> spikes.tolist()
    [0.0, 0.0, 1.0, 1.0]
    >>> spikes.sum().backward()
    >>> x.grad
    tensor([0., 2., 2., 0.])

    高さ``slope``のほかに幅``width``も選べる微分は、次のように作ります。

    >>> from dataclasses import dataclass
    >>> from snn_docs.surrogate import Surrogate
    >>> @dataclass(frozen=True)
    ... class Hill(Surrogate):
    ...     width: float = 0.5
    ...     def smooth(self, x):
    ...         return 0.5 + self.slope * self.width * torch.tanh(x / self.width)
    ...     def derivative(self, x):
    ...         return self.slope / torch.cosh(x / self.width) ** 2
    >>> Hill(width=0.25)
    Hill(slope=1.0, width=0.25)
    >>> Hill(width=0.25).derivative(torch.tensor([0.0, 0.25, -0.5]))
    tensor([1.0000, 0.4200, 0.0707])

    出典: :cite:t:`neftci2019surrogate`
    """

    slope: float = 1.0

    def __post_init__(self) -> None:
        """傾きを確かめます。"""
        check_positive(slope=self.slope)

    def __call__(self, input_: Tensor) -> Tensor:
        r"""スパイクを計算し、微分できるように記録します。

        :param input\_: 膜電位から閾値を引いた値。形は``[*]``、型は浮動小数点数
        :returns: スパイク。値は0か1。形・型・デバイスは``input_``と同じ
        :raises TypeError: ``input_``が浮動小数点数のテンソルでないとき
        """
        check_floating(input_=input_)
        return SurrogateSpike.apply(input_, self)

    def slopes(self, input_: Tensor) -> Tensor:
        """Return the derivative; raise for one that does not fit, which a class may define."""
        slopes = self.derivative(input_)
        check_derivative(slopes, input_)
        return slopes

    @abstractmethod
    def smooth(self, input_: Tensor) -> Tensor:
        r"""微分のもとになる、滑らかな関数:math:`\sigma(x)`です。

        :param input\_: 膜電位から閾値を引いた値。形は``[*]``
        :returns: 関数の値。形は``[*]``
        """

    @abstractmethod
    def derivative(self, input_: Tensor) -> Tensor:
        r"""スパイクの微分として使う:math:`d\sigma/dx`です。

        :param input\_: 膜電位から閾値を引いた値。形は``[*]``
        :returns: 微分の値。形は``[*]``、単位は膜電位の逆数
        """


@dataclass(frozen=True)
class ArcTan(Surrogate):
    r"""逆正接（arctangent）の微分を借ります。

    .. math::

        \sigma(x) &= \frac{1}{2} + \frac{1}{\pi} \arctan(\pi \alpha x) \\
        \frac{d\sigma}{dx} &= \frac{\alpha}{1 + (\pi \alpha x)^2}

    裾が長く、閾値から遠い膜電位にも勾配が届きます。

    snnTorchの``atan``とSpikingJellyの``ATan``では、``alpha``が:math:`2\alpha`です。

    :param slope: 傾き:math:`\alpha`。正の有限な数。単位は膜電位の逆数
    :raises TypeError: ``slope``が数でないとき
    :raises ValueError: ``slope``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs.surrogate import ArcTan
    >>> ArcTan(slope=2.0).derivative(torch.tensor([0.0, 0.25, -0.5]))
    tensor([2.0000, 0.5768, 0.1840])

    出典: :cite:t:`fang2021plif`
    """

    def smooth(self, input_: Tensor) -> Tensor:
        """滑らかな関数の値を返します。"""
        return 0.5 + torch.arctan(math.pi * self.slope * input_) / math.pi

    def derivative(self, input_: Tensor) -> Tensor:
        """その微分を返します。"""
        # k / (1 + (πkx)²) in two operations on all elements, where as written there are six
        offset = input_.new_full((), 1 / self.slope)
        return torch.addcmul(offset, input_, input_, value=math.pi**2 * self.slope).reciprocal_()


USUAL = ArcTan()
"""What a neuron takes that is told nothing, except IF, which is the article's."""


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    r"""高速シグモイド（fast sigmoid）の微分を借ります。

    .. math::

        \sigma(x) &= \frac{1}{2} + \frac{\alpha x}{1 + 2\alpha|x|} \\
        \frac{d\sigma}{dx} &= \frac{\alpha}{(1 + 2\alpha|x|)^2}

    指数関数を使わず、裾が長く残ります。SuperSpikeの代理勾配と同じ形です。

    SpikingJellyの``SoftSign``では、``alpha``が:math:`2\alpha`です。\
    snnTorchの``fast_sigmoid``の``slope``も:math:`2\alpha`ですが、:math:`x=0`の高さを1にそろえていて、\
    値はここの:math:`1/\alpha`倍です。\
    Norseの``superspike``は、``alpha``によらず、:math:`\alpha=1/2`の値の2倍です。

    :param slope: 傾き:math:`\alpha`。正の有限な数。単位は膜電位の逆数
    :raises TypeError: ``slope``が数でないとき
    :raises ValueError: ``slope``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs.surrogate import FastSigmoid
    >>> FastSigmoid(slope=2.0).derivative(torch.tensor([0.0, 0.25, -0.5]))
    tensor([2.0000, 0.5000, 0.2222])

    出典: :cite:t:`zenke2018superspike`
    """

    def smooth(self, input_: Tensor) -> Tensor:
        """滑らかな関数の値を返します。"""
        return 0.5 + self.slope * input_ / (1 + 2 * self.slope * input_.abs())

    def derivative(self, input_: Tensor) -> Tensor:
        """その微分を返します。"""
        return self.slope / (1 + 2 * self.slope * input_.abs()).square()


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    r"""シグモイド（sigmoid）の微分を借ります。

    .. math::

        \sigma(x) &= \frac{1}{1 + e^{-4\alpha x}} \\
        \frac{d\sigma}{dx} &= 4\alpha\,\sigma(x)\,(1 - \sigma(x))

    裾は指数関数の速さで消えます。

    snnTorchの``sigmoid``の``slope``とSpikingJellyの``Sigmoid``の``alpha``は:math:`4\alpha`です。

    :param slope: 傾き:math:`\alpha`。正の有限な数。単位は膜電位の逆数
    :raises TypeError: ``slope``が数でないとき
    :raises ValueError: ``slope``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs.surrogate import Sigmoid
    >>> Sigmoid(slope=2.0).derivative(torch.tensor([0.0, 0.25, -0.5]))
    tensor([2.0000, 0.8399, 0.1413])

    出典: :cite:t:`zenke2021robustness`
    """

    def smooth(self, input_: Tensor) -> Tensor:
        """滑らかな関数の値を返します。"""
        return torch.sigmoid(4 * self.slope * input_)

    def derivative(self, input_: Tensor) -> Tensor:
        """その微分を返します。"""
        smooth = self.smooth(input_)
        return 4 * self.slope * smooth * (1 - smooth)


@dataclass(frozen=True)
class Triangle(Surrogate):
    r"""三角形（triangle）の微分です。

    .. math::

        u &= \alpha x \\
        \sigma(x) &= \begin{cases}
        0 & (u \le -1) \\
        \frac{1}{2} + u - \frac{1}{2} u\,|u| & (|u| < 1) \\
        1 & (u \ge 1)
        \end{cases} \\
        \frac{d\sigma}{dx} &= \alpha \max(0,\ 1 - |u|)

    閾値から:math:`1/\alpha`より離れると、勾配は届きません。

    SpikingJellyの``PiecewiseQuadratic``では、``alpha``がそのまま:math:`\alpha`です。\
    Bellecらは:math:`\alpha=1`の高さを0.3倍にしています。

    :param slope: 傾き:math:`\alpha`。正の有限な数。単位は膜電位の逆数
    :raises TypeError: ``slope``が数でないとき
    :raises ValueError: ``slope``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs.surrogate import Triangle
    >>> Triangle(slope=2.0).derivative(torch.tensor([0.0, 0.25, -0.5]))
    tensor([2., 1., 0.])

    出典: :cite:t:`esser2016convolutional`、:cite:t:`bellec2018lsnn`
    """

    def smooth(self, input_: Tensor) -> Tensor:
        """滑らかな関数の値を返します。"""
        scaled = (self.slope * input_).clamp(-1, 1)
        return 0.5 + scaled - scaled * scaled.abs() / 2

    def derivative(self, input_: Tensor) -> Tensor:
        """その微分を返します。"""
        return self.slope * (1 - self.slope * input_.abs()).clamp(min=0)


@dataclass(frozen=True)
class Boxcar(Surrogate):
    r"""矩形（boxcar）の微分です。

    .. math::

        \sigma(x) &= \min(\max(\alpha x + \tfrac{1}{2},\ 0),\ 1) \\
        \frac{d\sigma}{dx} &= \begin{cases}
        \alpha & (|x| \le 1/(2\alpha)) \\
        0 & (|x| > 1/(2\alpha))
        \end{cases}

    閾値から:math:`1/(2\alpha)`より離れると、勾配は届きません。

    SpikingJellyの``Rect``では、``alpha``がそのまま:math:`\alpha`です。\
    Wuらは幅:math:`a_1 = 1/\alpha`で表します。

    :param slope: 傾き:math:`\alpha`。正の有限な数。単位は膜電位の逆数
    :raises TypeError: ``slope``が数でないとき
    :raises ValueError: ``slope``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs.surrogate import Boxcar
    >>> Boxcar(slope=2.0).derivative(torch.tensor([0.0, 0.25, -0.5]))
    tensor([2., 2., 0.])

    出典: :cite:t:`wu2018stbp`
    """

    def smooth(self, input_: Tensor) -> Tensor:
        """滑らかな関数の値を返します。"""
        return (self.slope * input_ + 0.5).clamp(0, 1)

    def derivative(self, input_: Tensor) -> Tensor:
        """その微分を返します。"""
        return self.slope * (input_.abs() <= 0.5 / self.slope).to(input_.dtype)


@dataclass(frozen=True)
class StraightThrough(Surrogate):
    r"""勾配をそのまま通します（straight-through estimator）。

    .. math::

        \sigma(x) &= \frac{1}{2} + \alpha x \\
        \frac{d\sigma}{dx} &= \alpha

    発火してもしなくても、勾配は同じです。滑らかな関数は0から1の間に収まりません。

    snnTorchの``straight_through_estimator``は:math:`\alpha=1`です。

    :param slope: 傾き:math:`\alpha`。正の有限な数。単位は膜電位の逆数
    :raises TypeError: ``slope``が数でないとき
    :raises ValueError: ``slope``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs.surrogate import StraightThrough
    >>> StraightThrough(slope=2.0).derivative(torch.tensor([0.0, 0.25, -0.5]))
    tensor([2., 2., 2.])

    出典: :cite:t:`bengio2013estimating`
    """

    def smooth(self, input_: Tensor) -> Tensor:
        """滑らかな関数の値を返します。"""
        return 0.5 + self.slope * input_

    def derivative(self, input_: Tensor) -> Tensor:
        """その微分を返します。"""
        return torch.full_like(input_, self.slope)


def slope_is_spike(surrogate: Callable[[Tensor], Tensor]) -> bool:
    """Tell whether the slope of a surrogate is the spike itself: no potential is needed for it."""
    return surrogate == Heaviside.apply


def has_derivative(surrogate: Callable[[Tensor], Tensor]) -> bool:
    """Tell whether a surrogate fires as this package's do, and names its derivative.

    Any other one may fire at the threshold itself, or at random, or learn: it is asked each step.
    """
    own = isinstance(surrogate, Surrogate) and type(surrogate).__call__ is Surrogate.__call__
    return own or slope_is_spike(surrogate)
