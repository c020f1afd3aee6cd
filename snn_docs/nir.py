r"""NIR（Neuromorphic Intermediate Representation）のグラフに書き出し、読み込みます。

NIRは、スパイキングニューラルネットワークをライブラリの間でやり取りするための形式です。\
使うには``pip install "snn-docs[nir]"``でパッケージ``nir``を入れます。

NIRの時間は連続です。このパッケージのニューロンは1ステップごとに動くので、ステップの幅``dt``を必ず渡します。\
NIRの``LIF``の微分方程式を、幅``dt``の前進オイラー法で1ステップ進めると、次の式になります。

.. math::

    \tau \frac{dv}{dt} &= (v_{\mathrm{leak}} - v) + R I \\
    &\downarrow \\
    v_t &= \left(1 - \frac{\Delta t}{\tau}\right) v_{t-1} \\
    &\quad + \frac{\Delta t}{\tau} (v_{\mathrm{leak}} + R I_t)

このパッケージの式と同じになるのは、次のように置いたときです。

=====================  =========================================  ===================
NIRの変数              ``LIF``                                    ``IF``
=====================  =========================================  ===================
``tau``                :math:`\Delta t / \mathrm{leak}`           なし
``r``                  :math:`\tau / \Delta t`                    :math:`1 / \Delta t`
``v_threshold``        ``threshold``                              ``threshold``
``v_leak``             0                                          なし
``v_reset``            0                                          0
=====================  =========================================  ===================

発火の条件は、NIRの定義もこのパッケージも:math:`v > \theta`です。\
ただし、NIRを読むライブラリには、閾値とちょうど等しいときにも発火するものがあります。

リセットの規則は``nir``の版によって違い、1つしか書けません。\
1.0.6以降は電位``v_reset``へのリセットで、ここでは``reset="zero"``にあたります。\
それより前は閾値の引き算で、``reset="subtract"``にあたります。\
古い版が書いたファイルを新しい版で読むと、``nir``は``v_reset``を0とみなします。

代理勾配、``detach_reset``、学習できるかどうかは、NIRでは書けません。
"""

from collections.abc import Callable, Iterable
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn_docs._checks import type_name
from snn_docs.equations import Reset
from snn_docs.neurons import IF, LIF
from snn_docs.surrogate import Heaviside

try:
    import nir
except ModuleNotFoundError as error:
    raise ImportError(
        'snn_docs.nir needs the package nir; install it with: pip install "snn-docs[nir]"'
    ) from error

Array = np.ndarray[Any, np.dtype[Any]]

# What a spike does in the equations of the installed nir.
RESET: Reset = "zero" if "v_reset" in {field.name for field in fields(nir.IF)} else "subtract"
ROUNDING = 1e-6  # how far apart two numbers may be that float32 arithmetic meant to be the same


def to_nir(
    layers: Iterable[torch.nn.Module], *, dt: float, input_shape: tuple[int, ...] | None = None
) -> nir.NIRGraph:
    r"""層の並びをNIRのグラフに書き出します。

    .. math::

        \tau &= \frac{\Delta t}{\mathrm{leak}} \\
        R_{\mathrm{LIF}} &= \frac{\tau}{\Delta t} \\
        R_{\mathrm{IF}} &= \frac{1}{\Delta t}

    数で渡した閾値と漏れは、``float64``の配列にして、ニューロンの数だけ並べます。\
    割り算の誤差で漏れが変わらないように、もとの値を``metadata["leak"]``に添えます。\
    グラフの``metadata``には、``dt``と発火の条件を添えます。

    :param layers: ``torch.nn.Linear``、``IF``、``LIF``の並び。``torch.nn.Sequential``も渡せる
    :param dt: 1ステップの幅:math:`\Delta t`。正の有限な数。単位は秒。\
        ステップを単位に数えるなら``1.0``
    :param input\_shape: 1ステップの入力の形。バッチの次元は含めない。\
        最初の層がニューロンのときに要る
    :returns: グラフ。配列は層と別のメモリに写す
    :raises TypeError: 書き出せない層があるとき、重みの型がNumPyにないとき
    :raises ValueError: ``dt``が正の有限な数でないとき、層がないとき、\
        形が決まらないか合わないとき、リセットの規則がこの版の``nir``で書けないとき、漏れが0で:math:`\tau`が無限になるとき

    >>> import torch
    >>> from snn_docs import LIF
    >>> from snn_docs.nir import RESET, to_nir
    >>> graph = to_nir([torch.nn.Linear(3, 2), LIF(leak=0.25, reset=RESET)], dt=1e-3)
    >>> graph.edges
    [('input', 'layer_0'), ('layer_0', 'layer_1'), ('layer_1', 'output')]
    >>> graph.nodes["layer_1"].tau
    array([0.004, 0.004])

    出典: :cite:t:`pedersen2024nir`
    """
    _check_dt(dt)
    nodes, shape = [], input_shape
    for i, layer in enumerate(layers):
        nodes.append(_node(f"layer {i}", layer, shape, dt))
        shape = tuple(int(size) for size in nodes[-1].output_type["output"])
    if not nodes:
        raise ValueError("layers must hold a layer, but none came; give for example [IF()]")
    named = {
        "input": nir.Input(nodes[0].input_type),
        **{f"layer_{i}": node for i, node in enumerate(nodes)},
        "output": nir.Output(nodes[-1].output_type),
    }
    names = list(named)
    edges = list(pairwise(names))
    return nir.NIRGraph(named, edges, metadata={"dt": dt, "spike": "v > v_threshold"})


def from_nir(
    graph: nir.NIRGraph,
    *,
    dt: float,
    detach_reset: bool = False,
    surrogate: Callable[[Tensor], Tensor] = Heaviside.apply,
) -> list[torch.nn.Module]:
    r"""NIRのグラフを層の並びに読み込みます。

    .. math::

        \mathrm{leak} = \frac{\Delta t}{\tau}

    読めるのは、``Affine``、``Linear``、``IF``、``LIF``が一列につながったグラフです。\
    ``to_nir``が書いたグラフなら、重み、閾値、漏れは1ビットも変わりません。

    すべてのニューロンに共通の閾値と漏れは数に、そうでなければテンソルになります。\
    テンソルの型はグラフの配列のままです。そろえるには、層の``float()``などを使います。

    :param graph: NIRのグラフ
    :param dt: 1ステップの幅:math:`\Delta t`。正の有限な数。グラフが書かれたときのもの。\
        ``IF``の``r``が1なら``1.0``
    :param detach\_reset: リセットに勾配を通さないかどうか。NIRには書かれていない
    :param surrogate: スパイクを出す関数。NIRには書かれていない
    :returns: ``torch.nn.Linear``、``IF``、``LIF``のリスト。リセットの規則は``RESET``
    :raises TypeError: ``graph``がグラフでないとき、読めないノードがあるとき
    :raises ValueError: ``dt``が正の有限な数でないとき、グラフが一列でないとき、\
        このパッケージの式では表せない値があるとき。``r``が合わないのは、たいてい``dt``の違い

    >>> import torch
    >>> from snn_docs import IF
    >>> from snn_docs.nir import RESET, from_nir, to_nir
    >>> graph = to_nir([IF(threshold=0.5, reset=RESET)], dt=1e-3, input_shape=(2,))
    >>> (layer,) = from_nir(graph, dt=1e-3)
    >>> layer.run(torch.tensor([[0.4, 0.6]]))[0]
    tensor([[0., 1.]])

    出典: :cite:t:`pedersen2024nir`
    """
    _check_dt(dt)
    if not isinstance(graph, nir.NIRGraph):
        raise TypeError(
            f"graph must be a nir.NIRGraph, but a {type_name(graph)} came; "
            "read a file with nir.read, or wrap a node with nir.NIRGraph.from_list"
        )
    options = {"reset": RESET, "detach_reset": detach_reset, "surrogate": surrogate}
    return [_layer(f"node {name!r}", graph.nodes[name], dt, options) for name in _chain(graph)]


def _check_dt(dt: float) -> None:
    if not 0 < dt < np.inf:
        raise ValueError(
            f"dt must be positive and finite, but {dt} came; it is the length of a step in "
            "seconds: give for example 1e-3, or 1.0 to count time in steps"
        )


def _node(
    where: str, layer: torch.nn.Module, shape: tuple[int, ...] | None, dt: float
) -> nir.NIRNode:
    if type(layer) is torch.nn.Linear:
        return _linear_node(where, layer, shape)
    if type(layer) is not IF and type(layer) is not LIF:
        raise TypeError(
            f"{where} must be a torch.nn.Linear, an IF or a LIF, but a {type_name(layer)} came; "
            "NIR may know it, but this package has no layer that would read it back"
        )
    if shape is None:
        raise ValueError(
            f"{where} does not say how many neurons it has, and there is no torch.nn.Linear "
            "before it; give input_shape, for example (40,)"
        )
    if layer.reset != RESET:
        raise ValueError(
            f"{where} has reset={layer.reset!r}, but nir {nir.version} can only say {RESET!r}: "
            "nir 1.0.6 and newer know a reset potential, older ones subtract the threshold; "
            f"make the layer with reset={RESET!r}, or install another nir"
        )
    return _neuron_node(where, layer, shape, dt)


def _linear_node(where: str, layer: torch.nn.Linear, shape: tuple[int, ...] | None) -> nir.NIRNode:
    if shape not in (None, (layer.in_features,)):
        raise ValueError(
            f"{where} takes ({layer.in_features},), but {shape} comes before it; "
            "NIR multiplies vectors with matrices, whose sizes must agree"
        )
    weight = _array(f"{where}: weight", layer.weight)
    if layer.bias is None:
        return nir.Linear(weight)
    return nir.Affine(weight, _array(f"{where}: bias", layer.bias))


def _neuron_node(where: str, layer: IF, shape: tuple[int, ...], dt: float) -> nir.NIRNode:
    threshold = _spread(f"{where}: threshold", layer.threshold, shape)
    zeros = np.zeros_like(threshold)
    reset: dict[str, Any] = {"v_reset": zeros} if RESET == "zero" else {}
    if not isinstance(layer, LIF):
        return nir.IF(r=np.full(shape, 1 / dt), v_threshold=threshold, **reset)
    leak = _spread(f"{where}: leak", layer.leak, shape)
    tau = _tau(leak, dt)
    if not np.isfinite(tau).all():
        raise ValueError(
            f"{where} has the leak {leak.min()}, for which tau = dt / leak is infinite; "
            "neurons without a leak are an IF"
        )
    constants = {"tau": tau, "r": tau / dt, "v_leak": zeros, "v_threshold": threshold}
    return nir.LIF(**constants, **reset, metadata={"leak": leak})


def _tau(leak: Array, dt: float) -> Array:
    with np.errstate(divide="ignore", over="ignore"):
        return dt / leak.astype(np.float64)


def _array(where: str, tensor: Tensor) -> Array:
    if tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        raise TypeError(
            f"{where} must have a dtype that numpy knows, but {tensor.dtype} came; "
            "convert the layer with .float()"
        )
    return tensor.numpy(force=True).copy()


def _spread(where: str, value: float | Tensor, shape: tuple[int, ...]) -> Array:
    """Return an array with a number for each neuron."""
    array = _array(where, value) if isinstance(value, Tensor) else np.float64(value)
    try:
        return np.broadcast_to(array, shape).copy()
    except ValueError as error:
        raise ValueError(
            f"{where} has the shape {array.shape}, which does not broadcast to the neurons' "
            f"{shape}; NIR holds one number for each neuron, and knows no batches"
        ) from error


def _chain(graph: nir.NIRGraph) -> list[str]:
    """Return the names of the nodes from input to output, without these two."""
    following = dict(graph.edges)
    names = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    while names and names[-1] in following and len(names) <= len(following):
        names.append(following[names[-1]])
    walked = set(pairwise(names))
    last = graph.nodes.get(names[-1]) if names else None
    if walked != set(graph.edges) or {*names} != {*graph.nodes} or not isinstance(last, nir.Output):
        raise ValueError(
            "graph must be a chain, from one Input through one node after the other to one Output, "
            f"but its edges are {graph.edges}; branches and recurrent connections can't be read"
        )
    return names[1:-1]


def _layer(where: str, node: nir.NIRNode, dt: float, options: dict[str, Any]) -> torch.nn.Module:
    if isinstance(node, nir.Linear | nir.Affine):
        return _linear(where, node)
    if isinstance(node, nir.IF | nir.LIF):
        return _neuron(where, node, dt, options)
    raise TypeError(
        f"{where} must be an Affine, Linear, IF or LIF, but a {type_name(node)} came; "
        "this package has no layer for it"
    )


def _linear(where: str, node: nir.Linear | nir.Affine) -> torch.nn.Linear:
    weight = _floats(node.weight)
    if weight.ndim != 2:  # noqa: PLR2004 - a matrix
        raise ValueError(
            f"{where} has a weight of shape {weight.shape}, but only matrices can be read"
        )
    bias = _floats(node.bias) if isinstance(node, nir.Affine) else None
    outputs, inputs = weight.shape
    # on no device, so that no random number is drawn for weights that are replaced
    linear = torch.nn.Linear(inputs, outputs, bias=bias is not None, device="meta")
    linear.weight = torch.nn.Parameter(torch.tensor(weight))
    if bias is not None:
        linear.bias = torch.nn.Parameter(torch.tensor(bias))
    return linear


def _neuron(where: str, node: nir.IF | nir.LIF, dt: float, options: dict[str, Any]) -> IF:
    threshold = _value(_floats(node.v_threshold))
    gain = _floats(node.r).astype(np.float64) * dt
    _check_zero(f"{where}: v_reset", getattr(node, "v_reset", 0.0))
    if isinstance(node, nir.IF):
        _check_gain(where, gain, dt)
        return IF(threshold, **options)
    _check_zero(f"{where}: v_leak", node.v_leak)
    tau = _floats(node.tau).astype(np.float64)
    if (wrong := tau[~((tau >= dt * (1 - ROUNDING)) & np.isfinite(tau))]).size:
        raise ValueError(
            f"{where} has tau = {wrong[0]}, but it must be finite and not shorter than dt = {dt}, "
            "because a step loses dt / tau; give the dt that the graph was written for"
        )
    _check_gain(where, gain / tau, dt)
    return LIF(threshold, leak=_leak(node, dt), **options)


def _leak(node: nir.LIF, dt: float) -> float | Tensor:
    tau = _floats(node.tau)
    recorded = node.metadata.get("leak")
    if recorded is not None and np.array_equal(_tau(recorded, dt), tau):
        return _value(recorded)
    return _value(np.minimum(dt / tau.astype(np.float64), 1), tau.dtype)


def _check_zero(where: str, value: object) -> None:
    array = _floats(value)
    if (wrong := array[array != 0]).size:
        raise ValueError(
            f"{where} is {wrong[0]}, but only 0 can be read; "
            "subtract it from the potentials and the thresholds of the graph"
        )


def _check_gain(where: str, gain: Array, dt: float) -> None:
    if (wrong := gain[~np.isclose(gain, 1, rtol=ROUNDING, atol=0)]).size:
        raise ValueError(
            f"{where} adds {wrong[0]} times its input in a step of dt = {dt}, but a neuron of "
            "this package adds its input as it is; give the dt that the graph was written for, "
            "or multiply the weights before the node instead of r"
        )


def _floats(value: object) -> Array:
    array = np.asarray(value)
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _value(array: Array, dtype: Any = None) -> float | Tensor:  # noqa: ANN401 - as numpy's
    """Return the number that all are, or a tensor."""
    if array.size and (array == array.flat[0]).all():
        return float(array.flat[0])
    return torch.from_numpy(array.astype(dtype or array.dtype))
