"""What a neuron accepts, and what it says about the rest."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

PLANES = {torch.nn.Conv1d: "L", torch.nn.Conv2d: "HW", torch.nn.Conv3d: "DHW"}
"""The dimensions that come after the channels."""


@contextmanager
def optional(user: str, package: str, extra: str = "notebooks") -> Iterator[None]:
    """Tell how to install a package that can't be imported."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{user} needs {package}, which could not be imported; install it with "
            f'pip install "snn-docs[{extra}]"'
        ) from error


def type_name(value: object) -> str:
    """Name a type so that numpy's float32 is not taken for torch's."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def check_floating(**tensors: object) -> None:
    """Raise TypeError for the first argument that is not a dense floating-point tensor."""
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            instead = f"convert with torch.as_tensor({name}, dtype=torch.float32)"
            if isinstance(value, tuple) and value and isinstance(value[0], Tensor):
                instead = f"give the one that is meant, for example {name}[0]"
                if name == "inputs":
                    instead += "; to put neurons in a row take snn_docs.Sequential"
            raise TypeError(
                f"{name} must be a floating-point tensor, but a {type_name(value)} came; {instead}"
            )
        if not value.is_floating_point():
            part = "real" if value.is_complex() else "float()"
            raise TypeError(
                f"{name} must be a floating-point tensor, but {value.dtype} of shape "
                f"{tuple(value.shape)} came; convert with {name}.{part}"
            )
        if value.dtype.itemsize < 2:  # noqa: PLR2004 - torch stores eight bits, and adds none
            raise TypeError(
                f"{name} must be a floating-point tensor of 16 bits or more, but {value.dtype} "
                f"came; convert with {name}.float()"
            )
        check_dense(name, value)


def check_dense(name: str, value: Tensor) -> None:
    """Raise TypeError for a tensor that does not hold all its numbers in rows."""
    if value.is_nested:
        raise TypeError(
            f"{name} must be a tensor whose rows are equally long, but a nested one came; pad it "
            f"with torch.nested.to_padded_tensor({name}, 0.0)"
        )
    if value.layout is not torch.strided:
        raise TypeError(
            f"{name} must be a dense tensor, but one of layout {value.layout} came; convert with "
            f"{name}.to_dense()"
        )


def check_number(name: str, value: object) -> float:
    """Return the value; raise TypeError or ValueError unless torch can calculate with it."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, but a {type_name(value)} came; give a float")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError(
            f"{name} must be less than 2**63 if it is an int, but one of {value.bit_length()} bits "
            "came; give a float, for example 1e60, or float('inf')"
        )
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
        if value >= 2**31:
            raise ValueError(
                f"{name} must be less than 2**31, but an int of {value.bit_length()} bits came"
            )


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


def check_leak(leak: object, name: str = "leak", of: str = "the potential") -> None:
    """Raise TypeError or ValueError for what can't be a leak."""
    if not _holds(name, leak, lambda x: (x >= 0) & (x <= 1)):
        raise ValueError(
            f"{name} must be between 0 and 1, but {leak} came; it is the part of {of} that is "
            "lost in each step: for a time constant of tau steps give 1 / tau"
        )


def check_constant(name: str, value: object) -> None:
    """Raise TypeError or ValueError for what is not finite."""
    if not _holds(name, value, lambda x: abs(x) < math.inf):
        raise ValueError(f"{name} must be finite, but {value} came; give for example 1.0")


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
    return bool(law(check_number(name, value)))


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


def check_spikes(spikes: object, above: Tensor) -> None:
    """Raise TypeError or ValueError unless a surrogate has given a spike for each potential."""
    if not isinstance(spikes, Tensor) or spikes.dtype != above.dtype:
        came = spikes.dtype if isinstance(spikes, Tensor) else f"a {type_name(spikes)}"
        raise TypeError(
            f"surrogate must return a tensor of the dtype it is given, {above.dtype}, but {came} "
            "came; end it with .to(x.dtype)"
        )
    if spikes.shape != above.shape:
        raise ValueError(
            f"surrogate must return one spike for each potential, {tuple(above.shape)}, but "
            f"{tuple(spikes.shape)} came; let it work on each element"
        )


def check_derivative(slopes: Tensor, input_: Tensor) -> None:
    """Raise ValueError unless there is a derivative for each potential."""
    if slopes.shape != input_.shape:
        raise ValueError(
            f"derivative must return one number for each potential, {tuple(input_.shape)}, but "
            f"{tuple(slopes.shape)} came; for a constant give torch.full_like(input_, constant)"
        )


def check_run(
    inputs: Tensor,
    state: object,
    names: tuple[str, ...],
    **constants: float | Tensor | None,
) -> torch.Size:
    """Return the shape of one step; raise unless a run can be computed from these arguments."""
    tensors = {"inputs[0]": check_time(inputs)} | check_state(state, names)
    return check_tensors("inputs[0]", tensors, **constants)


def check_state(state: object, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the tensors of a state by the names that messages give them; raise for what is none.

    `names` says what a state is made of.
    """
    if state is None:
        return {}
    parts = check_parts(state, len(names), f"tensors, {in_one_piece(names)}")
    return {f"state.{name}": part for name, part in zip(names, parts, strict=True)}


def in_one_piece(names: tuple[str, ...]) -> str:
    """Write the tuple of these names."""
    return str(names).replace("'", "")


def check_parts(state: object, number: int, parts: str) -> tuple[Any, ...]:
    """Return the state; raise TypeError unless it has so many parts, which are named."""
    if not isinstance(state, tuple) or len(state) != number:
        came = f"one of {len(state)}" if isinstance(state, tuple) else f"a {type_name(state)}"
        raise TypeError(
            f"state must be a tuple of {parts}, but {came} came; inputs come first, then the state "
            "that step or run has returned, or None to start afresh"
        )
    return state


def check_time(inputs: Tensor) -> Tensor:
    """Return a step of the inputs; raise unless time is their first dimension."""
    check_floating(inputs=inputs)
    if not inputs.dim():
        raise ValueError(
            "inputs must have the shape [T, *], time first, but a tensor without dimensions came; "
            "for a single step give inputs[None]"
        )
    return inputs[0] if len(inputs) else inputs.new_empty(inputs.shape[1:])


def check_alike_parameters(module: torch.nn.Module, inputs: Tensor) -> None:
    """Raise TypeError or ValueError where the weights of a network have another dtype or device."""
    weight = next(module.parameters(), inputs)
    if weight.device != inputs.device:
        raise ValueError(
            f"inputs must be on the device of the weights, {weight.device}, but they are on "
            f"{inputs.device}; move them with inputs.to({str(weight.device)!r})"
        )
    if weight.dtype != inputs.dtype and not torch.is_autocast_enabled(inputs.device.type):
        raise TypeError(
            f"inputs must have the dtype of the weights, {weight.dtype}, but {inputs.dtype} "
            f"came; convert them with inputs.to({weight.dtype}), or the network with "
            f"network.to({inputs.dtype})"
        )


def check_finite(**tensors: Tensor) -> None:
    """Raise ValueError for NaN or infinity: a neuron would only fall silent, and tell nobody.

    A sum is the fastest way through a tensor; where it is finite, so is all that it has added up.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():  # noqa: SLF001 - torch has no public name
        return
    for name, tensor in tensors.items():
        # what expand repeats over time is looked at once: its steps need no memory, nor time
        once = [slice(None if stride else 1) for stride in tensor.stride()]
        value = tensor.detach()[tuple(once)]
        if value.is_meta or value.sum().isfinite() or value.isfinite().all():
            continue
        wrong = ~value.isfinite()
        first = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"{name} must be finite, but {int(wrong.sum())} of {value.numel()} numbers are NaN or "
            f"infinite, first {value[tuple(first)].item()} at {first}; a neuron that is given one "
            "only falls silent: fill the gaps of the data, and divide by no deviation that is 0"
        )


def check_layer(name: str, layer: torch.nn.Module, x: Tensor) -> None:
    """Raise ValueError where weights can't take what comes to them."""
    size, kind = list(x.shape[2:]), type(layer)
    if kind is torch.nn.Linear:
        sizes = [layer.in_features]
        fits = size[-1:] == sizes
    elif kind in PLANES:
        sizes = [layer.in_channels, *PLANES[kind]]
        fits = len(size) == len(sizes) and size[0] == layer.in_channels
    else:
        return
    if not fits:
        raise ValueError(
            f"layer {name}, {layer}, takes {step_shape(sizes)}, but {step_shape(size)} came; put "
            "time first, then the batch (for the same inputs in every step take "
            "snn_docs.encoding.direct), flatten pictures by torch.nn.Flatten(), or make the layer "
            "for the size that comes"
        )


def step_shape(sizes: Sequence[object]) -> str:
    """Write the shape of steps, of which these are the sizes after time and batch."""
    return f"[{', '.join(map(str, ['T', 'B', *sizes]))}]"


def needs_steps(*values: float | Tensor | None) -> bool:
    """Tell whether the steps must be taken one by one, in operations that all of torch knows.

    All at once go the dtypes that round a number as a tensor, and what autograd records alone.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():  # noqa: SLF001 - torch has no public name
        return True
    tensors = [value for value in values if isinstance(value, Tensor)]
    return tensors[0].dtype not in (torch.float32, torch.float64) or any(
        unpack_dual(tensor).tangent is not None for tensor in tensors
    )


def check_tensors(
    reference: str, tensors: dict[str, Tensor], **constants: float | Tensor | None
) -> torch.Size:
    """Return the shape that all broadcast to; raise for other tensors, dtypes or devices."""
    check_floating(**tensors)
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
