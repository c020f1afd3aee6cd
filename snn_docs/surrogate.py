"""微分を都合よく構成した階段関数です。"""

from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction, FunctionCtx

from snn_docs._checks import check_floating


class SpikeFunction(Function):
    """スパイクを出す関数に共通の土台です。``torch.func``と``torch.compile``の両方で使えるようにします。

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
            cls._eager = type(cls.__name__, (cls,), {"jvp": staticmethod(cls.backward)})

    def __init__(self, *_arguments: object) -> None:
        """呼び方の間違いを知らせます。"""
        name = type(self).__name__
        raise TypeError(f"{name} is not called itself; call {name}.apply(input_)")

    @classmethod
    def apply(cls, input_: Tensor) -> Tensor:
        r"""スパイクを計算し、微分できるように記録します。

        :param input\_: 膜電位から閾値を引いた値。形は``[*]``、型は浮動小数点数
        :returns: スパイク。値は0か1。形・型・デバイスは``input_``と同じ
        :raises TypeError: ``input_``が浮動小数点数のテンソルでないとき
        """
        spikes: Tensor = super(SpikeFunction, cls._eager).apply(input_)  # type: ignore[no-untyped-call]
        return spikes


class Heaviside(SpikeFunction):
    r"""微分を都合よく構成したHeaviside関数です。

    .. math::

        H(x) = \begin{cases} 1 & (x > 0) \\ 0 & (x \le 0) \end{cases}
        \qquad
        \frac{dH}{dx} := H(x)

    本来の微分は、定義できない0を除いてどこでも0で、そのままでは学習が進みません。\
    そこで、発火したところ（:math:`x > 0`）では1、しなかったところでは0を微分とします。\
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

    出典: chizuchizu「IFモデルをPyTorchで動かす」2022-09-03
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
