"""層を一列に並べたネットワークです。PyTorchの層とニューロンを混ぜられます。"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase

from snn_docs._checks import (
    check_alike_parameters,
    check_finite,
    check_integer,
    check_layer,
    check_parts,
    check_time,
    step_shape,
    type_name,
)
from snn_docs._module import Container, check_contract, evaluating, is_watched, run_layer

NetworkState = tuple[Any, ...]  # for each layer its state; None for torch's

BYTES_AT_ONCE = 2**23  # that the widest layer gives in a block of time: what a cache holds


class Sequential(Container, torch.nn.Sequential):
    r"""PyTorchの層とニューロンの層を、一列に並べたネットワークです。

    .. math::

        x^{(0)}_t &= I_t \\
        x^{(l)}_t &= f^{(l)}(x^{(l-1)}_t) \\
        y_t &= x^{(L)}_t

    ``torch.nn.Sequential``と同じように作り、表示し、添字で層を取り出し、``state_dict``で保存します。\
    違うのは、入力の先頭に時刻の次元があることです。\
    標本を先頭に並べた``[B, T, *]``は、形だけでは見分けられず、誤って動きます。\
    ``DataLoader``から受け取ったら、``inputs.transpose(0, 1)``で時刻を先頭にしてください。\
    ``Conv2d``や``Linear``などのPyTorchの層は、どの時刻にも同じように働きます。\
    ニューロンの層（``IF``、``LIF``、``LI``など）、``Recurrent``、この``Sequential``は、状態を次の時刻へ持ち越します。\
    自分で書いた層も、``step(inputs, state=None)``と``run(inputs, state=None)``が\
    出力と状態を返せば、同じように並びます。

    時刻は、層の出力がキャッシュに収まる長さの区間に分けて進めます。\
    区間の長さが変わっても、ニューロンの値は変わらず、ほかの層の値は丸めの差だけ変わります。\
    訓練中のバッチ正規化は、すべての時刻とバッチにわたる統計を使うので、あれば区間に分けません。\
    フックを付けた層があるときも分けません。\
    ニューロンのフックは、``[T, B, *]``の入力と、スパイクと状態の組を、1度に受け取ります。\
    中に入れた``Sequential``と``Recurrent``のフックも、同じように、入力と、出力と状態の組を受け取ります。

    ``Network``は、全結合層だけを、大きさを並べて作るものです。

    :param layers: 層の並び。``torch.nn.Module``か、名前から層への``OrderedDict``

    >>> import torch
    >>> from snn_docs import LI, LIF
    >>> from snn_docs.sequential import Sequential
    >>> network = Sequential(
    ...     torch.nn.Conv2d(1, 4, kernel_size=3),
    ...     LIF(leak=0.1),
    ...     torch.nn.Flatten(),
    ...     torch.nn.Linear(4 * 6 * 6, 10),
    ...     LI(leak=0.1),
    ... )
    >>> network
    Sequential(
      (0): Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1))
      (1): LIF(leak=0.1, threshold=1.0)
      (2): Flatten(start_dim=1, end_dim=-1)
      (3): Linear(in_features=144, out_features=10, bias=True)
      (4): LI(leak=0.1)
    )
    >>> print(network.describe(1, 8, 8))
    inputs      [T, B, 1, 8, 8]
    0 Conv2d    [T, B, 4, 6, 6]
    1 LIF       [T, B, 4, 6, 6]
    2 Flatten   [T, B, 144]
    3 Linear    [T, B, 10]
    4 LI        [T, B, 10]
    >>> network(torch.rand(5, 2, 1, 8, 8)).shape
    torch.Size([5, 2, 10])

    出典: :cite:t:`eshraghian2023training`
    """

    def add_module(self, name: str, module: torch.nn.Module | None) -> None:
        """Add a layer; raise TypeError for what is none, before torch does in its own words."""
        if module is not None and not isinstance(module, torch.nn.Module):
            came = f"the class {module.__name__}" if isinstance(module, type) else type_name(module)
            raise TypeError(
                f"layer {name} must be a torch.nn.Module, but {came} came; make a layer of a class "
                "by calling it, and give layers one by one: Sequential(*layers)"
            )
        super().add_module(name, module)

    def step(
        self, inputs: Tensor, state: NetworkState | None = None
    ) -> tuple[Tensor, NetworkState]:
        r"""1ステップ進め、最後の層の出力と、次に渡す状態を返します。

        .. math::

            (y_t, z_t) = f(I_t, z_{t-1})

        :param inputs: この時刻の入力:math:`I_t`。形は``[B, *]``、型は重みと同じ浮動小数点数
        :param state: 1つ前の時刻の状態:math:`z_{t-1}`。\
            ``step``か``run``が返したもの。``None``なら0
        :returns: 最後の層の出力。形は``[B, *]``。それと、状態:math:`z_t`
        :raises TypeError: ``run``と同じ
        :raises ValueError: ``run``と同じ

        >>> import torch
        >>> from snn_docs import LI
        >>> from snn_docs.sequential import Sequential
        >>> network, state = Sequential(LI(leak=0.5)), None
        >>> for _ in range(3):
        ...     v, state = network.step(torch.ones(1, 1), state)
        ...     print(v)
        tensor([[1.]])
        tensor([[1.5000]])
        tensor([[1.7500]])
        """
        outputs, after = self.run(inputs[None], state)
        return outputs[0], after

    def run(self, inputs: Tensor, state: NetworkState | None = None) -> tuple[Tensor, NetworkState]:
        r"""すべての時刻を動かし、最後の層の出力と、次に渡す状態を返します。

        .. math::

            (y_{1:T}, z_T) = f(I_{1:T}, z_0)

        状態は計算グラフにつながっています。勾配をそこで打ち切るなら、テンソルを``detach``して渡します。

        :param inputs: 入力:math:`I_t`。形は``[T, B, *]``、型は重みと同じ浮動小数点数。\
            ``T``は0でもよい
        :param state: 始まる前の状態:math:`z_0`。``step``か``run``が返したもの。``None``なら0
        :returns: 最後の層の出力。形は``[T, B, *]``。それと、終わりの時刻の状態:math:`z_T`。\
            層ごとに、``IF``と``LIF``はスパイクと膜電位の組、``ALIF``はそれに発火の跡を加えた組、\
            ``LI``は膜電位、``Recurrent``は出力とニューロンの状態の組、PyTorchの層は``None``
        :raises TypeError: ``inputs``が浮動小数点数のテンソルでないとき、型が重みと違うとき、\
            テンソルを1つ返さない層があるとき、``state``がこのネットワークの状態でないとき
        :raises ValueError: ``inputs``の形が``[T, B, *]``でないとき、デバイスが重みと違うとき、\
            非数（NaN）か無限大を含むとき、重みの層に、形の合わない入力が届くとき

        >>> import torch
        >>> from snn_docs import IF
        >>> from snn_docs.sequential import Sequential
        >>> network = Sequential(torch.nn.Identity(), IF())
        >>> inputs = torch.full((4, 1, 1), 0.6)
        >>> first, state = network.run(inputs[:1])
        >>> rest, _ = network.run(inputs[1:], state)
        >>> rest.flatten()
        tensor([1., 0., 1.])

        出典: :cite:t:`eshraghian2023training`
        """
        check_time(inputs)
        if inputs.dim() < 2:  # noqa: PLR2004 - time and batch
            raise ValueError(
                f"inputs must have the shape [T, B, *], time first, but {list(inputs.shape)} came; "
                "for a batch of one give inputs.unsqueeze(1)"
            )
        check_alike_parameters(self, inputs)
        check_finite(inputs=inputs)
        states = (None,) * len(self) if state is None else state
        states = check_parts(states, len(self), f"the states of {len(self)} layers")
        parts: list[Tensor] = []
        width = math.ceil(_width(inputs) * self._widening())  # a guess, until it is known
        while not parts or len(inputs):
            length = len(inputs) if self._is_whole() else _length(len(inputs), width)
            if parts and len(inputs) > 1:
                # the gradient turns back at the end, where all is kept: no room for a long block
                length = min(length, len(inputs) - 1)
            outputs, states, width = self._through(inputs[:length], states)
            parts.append(outputs)
            inputs = inputs[length:]
        return parts[0] if len(parts) == 1 else torch.cat(parts), states

    def describe(self, *size: int) -> str:
        r"""どの層がどの形の出力を返すかを、1行に1層の文字列で返します。

        0を1ステップ流して調べます。重みも、正規化の統計も変えません。

        :param size: 1ステップの入力の形。時刻とバッチの次元は含めない
        :returns: 表。最初の行が入力
        :raises TypeError: ``size``が整数でないとき
        :raises ValueError: 重みの層に、形の合わない入力が届くとき
        """
        check_integer(minimum=0, **{f"size[{i}]": each for i, each in enumerate(size)})
        like = next(self.parameters(), torch.empty(0))
        x = torch.zeros(1, 1, *size, dtype=like.dtype, device=like.device)
        lines = [("inputs", x.shape)]
        with torch.no_grad(), evaluating(self):
            for name, layer in self._modules.items():
                x, _ = _apply(name, layer, x, None)
                lines.append((f"{name} {type(layer).__name__}", x.shape))
        wide = max(len(name) for name, _ in lines)
        return "\n".join(f"{name:{wide}}   {step_shape(shape[2:])}" for name, shape in lines)

    def _is_whole(self) -> bool:
        """Tell whether a layer, or a hook, looks at all of time at once."""
        return any(
            (isinstance(module, _NormBase) and module.training) or is_watched(module)
            for module in self.modules()
        )

    def _widening(self) -> float:
        """Return how many times wider than its inputs the outputs are of the layer that widens."""
        found = [1.0]
        for module in self.modules():
            for kind in ("features", "channels"):
                given, made = (getattr(module, f"{end}_{kind}", 0) for end in ("in", "out"))
                found.append(made / given if given else 1.0)
        return max(found)

    def _through(self, x: Tensor, states: NetworkState) -> tuple[Tensor, NetworkState, int]:
        """Return what some steps give, the states after them, and the bytes of the widest step."""
        width, after = _width(x), []
        for (name, layer), state in zip(self._modules.items(), states, strict=True):
            x, last = _apply(name, layer, x, state)
            after.append(last)
            width = max(width, _width(x))
        return x, tuple(after), width


def _length(steps: int, width: int) -> int:
    """Return how many steps come next, if all that are left are to go in blocks of one length."""
    return math.ceil(steps / max(1, round(steps * width / BYTES_AT_ONCE)))


def _width(x: Tensor) -> int:
    """Return the bytes of a step."""
    return x.nbytes // max(1, len(x))


def _apply(name: str, layer: torch.nn.Module, x: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
    """Return what a layer makes of some steps, and what it carries on."""
    check_layer(name, layer, x)
    try:
        if hasattr(layer, "step") or hasattr(layer, "run"):
            check_contract(f"layer {name}", layer)
            return run_layer(layer, x, state)
        outputs = layer(x.flatten(0, 1))
        if not isinstance(outputs, Tensor):
            raise TypeError(  # noqa: TRY301 - is given the note, too
                f"a layer must return one tensor, but a {type_name(outputs)} came; wrap the layer "
                "in a module that returns what the next one takes"
            )
        return outputs.unflatten(0, x.shape[:2]), None
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        error.add_note(f"in layer {name}, {layer}, which was given {step_shape(x.shape[2:])}")
        raise
