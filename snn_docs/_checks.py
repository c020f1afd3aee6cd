"""What a neuron accepts, and what it says about the rest."""

import math

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
    if isinstance(threshold, Tensor):
        check_floating(threshold=threshold)
        nan = not threshold.is_meta and bool(threshold.isnan().any())  # meta tensors hold no values
    elif isinstance(threshold, int | float) and not isinstance(threshold, bool):
        nan = math.isnan(threshold)
    else:
        raise TypeError(
            f"threshold must be a number or a floating-point tensor, but a {type_name(threshold)} "
            "came; give a float, or a tensor made by torch.tensor(threshold)"
        )
    if nan:
        raise ValueError(
            "threshold must not be NaN, because no potential would ever exceed it; "
            "for a neuron that never fires give float('inf')"
        )


def check_step(
    v_previous: Tensor, vt: Tensor, s_previous: Tensor, threshold: float | Tensor
) -> None:
    """Raise TypeError or ValueError unless one step can be computed from these arguments."""
    tensors = {"v_previous": v_previous, "vt": vt, "s_previous": s_previous}
    check_floating(**tensors)
    if isinstance(threshold, Tensor):
        tensors["threshold"] = threshold
    for name, tensor in tensors.items():
        owner = "the layer" if name == "threshold" else name
        if tensor.dtype != vt.dtype:
            raise TypeError(
                f"{name} and vt must have the same dtype, but {tensor.dtype} and {vt.dtype} came; "
                f"convert {owner} with .to(vt.dtype)"
            )
        if tensor.device != vt.device:
            raise ValueError(
                f"{name} and vt must be on the same device, but {tensor.device} and {vt.device} "
                f"came; move {owner} with .to(vt.device)"
            )
    try:
        # not broadcast_shapes, which is slower and imports sympy
        torch.broadcast_tensors(*tensors.values())
    except RuntimeError as error:
        came = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        raise ValueError(
            f"shapes must broadcast, but {came} came; "
            "give tensors whose sizes, counted from the last, are equal or 1"
        ) from error
