r"""NIR（Neuromorphic Intermediate Representation）のグラフに書き出し、読み込みます。

NIRは、スパイキングニューラルネットワークをライブラリの間でやり取りするための形式です。\
使うには``pip install "snn-docs[notebooks]"``でパッケージ``nir``を入れます。

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

``LI``は、``LIF``と同じ``tau``と``r``をもつNIRの``LI``になります。漏れが0なら、``IF``と同じ``r``の``I``です。\
``CubaLIF``は、``LIF``と同じ``tau_mem``と``r``のほかに、``synapse_leak``から同じように決まる\
``tau_syn``と``w_in``をもちます。``PLIF``は、いまの漏れの``LIF``になります。

発火の条件は、NIRの定義もこのパッケージも:math:`v > \theta`です。\
ただし、NIRを読むライブラリには、閾値とちょうど等しいときにも発火するものがあります。

リセットの規則は``nir``の版によって違い、1つしか書けません。\
1.0.6以降は電位``v_reset``へのリセットで、ここでは``reset="zero"``にあたります。\
それより前は閾値の引き算で、``reset="subtract"``にあたります。\
``conversion.convert``が返すネットワークは閾値を引くので、1.0.4で書きます\
（``pip install nir==1.0.4``）。1.0.5も引き算ですが、自分で書いた``AvgPool2d``を読み戻せません。\
古い版が書いたファイルを新しい版で読むと、``nir``は``v_reset``を0とみなします。

代理勾配、``detach_reset``、学習できるかどうか、始まりの膜電位（``conversion.halfway``）、\
出力を時刻について平均することは、NIRでは書けません。
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn_docs._checks import check_positive, optional, type_name
from snn_docs.currents import CubaLIF
from snn_docs.equations import Reset
from snn_docs.integrator import LI
from snn_docs.neurons import IF, LIF, PLIF, Firing

with optional("snn_docs.nir", "the package nir"):
    import nir

    from snn_docs._nir_layers import INSTEAD, READ, WRITTEN, Array, array, floats, read, written

# What a spike does in the equations of the installed nir.
RESET: Reset = "zero" if "v_reset" in {field.name for field in fields(nir.IF)} else "subtract"
# Which has the other rule; 1.0.5 subtracts, too, but can't read the AvgPool2d that it writes.
OTHER = "nir==1.0.4" if RESET == "zero" else "nir>=1.0.6"
NEURONS = IF, LIF, PLIF, CubaLIF, LI
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

    :param layers: 層の並び。``IF``、``LIF``、``PLIF``、``CubaLIF``、``LI``と、\
        ``torch.nn``の``Linear``、``Conv2d``、``AvgPool2d``、``Flatten``が書ける。``Sequential``も``Network``もそのまま渡せる。\
        中の``Sequential``は、その場所に開いて書く。\
        和のプーリング（``SumPool2d``）は、``divisor_override=1``の``AvgPool2d``
    :param dt: 1ステップの幅:math:`\Delta t`。正の有限な数。単位は秒。\
        ステップを単位に数えるなら``1.0``
    :param input\_shape: 1ステップの入力の形。バッチの次元は含めない。\
        最初の層が``Linear``でないときに要る
    :returns: グラフ。配列は層と別のメモリに写す
    :raises TypeError: 層の並びでないとき、書き出せない層があるとき、``dt``が数でないとき、\
        重みの型がNumPyにないとき
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

    畳み込みのあるネットワークには、入力の形を添えます。

    >>> from snn_docs import LI, Sequential
    >>> network = Sequential(
    ...     torch.nn.Conv2d(1, 4, 3),
    ...     LIF(leak=0.25, reset=RESET),
    ...     torch.nn.AvgPool2d(2),
    ...     torch.nn.Flatten(),
    ...     torch.nn.Linear(4 * 3 * 3, 10),
    ...     LI(leak=0.25),
    ... )
    >>> graph = to_nir(network, dt=1e-3, input_shape=(1, 8, 8))
    >>> [type(node).__name__ for node in graph.nodes.values()]
    ['Input', 'Conv2d', 'LIF', 'AvgPool2d', 'Flatten', 'Affine', 'LI', 'Output']

    出典: :cite:t:`pedersen2024nir`
    """
    check_positive(dt=dt)
    if not isinstance(layers, Iterable):
        raise TypeError(
            f"layers must be layers in a row, but a {type_name(layers)} came; give a list, "
            "a torch.nn.Sequential or a Network"
        )
    nodes, shape = [], input_shape
    for i, layer in enumerate(_flat(layers)):
        nodes.append(_node(f"layer {i}", layer, shape, dt))
        shape = tuple(int(size) for size in nodes[-1].output_type["output"])
    if not nodes:
        raise ValueError("layers must hold a layer, but none came; give for example [IF()]")
    named = {
        "input": nir.Input(nodes[0].input_type),
        **{f"layer_{i}": node for i, node in enumerate(nodes)},
        "output": nir.Output(nodes[-1].output_type),
    }
    edges = list(pairwise(named))
    return nir.NIRGraph(named, edges, metadata={"dt": dt, "spike": "v > v_threshold"})


def from_nir(
    graph: nir.NIRGraph,
    *,
    dt: float,
    detach_reset: bool = False,
    surrogate: Callable[[Tensor], Tensor] | None = None,
) -> list[torch.nn.Module]:
    r"""NIRのグラフを層の並びに読み込みます。

    .. math::

        \mathrm{leak} = \frac{\Delta t}{\tau}

    読めるのは、``IF``、``LIF``、``CubaLIF``、``I``、``LI``、``Affine``、``Linear``、``Conv2d``、\
    ``AvgPool2d``、``SumPool2d``、``Flatten``が一列につながったグラフです。\
    ``to_nir``が書いたグラフなら、重み、閾値、漏れは1ビットも変わりません。\
    NIRの``Conv2d``には必ずバイアスがあるので、バイアスのない畳み込みには0のバイアスが付きます。\
    ``Flatten``の次元は、NIRではバッチを含めずに数えます。

    すべてのニューロンに共通の閾値と漏れは数に、そうでなければテンソルになります。\
    テンソルの型はグラフの配列のままです。そろえるには、層の``float()``などを使います。

    :param graph: NIRのグラフ
    :param dt: 1ステップの幅:math:`\Delta t`。正の有限な数。グラフが書かれたときのもの。\
        ``IF``の``r``が1なら``1.0``
    :param detach\_reset: リセットに勾配を通さないかどうか。NIRには書かれていない
    :param surrogate: スパイクを出す関数。NIRには書かれていない。``None``なら、ニューロンの既定
    :returns: 層のリスト。``Sequential(*layers)``とすれば、ネットワークになる。\
        リセットの規則は``RESET``
    :raises TypeError: ``graph``がグラフでないとき、読めないノードがあるとき、``dt``が数でないとき
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
    check_positive(dt=dt)
    if not isinstance(graph, nir.NIRGraph):
        raise TypeError(
            f"graph must be a nir.NIRGraph, but a {type_name(graph)} came; "
            "read a file with nir.read, or wrap a node with nir.NIRGraph.from_list"
        )
    options: dict[str, Any] = {"reset": RESET, "detach_reset": detach_reset}
    if surrogate is not None:
        options["surrogate"] = surrogate
    return [_layer(f"node {name!r}", graph.nodes[name], dt, options) for name in _chain(graph)]


def _flat(layers: Iterable[torch.nn.Module]) -> Iterator[torch.nn.Module]:
    """Return the layers, with those of a Sequential inside in its place."""
    for layer in layers:
        yield from _flat(layer) if isinstance(layer, torch.nn.Sequential) else (layer,)


def _node(
    where: str, layer: torch.nn.Module, shape: tuple[int, ...] | None, dt: float
) -> nir.NIRNode:
    if type(layer) in WRITTEN:
        return written(where, layer, shape)
    if not isinstance(layer, Firing | LI | CubaLIF) or type(layer) not in NEURONS:
        why = INSTEAD.get(type(layer), "NIR, or this package's reader of it, has no node for it")
        raise TypeError(
            f"{where} must be one of {', '.join(kind.__name__ for kind in (*WRITTEN, *NEURONS))}"
            f", but a {type_name(layer)} came; {why}"
        )
    if shape is None:
        raise ValueError(
            f"{where} does not say how many neurons it has, and there is no torch.nn.Linear "
            "before it; give the shape of the input, for example (40,)"
        )
    if isinstance(layer, LI):
        return _integrator_node(where, layer, shape, dt)
    if layer.reset != RESET:
        raise ValueError(
            f"{where} has reset={layer.reset!r}, but nir {nir.version} can only say {RESET!r}: "
            "nir 1.0.6 and newer know a reset potential, older ones subtract the threshold; "
            f"train the layer with reset={RESET!r}, or install {OTHER} to keep its rule (what "
            "snn_docs.conversion.convert returns works with 'subtract' alone)"
        )
    return _neuron_node(where, layer, shape, dt)


def _integrator_node(where: str, layer: LI, shape: tuple[int, ...], dt: float) -> nir.NIRNode:
    leak = _spread(f"{where}: leak", layer.leak, shape)
    if not leak.any():
        return nir.I(r=np.full(shape, 1 / dt))
    tau = _finite_tau(where, leak, dt)
    return nir.LI(tau=tau, r=tau / dt, v_leak=np.zeros_like(tau), metadata={"leak": leak})


def _neuron_node(
    where: str, layer: Firing | CubaLIF, shape: tuple[int, ...], dt: float
) -> nir.NIRNode:
    threshold = _spread(f"{where}: threshold", layer.threshold, shape)
    zeros = np.zeros_like(threshold)
    reset: dict[str, Any] = {"v_reset": zeros} if RESET == "zero" else {}
    if not isinstance(layer, LIF | PLIF | CubaLIF):
        return nir.IF(r=np.full(shape, 1 / dt), v_threshold=threshold, **reset)
    leak = _spread(f"{where}: leak", layer.leak, shape)
    tau = _finite_tau(where, leak, dt)
    constants = {"r": tau / dt, "v_leak": zeros, "v_threshold": threshold, **reset}
    if not isinstance(layer, CubaLIF):
        return nir.LIF(tau=tau, **constants, metadata={"leak": leak})
    synapse_leak = _spread(f"{where}: synapse_leak", layer.synapse_leak, shape)
    tau_syn = _finite_tau(where, synapse_leak, dt)
    metadata = {"leak": leak, "synapse_leak": synapse_leak}
    return nir.CubaLIF(
        tau_syn=tau_syn, tau_mem=tau, w_in=tau_syn / dt, **constants, metadata=metadata
    )


def _tau(leak: Array, dt: float) -> Array:
    with np.errstate(divide="ignore", over="ignore"):
        return dt / leak.astype(np.float64)


def _finite_tau(where: str, leak: Array, dt: float) -> Array:
    tau = _tau(leak, dt)
    if not np.isfinite(tau).all():
        raise ValueError(
            f"{where} has the leak {leak.min()}, for which tau = dt / leak is infinite; "
            "a LIF without a leak is an IF"
        )
    return tau


def _spread(where: str, value: float | Tensor, shape: tuple[int, ...]) -> Array:
    """Return an array with a number for each neuron."""
    numbers = array(where, value) if isinstance(value, Tensor) else np.float64(value)
    try:
        return np.broadcast_to(numbers, shape).copy()
    except ValueError as error:
        raise ValueError(
            f"{where} has the shape {numbers.shape}, which does not broadcast to the neurons' "
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
    if isinstance(node, READ):
        return read(where, node)
    if isinstance(node, nir.IF | nir.LIF | nir.CubaLIF):
        return _neuron(where, node, dt, options)
    if isinstance(node, nir.I | nir.LI):
        return _integrator(where, node, dt)
    names = (kind.__name__ for kind in (*READ, nir.IF, nir.LIF, nir.CubaLIF, nir.I, nir.LI))
    raise TypeError(
        f"{where} must be one of {', '.join(names)}, but a {type_name(node)} came; "
        "this package has no layer for it"
    )


def _integrator(where: str, node: nir.I | nir.LI, dt: float) -> LI:
    if isinstance(node, nir.I):
        _check_gain(where, floats(node.r).astype(np.float64) * dt, dt)
        return LI(0.0)
    _check_zero(f"{where}: v_leak", node.v_leak)
    return LI(_leak(where, node, dt))


def _neuron(
    where: str, node: nir.IF | nir.LIF | nir.CubaLIF, dt: float, options: dict[str, Any]
) -> Firing | CubaLIF:
    threshold = _value(floats(node.v_threshold))
    _check_zero(f"{where}: v_reset", getattr(node, "v_reset", 0.0))
    if isinstance(node, nir.IF):
        _check_gain(where, floats(node.r).astype(np.float64) * dt, dt)
        return IF(threshold, **options)
    _check_zero(f"{where}: v_leak", node.v_leak)
    if isinstance(node, nir.LIF):
        return LIF(threshold, leak=_leak(where, node, dt), **options)
    leak = _leak(where, node, dt, tau="tau_mem")
    synapse_leak = _leak(where, node, dt, tau="tau_syn", gain="w_in", recorded="synapse_leak")
    return CubaLIF(threshold, leak=leak, synapse_leak=synapse_leak, **options)


def _leak(  # noqa: PLR0913 - names of what a node calls its own way
    where: str, node: nir.NIRNode, dt: float, *, tau: str = "tau", gain: str = "r",
    recorded: str = "leak",
) -> float | Tensor:  # fmt: skip
    """Return the leak of a time constant; raise unless inputs are added as they are."""
    times = floats(getattr(node, tau))
    taus = times.astype(np.float64)
    if (wrong := taus[~((taus >= dt * (1 - ROUNDING)) & np.isfinite(taus))]).size:
        raise ValueError(
            f"{where} has {tau} = {wrong[0]}, but it must be finite and not shorter than dt = {dt},"
            f" because a step loses dt / {tau}; give the dt that the graph was written for"
        )
    _check_gain(where, floats(getattr(node, gain)).astype(np.float64) * dt / taus, dt)
    leak = node.metadata.get(recorded)
    if (
        isinstance(leak, np.ndarray)
        and leak.dtype.kind == "f"
        and np.array_equal(_tau(leak, dt), times)
    ):
        return _value(leak)
    return _value(np.minimum(dt / taus, 1), times.dtype)


def _check_zero(where: str, value: object) -> None:
    array = floats(value)
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


def _value(array: Array, dtype: Any = None) -> float | Tensor:  # noqa: ANN401 - as numpy's
    """Return the number that all are, or a tensor."""
    if array.size and (array == array.flat[0]).all():
        return float(array.flat[0])
    return torch.from_numpy(array.astype(dtype or array.dtype))
