"""`kernels`, compiled by numba for the processor: the same bits, without a call per operation.

The neurons are taken by blocks, whose potentials stay in the nearest cache while time passes.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snn_docs import kernels
from snn_docs._checks import optional
from snn_docs.equations import Rule
from snn_docs.kernels import Record, blocks, slopes_of
from snn_docs.surrogate import slope_is_spike

with optional("the backend 'numba'", "the package numba", "fast"):
    from numba import carray, cfunc, njit, types  # type: ignore[attr-defined]
    from numba.extending import intrinsic

NEURONS_AT_ONCE = 1024
WIDE = 2**14  # neurons, from where on torch goes back with slopes as fast, or faster
NOTHING = torch.empty(0)
Array = NDArray[Any]
Loop = Callable[..., None]
Address = Any  # of an array's first number, as a pointer to its type
COMPILED: list[object] = []  # what keeps the machine code in memory


def advance(v: Tensor, inputs: Tensor, rule: Rule) -> None:
    """Fill the potentials, `[T, *]`, from the first, which is there."""
    loop, _ = _compiled(v.dtype)
    _call(loop, v, rule, _rows(inputs))


def backward(grad: Tensor, record: Record, rule: Rule) -> None:
    """Fill the gradients of the potentials, `[T, *]`, from the last step to the first."""
    _, loop = _compiled(grad.dtype)
    if slope_is_spike(rule.surrogate):
        _call(loop, grad, rule, NOTHING, *map(_rows, record), NOTHING)
        return
    if grad[0].numel() >= WIDE:
        kernels.backward(grad, record, rule)
        return
    grad_next = NOTHING
    for steps in reversed(blocks(grad)):
        out, part = grad[steps], record.part(steps)
        slopes = slopes_of(part, rule).to(out.dtype).expand_as(out).contiguous()  # whoever wrote it
        _call(loop, out, rule, grad_next, *map(_rows, part), slopes)
        grad_next = out[0]


def _call(loop: Loop, out: Tensor, rule: Rule, *tensors: Tensor) -> None:
    """Call a compiled loop with addresses and sizes: arrays would take longer than small layers."""
    step = out[0]
    neurons = (_neurons(x, step) for x in (rule.threshold, rule.decay))
    alive = [*neurons, out, *tensors]  # nothing of it is freed before the loop ends
    places = [number for x in alive for number in (x.data_ptr(), x.numel())]
    loop(rule.reset == "subtract", rule.detach_reset, step.numel(), *places)


def _rows(tensor: Tensor | None) -> Tensor:
    """Return `[T, *]` without gaps; one step for all, where all share the memory of one."""
    if tensor is None:
        return NOTHING
    return (tensor if tensor.stride(0) else tensor[:1]).contiguous()


def _neurons(tensor: Tensor | None, step: Tensor) -> Tensor:
    """Return what broadcasts to a step, `[*]`, as one number or as such a step without gaps."""
    if tensor is None:
        return NOTHING
    return tensor if tensor.dim() == 0 else tensor.expand_as(step).contiguous()


def _rounds_once() -> bool:
    """Tell whether torch's addcmul rounds a + b · c once, as it does where the processor can."""
    x = torch.tensor([1 + 2**-12])
    return bool(torch.addcmul(-x.square(), x, x) != 0)


ROUNDS_ONCE = _rounds_once()


# coverage sees nothing of what numba compiles
@intrinsic
def _fused(_context: Any, a: Any, _b: Any, _c: Any) -> Any:  # noqa: ANN401 - the types are numba's
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return builder.fma(*arguments)

    return a(a, a, a), generate


@njit(error_model="numpy")
def _plus_product(a: float, b: float, c: float) -> float:
    return _fused(b, c, a) if ROUNDS_ONCE else a + b * c  # type: ignore[call-arg]


@njit(error_model="numpy")
def _advance(subtract: bool, threshold: Array, decay: Array, v: Array, inputs: Array) -> None:
    one, zero = v.dtype.type(1), v.dtype.type(0)
    for start in range(0, v.shape[1], NEURONS_AT_ONCE):
        part = slice(start, start + NEURONS_AT_ONCE)
        theta, factor = threshold[part], decay[part]
        for t in range(1, len(v)):
            before, after = v[t - 1, part], v[t, part]
            current = inputs[t % len(inputs), part]
            for n in range(len(after)):
                x = before[n]
                if subtract:
                    v_reset = (x - theta[n] * (one if x > theta[n] else zero)) * factor[n]
                else:
                    v_reset = x * factor[n] * (one if x <= theta[n] else zero)
                after[n] = v_reset + current[n]


@njit(error_model="numpy")
def _backward(
    subtract: bool,
    detach_reset: bool,
    threshold: Array,
    decay: Array,
    grad: Array,
    grad_next: Array,
    spikes: Array,
    v: Array,
    grad_spikes: Array,
    grad_v: Array,
    slopes: Array,
) -> None:
    # what `kernels.backward` derives, by the same operations in the same order
    zero = grad.dtype.type(0)
    for start in range(0, grad.shape[1], NEURONS_AT_ONCE):
        part = slice(start, start + NEURONS_AT_ONCE)
        theta, factor = threshold[part], decay[part]
        for t in range(len(grad) - 1, -1, -1):
            out, s = grad[t, part], spikes[t, part]
            row = grad_spikes[t % len(grad_spikes), part]
            slope = slopes[t, part] if len(slopes) else s
            taken = theta if subtract else v[t, part]
            if t < len(grad) - 1 or len(grad_next):
                after = grad[t + 1, part] if t < len(grad) - 1 else grad_next[0, part]
                for n in range(len(out)):
                    grad_reset, bracket = after[n] * factor[n], row[n]
                    if not detach_reset:
                        bracket = _plus_product(bracket, -grad_reset, taken[n])
                    if subtract:
                        out[n] = _plus_product(grad_reset, bracket, slope[n])
                    elif len(slopes):
                        passed = _plus_product(grad_reset, -grad_reset, s[n])
                        out[n] = _plus_product(passed, bracket, slope[n])
                    else:  # as torch.lerp
                        chosen = bracket if s[n] > zero else grad_reset
                        out[n] = _plus_product(chosen, zero, bracket - grad_reset)
            else:
                out[:] = row * slope
            if len(grad_v):
                out += grad_v[t % len(grad_v), part]


@njit(error_model="numpy")
def _steps(address: Address, size: int, neurons: int) -> Array:
    return carray(address, (size // max(neurons, 1), neurons))


@njit(error_model="numpy")
def _step(address: Address, size: int, neurons: int) -> Array:
    if size == neurons:
        return carray(address, (neurons,))
    number = carray(address, (1,))
    return np.full(neurons, number[0] if size else number.dtype.type(1))


# Each address goes with the number of what lies there, in the order in which `_call` gives them.
def _advance_at(
    subtract: bool, _: bool, n: int,
    threshold: Address, m0: int, decay: Address, m1: int,
    v: Address, m2: int, inputs: Address, m3: int,
) -> None:  # fmt: skip
    neurons = _step(threshold, m0, n), _step(decay, m1, n)
    _advance(subtract, *neurons, _steps(v, m2, n), _steps(inputs, m3, n))


def _backward_at(
    subtract: bool, detach_reset: bool, n: int,
    threshold: Address, m0: int, decay: Address, m1: int,
    grad: Address, m2: int, grad_next: Address, m3: int, spikes: Address, m4: int,
    v: Address, m5: int, grad_spikes: Address, m6: int, grad_v: Address, m7: int,
    slopes: Address, m8: int,
) -> None:  # fmt: skip
    _backward(
        subtract, detach_reset, _step(threshold, m0, n), _step(decay, m1, n),
        _steps(grad, m2, n), _steps(grad_next, m3, n), _steps(spikes, m4, n), _steps(v, m5, n),
        _steps(grad_spikes, m6, n), _steps(grad_v, m7, n), _steps(slopes, m8, n),
    )  # fmt: skip


# coverage sees all again


@cache
def _compiled(dtype: torch.dtype) -> list[Loop]:
    """Return both loops for numbers of this type."""
    number = types.float32 if dtype == torch.float32 else types.float64
    return [_compile(_advance_at, number, 4), _compile(_backward_at, number, 9)]


def _compile(function: Loop, number: object, arrays: int) -> Loop:
    """Return a function of two flags, the number of neurons, and each array's address and size."""
    array = types.CPointer(number), types.intp  # type: ignore[no-untyped-call]
    signature = types.void(types.boolean, types.boolean, types.intp, *array * arrays)
    compiled = cfunc(signature, cache=True)(function)
    COMPILED.append(compiled)
    # called with addresses as numbers, which numba's own prototype refuses
    numbers = (ctypes.c_void_p, ctypes.c_ssize_t) * arrays
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_bool, ctypes.c_bool, ctypes.c_ssize_t, *numbers)
    return prototype(compiled.address)  # type: ignore[arg-type]
