"""Layers of torch as nodes of NIR, and the other way round: weights, pooling, flattening."""

import copy
from typing import Any, TypeVar

import nir
import numpy as np
import torch
from torch import Tensor
from torch.nn import AvgPool2d, Conv2d, Flatten, Linear

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]
Layer = TypeVar("Layer", Linear, Conv2d)

INSTEAD = {
    torch.nn.MaxPool2d: "NIR has no maximum; train with torch.nn.AvgPool2d",
    torch.nn.Dropout: "it does nothing after training; leave it out",
    torch.nn.BatchNorm1d: "after training it is a part of the weights before it; fold it into them",
    torch.nn.BatchNorm2d: "after training it is a part of the weights before it; fold it into them "
    "with torch.nn.utils.fusion.fuse_conv_bn_eval",
    torch.nn.ReLU: "NIR holds spiking neurons; put IF neurons in its place",
}
"""What to do about a layer that NIR can't hold."""


def written(where: str, layer: torch.nn.Module, shape: Shape | None) -> nir.NIRNode:
    """Return a node for a layer that is given this shape, without time and batch."""
    if isinstance(layer, Linear):
        return _linear_node(where, layer, shape)
    if shape is None:
        raise ValueError(
            f"{where} does not say which shape it takes; give the shape of the input, "
            "for example (1, 28, 28)"
        )
    if isinstance(layer, Conv2d | AvgPool2d) and len(shape) != len(IMAGE):
        raise ValueError(
            f"{where}, {layer}, takes {', '.join(IMAGE)}, but {shape} comes before it; "
            "give the shape of the input, three numbers, for example (1, 28, 28)"
        )
    after = _shape_after(where, layer, shape)
    if isinstance(layer, Conv2d):
        node = _convolution_node(where, layer, shape, after)
    elif isinstance(layer, AvgPool2d):
        node = _pool_node(where, layer)
    else:
        node = _flatten_node(where, layer, shape)
    node.input_type, node.output_type = {"input": np.array(shape)}, {"output": np.array(after)}
    return node


def read(where: str, node: nir.NIRNode) -> torch.nn.Module:
    """Return the layer of torch that a node holds."""
    if isinstance(node, nir.Linear | nir.Affine):
        return _linear(where, node)
    if isinstance(node, nir.Conv2d):
        return _convolution(where, node)
    if isinstance(node, nir.Flatten):  # whose dimensions have no batch before them
        dims = (int(node.start_dim), int(node.end_dim))
        layer = Flatten(*(dim if dim < 0 else dim + 1 for dim in dims))
        _shape_after(where, layer, tuple(int(size) for size in node.input_type["input"]))
        return layer
    return _pool(node)


IMAGE = "channels", "height", "width"
WRITTEN = Linear, Conv2d, AvgPool2d, Flatten
READ = nir.Linear, nir.Affine, nir.Conv2d, nir.AvgPool2d, nir.SumPool2d, nir.Flatten


def _shape_after(where: str, layer: torch.nn.Module, shape: Shape) -> Shape:
    bare = copy.deepcopy(layer).to("meta")
    like = next(bare.parameters(), torch.empty(0))
    try:
        return tuple(bare(torch.empty(1, *shape, dtype=like.dtype, device="meta")).shape[1:])
    except (IndexError, RuntimeError, ValueError) as error:
        raise ValueError(f"{where}, {layer}, can't take {shape}: {error}") from error


def _linear_node(where: str, layer: Linear, shape: Shape | None) -> nir.NIRNode:
    if shape not in (None, (layer.in_features,)):
        raise ValueError(
            f"{where} takes ({layer.in_features},), but {shape} comes before it; "
            "NIR multiplies vectors with matrices, whose sizes must agree; put Flatten before it "
            "if that is a picture"
        )
    weight = array(f"{where}: weight", layer.weight)
    if layer.bias is None:
        return nir.Linear(weight)
    return nir.Affine(weight, array(f"{where}: bias", layer.bias))


def _convolution_node(where: str, layer: Conv2d, shape: Shape, after: Shape) -> nir.NIRNode:
    if layer.padding_mode != "zeros":
        raise ValueError(
            f"{where} has padding_mode={layer.padding_mode!r}, but NIR pads with zeros; train the "
            "layer with padding_mode='zeros'"
        )
    weight = array(f"{where}: weight", layer.weight)
    bias = np.zeros(len(weight), weight.dtype)
    if layer.bias is not None:
        bias = array(f"{where}: bias", layer.bias)
    options: dict[str, Any] = {
        name: getattr(layer, name) for name in ("stride", "dilation", "groups")
    } | {"padding": _padding(layer)}
    node = nir.Conv2d(input_shape=(shape[1], shape[2]), weight=weight, bias=bias, **options)
    theirs = [tuple(map(int, x)) for x in (node.input_type["input"], node.output_type["output"])]
    if theirs != [shape, after]:
        raise ValueError(
            f"{where}, {layer}, makes {after} of {shape}, but nir {nir.version} takes it for a "
            f"layer that makes {theirs[1]} of {theirs[0]}, and could not read what it wrote; give "
            "a square kernel without groups"
        )
    return node


def _padding(layer: Conv2d) -> str | tuple[int, ...]:
    """Return numbers, which any version of nir reads, unless one side gets more than the other."""
    if layer.padding != "same":
        return (0, 0) if layer.padding == "valid" else layer.padding
    both = [(size - 1) * d for size, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    return "same" if any(each % 2 for each in both) else tuple(each // 2 for each in both)


def _pool_node(where: str, layer: AvgPool2d) -> nir.NIRNode:
    if layer.ceil_mode or not layer.count_include_pad or layer.divisor_override not in (None, 1):
        raise ValueError(
            f"{where}, {layer}, is more than NIR can say; make it with a kernel, a stride and a "
            "padding alone for means, and with divisor_override=1 besides for sums"
        )
    kind = nir.SumPool2d if layer.divisor_override == 1 else nir.AvgPool2d
    sizes = (layer.kernel_size, layer.stride, layer.padding)
    return kind(*(np.array(_pair(size)) for size in sizes))


def _flatten_node(where: str, layer: Any, shape: Shape) -> nir.NIRNode:  # noqa: ANN401 - any Module's
    if layer.start_dim == 0:
        raise ValueError(
            f"{where} flattens the batch, too, which NIR does not know; give torch.nn.Flatten() "
            "without start_dim=0"
        )
    # counted from the last: the same dimensions to those who count a batch before them
    dims = (dim if dim < 0 else dim - 1 - len(shape) for dim in (layer.start_dim, layer.end_dim))
    return nir.Flatten({"input": np.array(shape)}, *dims)


def _linear(where: str, node: nir.Linear | nir.Affine) -> Linear:
    weight = floats(node.weight)
    if weight.ndim != 2:  # noqa: PLR2004 - a matrix
        raise ValueError(
            f"{where} has a weight of shape {weight.shape}, but only matrices can be read"
        )
    bias = floats(node.bias) if isinstance(node, nir.Affine) else None
    outputs, inputs = weight.shape
    # on no device, so that no random number is drawn for weights that are replaced
    linear = Linear(inputs, outputs, bias=bias is not None, device="meta")
    return _weighted(where, linear, weight, bias)


def _convolution(where: str, node: nir.Conv2d) -> Conv2d:
    weight, groups = floats(node.weight), int(node.groups)
    outputs, inputs, *kernel = weight.shape
    options: Any = {
        "stride": _pair(node.stride),
        "padding": node.padding if isinstance(node.padding, str) else _pair(node.padding),
        "dilation": _pair(node.dilation),
    }
    layer = Conv2d(inputs * groups, outputs, _pair(kernel), groups=groups, device="meta", **options)
    return _weighted(where, layer, weight, floats(node.bias))


def _pool(node: Any) -> AvgPool2d:  # noqa: ANN401 - a sum or a mean
    kernel, stride, padding = map(_pair, (node.kernel_size, node.stride, node.padding))
    divisor = 1 if isinstance(node, nir.SumPool2d) else None
    return AvgPool2d(kernel, stride, padding, divisor_override=divisor)


def _weighted(where: str, layer: Layer, weight: Array, bias: Array | None) -> Layer:
    layer.weight = torch.nn.Parameter(torch.tensor(weight))
    if bias is not None:
        if bias.shape != weight.shape[:1]:
            raise ValueError(
                f"{where} has a bias of shape {bias.shape} for {len(weight)} outputs; give one "
                "number for each output"
            )
        layer.bias = torch.nn.Parameter(torch.tensor(bias))
    return layer


def _pair(value: Any) -> tuple[int, int]:  # noqa: ANN401 - a number or two, as torch and nir
    first, second = np.broadcast_to(np.asarray(value), 2)
    return int(first), int(second)


def array(where: str, tensor: Tensor) -> Array:
    """Return a copy of a tensor's numbers."""
    if tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        raise TypeError(
            f"{where} must have a dtype that numpy knows, but {tensor.dtype} came; "
            "convert the layer with .float()"
        )
    return tensor.numpy(force=True).copy()


def floats(value: object) -> Array:
    """Return numbers as floating-point ones; raise TypeError for what is no number."""
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "fiu":
        raise TypeError(f"a graph must hold real numbers, but {numbers.dtype} came; convert them")
    return numbers if numbers.dtype.kind == "f" else numbers.astype(np.float32)
