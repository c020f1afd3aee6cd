"""What layers of neurons share: how they are called, constants that are saved and compared."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from snn_docs._checks import check_rule, check_state, check_tensors, in_one_piece, type_name
from snn_docs.equations import Reset, Rule, decay_of, start
from snn_docs.states import LIState
from snn_docs.surrogate import USUAL, slope_is_spike

P = ParamSpec("P")
R = TypeVar("R")
Parts = tuple[Tensor, ...]  # of a state: what a neuron takes, by name or not
S = TypeVar("S", bound=Parts)  # the state that it returns


@runtime_checkable
class Stateful(Protocol):
    """A layer that carries a state from step to step; a reader's own may be one, too.

    `step` takes one step, of inputs `[B, *]`, `run` all of time, `[T, B, *]`. Both take and return
    the same kind of state, whatever it is made of; None is the one to start from.
    """

    def step(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the outputs of one step, and the state after it."""

    def run(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the outputs of all steps, and the state after the last one."""


CONTRACT = "step(inputs, state=None) and run(inputs, state=None), which return (outputs, state)"


def check_contract(name: str, layer: object) -> None:
    """Raise TypeError for what is no layer that carries a state, and say which method it lacks."""
    if isinstance(layer, torch.nn.Module) and isinstance(layer, Stateful):
        return
    missing = [method for method in ("step", "run") if not hasattr(layer, method)]
    lacks = f" without {' and '.join(missing)}" if missing else ""
    raise TypeError(
        f"{name} must be a layer of neurons, but a {type_name(layer)}{lacks} came; give for "
        f"example LIF(leak=0.1), or a torch.nn.Module of your own with {CONTRACT}"
    )


def check_pair(layer: object, method: str, result: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
    """Return what a method of a layer gave; raise TypeError unless that is outputs and a state."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], Tensor):  # noqa: PLR2004
        return result
    came = f"a {type_name(result)}"
    if isinstance(result, tuple):
        came = f"({', '.join(map(type_name, result))})"
    raise TypeError(
        f"{type(layer).__name__}.{method} must return the pair (outputs, state), a tensor and "
        f"what the next call is given, but {came} came"
    )


def run_layer(layer: Any, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
    """Return what a layer gives in all steps, and the state after the last one."""
    if isinstance(layer, Neuron | Container):
        return check_pair(layer, "run", layer(inputs, state))  # a call, for which hooks wait
    return check_pair(layer, "run", layer.run(inputs, state))


def input_first(method: Callable[P, R]) -> Callable[P, R]:
    """Tell who gives the parts of a state one by one, as the article does, how it is written."""

    @wraps(method)
    def asking(*args: P.args, **named: P.kwargs) -> R:
        if len(args) + len(named) > 3:  # noqa: PLR2004 - the layer, inputs and a state
            layer: Any = args[0]
            state = in_one_piece(layer.state_kind._fields)
            raise TypeError(
                f"{type(layer).__name__} takes the inputs first, then the state in one piece, but "
                f"{len(args) + len(named) - 1} arguments came; write layer.step(inputs, {state}) "
                "for a step, and layer.run for all of time"
            )
        return method(*args, **named)

    return asking


class Neuron(torch.nn.Module):
    """ニューロンの層に共通の土台です。

    ``step``は1ステップ、``run``はすべての時刻を進めます。\
    どちらも、入力と状態を受け取り、出力と、終わりの時刻の状態を返します。\
    状態は同じ形なので、返されたものをそのまま、どちらにも渡せます。\
    層を呼ぶと、``torch.nn.RNN``のように、``run``と同じことをします。\
    例外は、記事の3つの引数で呼んだ``IF``だけです。

    数で渡した定数も``state_dict``に入れ、読み込むものにあれば、層の値と比べます。
    """

    state_kind: type[Any] = LIState

    def __init__(self) -> None:
        super().__init__()
        self._constant_names: list[str] = []

    def _add_constant(self, name: str, value: float | Tensor) -> None:
        """Keep a constant: a tensor as a buffer, unless it is a parameter, which torch keeps."""
        self._constant_names.append(name)
        if isinstance(value, Tensor) and not isinstance(value, torch.nn.Parameter):
            self.register_buffer(name, value)
        else:
            setattr(self, name, value)

    @property
    def _constants(self) -> dict[str, float | Tensor]:
        return {name: getattr(self, name) for name in self._constant_names}

    @abstractmethod
    def step(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the outputs of one step, and the state after it."""

    @abstractmethod
    def run(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the outputs of all steps, and the state after the last one."""

    @input_first
    def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """すべての時刻を一度に進め、出力と、終わりの時刻の状態を返します。``run``と同じです。"""
        return self.run(inputs, state)

    def _state_before(
        self, inputs: Tensor, state: Parts | None, **constants: float | Tensor | None
    ) -> Parts:
        """Return the state from which to take a step; raise for what no step can be taken from."""
        names: tuple[str, ...] = self.state_kind._fields
        parts = check_state(state, names)
        check_tensors("inputs", {"inputs": inputs} | parts, **constants)
        return (torch.zeros_like(inputs),) * len(names) if state is None else state

    def get_extra_state(self) -> Tensor:
        """Return the constants that are numbers, and NaN for tensors, which are saved as such."""
        values = self._constants.values()
        numbers = [torch.nan if isinstance(value, Tensor) else value for value in values]
        return torch.tensor(numbers, dtype=torch.float64, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Raise ValueError where what is loaded was saved with other numbers."""
        ours = self.get_extra_state().tolist()
        for name, here, saved in zip(self._constant_names, ours, state.tolist(), strict=True):
            if here != saved and here == here and saved == saved:  # noqa: PLR0124 - NaN: a tensor
                raise ValueError(
                    f"{name} is {saved} in what is loaded, but {here} in this layer; make the "
                    f"layer with {name}={saved}"
                )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        """Load; weights that come from elsewhere, without numbers, have nothing to compare.

        Where a constant is a tensor here and a number there, or the other way round, the error says
        which is the buffer.
        """
        super()._load_from_state_dict(state_dict, prefix, *rest)
        _, _, missing, unexpected, errors = rest
        if f"{prefix}_extra_state" in missing:
            missing.remove(f"{prefix}_extra_state")
            return
        for key in (prefix + name for name in self._constant_names):
            if key in (*missing, *unexpected):
                errors.append(
                    f"{key} is a buffer where it is a tensor, and none where it is a number; make "
                    "the layer with what was saved, a tensor of its shape, or a number"
                )


class Container(torch.nn.Module):
    """ニューロンの層を中に持つ層に共通の、呼び方です。"""

    @abstractmethod
    def run(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the outputs of all steps, and the state after the last one."""

    def forward(self, inputs: Tensor, *state: Any) -> Any:  # noqa: ANN401
        """すべての時刻を、状態0から動かし、出力を返します。引数と例外は``run``と同じです。

        状態も渡せば、``None``でも、``run``と同じ組を返します。
        """
        outputs, after = self.run(inputs, *state)
        return (outputs, after) if state else outputs


HOOKS = ("_forward_hooks", "_forward_pre_hooks")  # torch has no public names for them


def is_watched(layer: torch.nn.Module) -> bool:
    """Tell whether hooks wait for a call of the layer."""
    return any(vars(layer)[name] for name in HOOKS)


@contextmanager
def evaluating(network: torch.nn.Module) -> Iterator[None]:
    """Let the layers work as they do once trained, and leave each as it was: some may be frozen."""
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, was in training.items():
            module.training = was


def plain(value: float | Tensor) -> object:
    """Return a constant as a layer shows it."""
    return value.detach() if isinstance(value, Tensor) else value


def asks_for(example: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Tell who leaves out what a neuron needs by name how it comes from time constants."""

    def decorated(init: Callable[P, None]) -> Callable[P, None]:
        form = signature(init)

        @wraps(init)
        def asking(*args: P.args, **named: P.kwargs) -> None:
            try:
                form.bind(*args, **named)
            except TypeError as error:
                name = type(args[0]).__name__
                raise TypeError(
                    f"{name}: {error}; a leak is the part that is lost in each step, from 0 to 1: "
                    f"for a time constant tau and steps of dt, both in ms, give {name}({example}), "
                    f"for tau in steps {name}({example.replace('dt', '1')})"
                ) from None
            init(*args, **named)

        return asking

    return decorated


class Spiking(Neuron, Generic[S]):
    """発火するニューロンの層に共通の、定数と、リセットの規則です。

    状態は、終わりの時刻のスパイクと膜電位に、あれば電流や発火の跡を続けた組です。
    """

    threshold: float | Tensor
    _usual: Callable[[Tensor], Tensor] = staticmethod(USUAL)

    def __init__(
        self,
        threshold: float | Tensor,
        reset: Reset,
        detach_reset: bool,  # noqa: FBT001 - of the layers, which take it by name
        surrogate: Callable[[Tensor], Tensor],
        **constants: float | Tensor,
    ) -> None:
        """閾値、リセットの規則と、ほかの定数を決めます。"""
        super().__init__()
        check_rule(threshold, constants.get("leak", 0.0), reset, detach_reset, surrogate)
        for name, value in {"threshold": threshold, **constants}.items():
            self._add_constant(name, value)
        self.reset, self.detach_reset, self.surrogate = reset, detach_reset, surrogate

    @property
    def _rule(self) -> Rule:
        decay = decay_of(getattr(self, "leak", 0.0))
        return Rule(self.threshold, decay, self.reset, self.detach_reset, self.surrogate)

    @abstractmethod
    def record(self, inputs: Tensor, state: Any = None) -> S:  # noqa: ANN401
        """Return of all steps what a state holds of one."""

    def run(self, inputs: Tensor, state: Parts | None = None) -> tuple[Tensor, S]:
        r"""すべての時刻を一度に進め、スパイクと、終わりの時刻の状態を返します。

        .. math::

            (s_{1:T}, z_T) = f(I_{1:T}, z_0)

        値は``step``を:math:`T`回呼んだときとビット単位で等しく、勾配は丸めの差を除いて等しくなります。\
        状態:math:`z_T`の中身は、``step``が返すものと同じです。``step``にも``run``にも渡せます。

        状態は、``[T, *]``全体の記憶領域を指し、計算グラフにもつながっています。\
        勾配をそこで打ち切るなら``detach``し、前の区間のメモリを放すならさらに``clone``して渡します。

        :param inputs: 入力:math:`I_t`。形は``[T, *]``、型は浮動小数点数。``T``は0でもよい
        :param state: 始まる前の状態:math:`z_0`。``step``か``run``が返したもの。\
            それぞれの形は``[*]``とブロードキャストできればよい。``None``なら、どれも0
        :returns: スパイク:math:`s_t`。形は``[T, *]``。それと、状態:math:`z_T`。形はどれも``[*]``
        :raises TypeError: 型の合わない引数があるとき
        :raises ValueError: デバイスや形の合わない引数があるとき

        >>> import torch
        >>> from snn_docs import IF
        >>> layer = IF()
        >>> spikes, state = layer.run(torch.full((5,), 0.4))
        >>> spikes
        tensor([0., 0., 1., 0., 0.])
        >>> state
        State(spikes=tensor(0.), v=tensor(0.8000))
        >>> layer.run(torch.full((3,), 0.4), state)[0]
        tensor([1., 0., 0.])

        出典: :cite:t:`neftci2019surrogate`
        """
        record = self.record(inputs, state)
        after = start(state, record[0], len(record))
        if len(inputs):
            after = tuple(part[-1] for part in record)
        last: S = self.state_kind(*after)
        return record[0], last

    def extra_repr(self) -> str:
        """定数と、既定から変えた規則を表示します。"""
        constants = self._constants
        threshold, leak = constants.pop("threshold"), getattr(self, "leak", None)
        shown = ({} if leak is None else {"leak": leak}) | constants | {"threshold": threshold}
        parts = [f"{name}={plain(value)}" for name, value in shown.items()]
        if self.reset != "zero":
            parts.append(f"reset={self.reset!r}")
        if self.detach_reset:
            parts.append("detach_reset=True")
        if self.surrogate != self._usual:
            article = slope_is_spike(self.surrogate)
            parts.append(f"surrogate={'Heaviside.apply' if article else repr(self.surrogate)}")
        return ", ".join(parts)
