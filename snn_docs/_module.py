"""What layers of neurons share: constants that are saved and compared, and a way through time."""

from abc import abstractmethod
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec, Protocol, runtime_checkable

import torch
from torch import Tensor

from snn_docs._checks import check_rule, type_name
from snn_docs.equations import Reset, Rule, kept_by
from snn_docs.surrogate import USUAL, Heaviside

P = ParamSpec("P")


@runtime_checkable
class Stateful(Protocol):
    """A layer that carries something from step to step, and takes time first."""

    def advance(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the outputs of all steps, and the state in which the next ones begin."""


class Neuron(torch.nn.Module):
    """ニューロンの層に共通の土台です。

    数で渡した定数も``state_dict``に入れ、読み込むものにあれば、層の値と比べます。
    """

    _parts = 2  # the tensors of a state
    step: Callable[..., Any]

    def __init__(self) -> None:
        super().__init__()
        self._constants: list[str] = []

    def _hold(self, name: str, value: float | Tensor) -> None:
        """Keep a constant: a tensor as a buffer, unless it is a parameter, which torch keeps."""
        self._constants.append(name)
        if isinstance(value, Tensor) and not isinstance(value, torch.nn.Parameter):
            self.register_buffer(name, value)
        else:
            setattr(self, name, value)

    @property
    def _held(self) -> dict[str, float | Tensor]:
        return {name: getattr(self, name) for name in self._constants}

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        """Take a step; raise TypeError for inputs alone, as torch.nn.Sequential would give them."""
        if len(arguments) + len(named) == 1:
            name = type(self).__name__
            raise TypeError(
                f"{name} takes a step from its state and an input, but one argument came; for all "
                f"of time call run(inputs), and to put layers of torch and neurons in a row take "
                "snn_docs.Sequential, which is made like torch.nn.Sequential"
            )
        return super().__call__(*arguments, **named)

    @abstractmethod
    def run(self, inputs: Tensor, state: Any = None) -> Any:  # noqa: ANN401
        """Return the outputs of all steps, and what a state is made of."""

    def tick(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the spikes of one step, and the state after it, as `advance` does for many."""
        if state is None:
            state = (torch.zeros_like(inputs),) * self._parts
        s, v, *rest = state
        after = self.step(v, inputs, s, *rest)
        return after[0], after

    @abstractmethod
    def advance(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the outputs of all steps, and the state in which the next ones begin."""

    def get_extra_state(self) -> Tensor:
        """Return the constants that are numbers, and NaN for tensors, which are saved as such."""
        values = self._held.values()
        numbers = [torch.nan if isinstance(value, Tensor) else value for value in values]
        return torch.tensor(numbers, dtype=torch.float64, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Raise ValueError where what is loaded was saved with other numbers."""
        ours = self.get_extra_state().tolist()
        for name, here, saved in zip(self._constants, ours, state.tolist(), strict=True):
            if here != saved and here == here and saved == saved:  # noqa: PLR0124 - NaN: a tensor
                raise ValueError(
                    f"{name} is {saved} in what is loaded, but {here} in this layer; make the "
                    f"layer with {name}={saved}"
                )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        """Load; weights that come from elsewhere, without numbers, have nothing to compare."""
        super()._load_from_state_dict(state_dict, prefix, *rest)
        missing_keys: list[str] = rest[2]
        if f"{prefix}_extra_state" in missing_keys:
            missing_keys.remove(f"{prefix}_extra_state")


def plain(value: float | Tensor) -> object:
    """Return a constant as a layer shows it."""
    return value.detach() if isinstance(value, Tensor) else value


def asks_for(example: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Tell who leaves out what a neuron needs by name how it comes from time constants."""

    def decorated(init: Callable[P, None]) -> Callable[P, None]:
        parameters = signature(init).parameters.values()
        in_order = [x.name for x in parameters if x.kind is Parameter.POSITIONAL_OR_KEYWORD]
        _, *needed = [x.name for x in parameters if x.default is Parameter.empty]

        @wraps(init)
        def asking(*args: P.args, **named: P.kwargs) -> None:
            came = {*in_order[: len(args)], *named}
            if missing := [name for name in needed if name not in came]:
                layer, *values = args
                given = [*map(_brief, values), *(f"{key}={_brief(x)}" for key, x in named.items())]
                name = type(layer).__name__
                raise TypeError(
                    f"{name} needs its {', '.join(missing)} by name, but "
                    f"{name}({', '.join(given)}) came; a leak is the part that is lost in each "
                    "step, from 0 to 1: for a time constant tau and steps of dt, both in ms, give "
                    f"{name}({example}), for tau in steps {name}({example.replace('dt', '1')})"
                )
            init(*args, **named)

        return asking

    return decorated


def _brief(value: object) -> str:
    return repr(value) if isinstance(value, int | float | str) else type_name(value)


class Spiking(Neuron):
    """発火するニューロンの層に共通の、定数と、リセットの規則です。

    ``run``は、スパイクと膜電位のほか、状態に要るものを、すべての時刻について返します。
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
            self._hold(name, value)
        self.reset, self.detach_reset, self.surrogate = reset, detach_reset, surrogate

    @property
    def _rule(self) -> Rule:
        kept = kept_by(getattr(self, "leak", 0.0))
        return Rule(self.threshold, kept, self.reset, self.detach_reset, self.surrogate)

    def advance(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        """Return the spikes of all steps, and the state in which the next ones begin."""
        record = self.run(inputs, state)
        return record[0], tuple(part[-1] for part in record) if len(inputs) else state

    def extra_repr(self) -> str:
        """定数と、既定から変えた規則を表示します。"""
        held = self._held
        threshold, leak = held.pop("threshold"), getattr(self, "leak", None)
        shown = ({} if leak is None else {"leak": leak}) | held | {"threshold": threshold}
        parts = [f"{name}={plain(value)}" for name, value in shown.items()]
        if self.reset != "zero":
            parts.append(f"reset={self.reset!r}")
        if self.detach_reset:
            parts.append("detach_reset=True")
        if self.surrogate != self._usual:
            article = self.surrogate == Heaviside.apply
            parts.append(f"surrogate={'Heaviside.apply' if article else repr(self.surrogate)}")
        return ", ".join(parts)
