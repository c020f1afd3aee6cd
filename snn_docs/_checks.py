"""What a neuron accepts, and what it says about the rest."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def type_name(value: object) -> str:
    """Name a type so that numpy's float32 is not taken for torch's."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def check_floating(**tensors: object) -> None:
    """Raise TypeError for the first argument that is not a floating-point tensor."""
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name} must be a floating-point tensor, but a {type_name(value)} came; "
                f"convert with torch.as_tensor({name}, dtype=torch.float32)"
            )
        if not value.is_floating_point():
            part = "real" if value.is_complex() else "float()"
            raise TypeError(
                f"{name} must be a floating-point tensor, but {value.dtype} of shape "
                f"{tuple(value.shape)} came; convert with {name}.{part}"
            )


def check_number(name: str, value: object) -> float:
    """Return the value; raise TypeError unless it is a number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, but a {type_name(value)} came; give a float")
    return value


def check_positive(**numbers: object) -> None:
    """Raise TypeError or ValueError for the first argument that is not a positive number."""
    for name, value in numbers.items():
        if not 0 < check_number(name, value) < math.inf:
            raise ValueError(
                f"{name} must be positive and finite, but {value} came; give for example 1.0"
            )


def check_integer(*, minimum: int, **values: object) -> None:
    """Raise TypeError or ValueError for the first argument that is not such an integer."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(
                f"{name} must be an int, but a {type_name(value)} came; give a whole number, "
                f"{minimum} or more"
            )
        if value < minimum:
            raise ValueError(f"{name} must be {minimum} or more, but {value} came")


def check_generator(generator: object, device: torch.device) -> None:
    """Raise TypeError or ValueError unless the generator can draw on the device."""
    if generator is None:
        return
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator must be a torch.Generator or None, but a {type_name(generator)} came; "
            "make one with torch.Generator().manual_seed(0)"
        )
    if generator.device.type != device.type:
        raise ValueError(
            f"generator must be on the device {device.type}, where the numbers are drawn, but one "
            f"on {generator.device.type} came; make it with torch.Generator({device.type!r})"
        )


def check_threshold(threshold: object) -> None:
    """Raise TypeError or ValueError for what can't be a threshold."""
    if not _holds("threshold", threshold, lambda x: x == x):  # noqa: PLR0124 - false for NaN
        raise ValueError(
            "threshold must not be NaN, because no potential would ever exceed it; "
            "for a neuron that never fires give float('inf')"
        )


def check_leak(leak: object) -> None:
    """Raise TypeError or ValueError for what can't be a leak."""
    if not _holds("leak", leak, lambda x: (x >= 0) & (x <= 1)):
        raise ValueError(
            f"leak must be between 0 and 1, but {leak} came; it is the part of the potential that "
            "is lost in each step: for a time constant of tau steps give 1 / tau"
        )


def _holds(name: str, value: object, law: Callable[[Any], Any]) -> bool:
    """Tell whether a law holds for a number, or for all numbers of a tensor."""
    if isinstance(value, Tensor):
        check_floating(**{name: value})
        return value.is_meta or bool(law(value).all())  # meta tensors hold no values
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(
            f"{name} must be a number or a floating-point tensor, but a {type_name(value)} "
            f"came; give a float, or a tensor made by torch.tensor({name})"
        )
    return bool(law(value))


def check_rule(
    threshold: object, leak: object, reset: object, detach_reset: object, surrogate: object
) -> None:
    """Raise TypeError or ValueError for what can't say how a neuron fires, leaks and resets."""
    check_threshold(threshold)
    check_leak(leak)
    if reset == "subtract" and not _holds("threshold", threshold, lambda x: abs(x) < math.inf):
        raise ValueError(
            f"threshold must be finite where the reset subtracts it, but {threshold} came; "
            "for a neuron that never fires give reset='zero'"
        )
    if reset not in ("zero", "subtract"):
        raise ValueError(f"reset must be 'zero' or 'subtract', but {reset!r} came")
    if not isinstance(detach_reset, bool):
        raise TypeError(f"detach_reset must be True or False, but {detach_reset!r} came")
    if torch.compiler.is_compiling():  # it can't trace what follows
        return
    if isinstance(surrogate, type) or not callable(surrogate):
        raise TypeError(
            f"surrogate must be a function from potentials to spikes, but {surrogate!r} came; "
            "give Heaviside.apply, or for example snn_docs.surrogate.ArcTan()"
        )


def check_step(
    v_previous: Tensor,
    vt: Tensor,
    s_previous: Tensor,
    threshold: float | Tensor,
    leak: float | Tensor | None,
) -> None:
    """Raise TypeError or ValueError unless one step can be computed from these arguments."""
    tensors = {"v_previous": v_previous, "vt": vt, "s_previous": s_previous}
    check_floating(**tensors)
    _check_alike("vt", tensors, threshold, leak)


def check_run(
    inputs: Tensor, state: object, threshold: float | Tensor, leak: float | Tensor | None
) -> torch.Size:
    """Return the shape of one step; raise unless a run can be computed from these arguments."""
    check_floating(inputs=inputs)
    if not inputs.dim():
        raise ValueError(
            "inputs must have the shape [T, *], time first, but a tensor without dimensions came; "
            "for a single step give inputs[None]"
        )
    tensors = {"inputs[0]": inputs[0] if len(inputs) else inputs.new_empty(inputs.shape[1:])}
    if state is not None:
        if not isinstance(state, tuple) or len(state) != 2:  # noqa: PLR2004 - spikes and v
            raise TypeError(
                f"state must be a pair of tensors, but a {type_name(state)} came; "
                "to go on from an earlier run give (spikes[-1], v[-1]), to start afresh None"
            )
        tensors |= {"state[0]": state[0], "state[1]": state[1]}
        check_floating(**tensors)
    return _check_alike("inputs[0]", tensors, threshold, leak)


def _check_alike(
    reference: str,
    tensors: dict[str, Tensor],
    threshold: float | Tensor,
    leak: float | Tensor | None,
) -> torch.Size:
    """Return the shape that all broadcast to; raise unless dtypes and devices are the same."""
    constants = {"threshold": threshold, "leak": leak}
    tensors |= {name: value for name, value in constants.items() if isinstance(value, Tensor)}
    model = tensors[reference]
    for name, tensor in tensors.items():
        owner = "the layer" if name in constants else name
        if tensor.dtype != model.dtype:
            raise TypeError(
                f"{name} and {reference} must have the same dtype, but {tensor.dtype} and "
                f"{model.dtype} came; convert {owner} with .to({reference}.dtype)"
            )
        if tensor.device != model.device:
            raise ValueError(
                f"{name} and {reference} must be on the same device, but {tensor.device} and "
                f"{model.device} came; move {owner} with .to({reference}.device)"
            )
    if len(tensors) == 1:
        return model.shape
    try:
        # not broadcast_shapes, which is slower and imports sympy
        shape: torch.Size = torch.broadcast_tensors(*tensors.values())[0].shape
    except RuntimeError as error:
        came = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        raise ValueError(
            f"shapes must broadcast, but {came} came; "
            "give tensors whose sizes, counted from the last, are equal or 1"
        ) from error
    return shape
