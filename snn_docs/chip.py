r"""ネットワークがチップの規則を守っているかを、載せる前に、NIRの設計図の上で調べます。

規則は数の表で、``SPECK``がその1つです。使うには``pip install "snn-docs[notebooks]"``で\
パッケージ``nir``を入れます。チップは動かしません。

出典: :cite:t:`pedersen2024nir`、:cite:t:`sheik2023sinabs`
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, log2, prod
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from snn_docs._checks import check_floating, check_integer, check_positive, optional, type_name
from snn_docs._tables import table
from snn_docs.currents import CubaLIF
from snn_docs.neurons import Firing
from snn_docs.nir import _flat, to_nir

with optional("snn_docs.chip", "the package nir"):
    import nir
    import numpy as np

Layers = TypeVar("Layers", bound=Iterable[nn.Module])
Edges = list[tuple[str, str]]


@dataclass(frozen=True)
class Rules:
    """チップが受け取るネットワークの規則です。

    ほかのチップの規則は、そのチップの文書から数を写して作ります。1か所だけ違うなら、\
    ``dataclasses.replace(SPECK, fan_in=256)``のように書きます。
    """

    chip: str
    """チップの名前"""
    neurons: Sequence[str] = ("IF",)
    """受け取るニューロンの、NIRでの名前"""
    weight_bits: int = 8
    """重みとバイアスのビット数"""
    threshold_bits: int = 16
    """閾値のビット数"""
    targets: int = 2
    """ニューロンかプールの、送り先の数"""
    bias_each_step: bool = True
    """バイアスを、ステップごとに足すか。足さないなら、0でないバイアスを断る"""
    fan_in: int | None = None
    """ニューロン1つの、入力の線の数。``None``なら数えない"""
    sizes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """入力と出力の縦横、チャネル、カーネル、歩幅、足す幅に許される数"""
    pools: Sequence[int] | None = None
    """プールの大きさに許される数。歩幅も同じ"""
    cores: tuple[tuple[int, int, int], ...] = ()
    """コアごとに、載せられる重み、ニューロン、バイアスの数。空なら数えない"""
    sources: Mapping[str, str] = field(default_factory=dict)
    """規則ごとの、もとの文書"""


K, IMAGE = 1024, 3
MOST = 2**15 - 1
"""The largest threshold of 16 bits."""
SPECK = Rules(
    chip="Speck",
    bias_each_step=False,
    sizes={
        "入力の縦横": range(129), "出力の縦横": range(65), "チャネル": range(1025),
        "カーネル": range(17), "歩幅": (1, 2, 4, 8), "足す幅": range(8),
    },
    pools=(1, 2, 4),
    cores=(
        *3 * ((16 * K, 64 * K, K),), *2 * ((32 * K, 32 * K, K),),
        *2 * ((64 * K, 16 * K, K),), *2 * ((16 * K, 16 * K, K),),
    ),
    sources={
        "neurons": "sinabs 3.1.3, dynapcnn_layer.py",
        "weight_bits": "sinabs 3.1.3, discretize.py",
        "threshold_bits": "sinabs 3.1.3, discretize.py",
        "targets": "sinabs 3.1.3, chips/dynapcnn.py",
        "bias_each_step": "sinabs 3.1.3, docs/speck/notebooks/leak_neuron.ipynb",
        "sizes": "sinabs 3.1.3, docs/speck/overview.md",
        "pools": "sinabs 3.1.3, docs/speck/overview.md",
        "cores": "sinabs 3.1.3, chips/dynapcnn.py",
    },
)  # fmt: skip
"""DYNAP-CNNとSpeckの規則。sinabs 3.1.3のソースと文書から読み取ったもの"""

FIXES = {
    "部品": "重み、和のプール、ニューロンだけで書く",
    "ニューロン": "替えて、学習し直す",
    "プール": "divisor_override=1",
    "並び": "重み→発火→プール",
    "つながり": "前と後ろにつなぐか、取り除く",
    "送り先": "枝分かれを減らす",
    "輪": "戻る結合を外す",
    "入力の形": "画像でなければ(数, 1, 1)とし、Flattenで始める",
    "重み": "chip.integersに通す",
    "バイアス": "chip.integersに通す。大きすぎれば、topを上げる",
    "バイアスの時刻": "bias=Falseで学習",
    "閾値": "層に1つの正の整数にする",
    "倍率": "dt=1.0で書く",
    "リセット": "0へのリセットにする",
    "カーネルの形": "縦と横をそろえる",
    "間隔と組": "dilationとgroupsを1にする",
    "プールの形": "縦＝横＝歩幅、足す幅0",
    "メモリ": "チャネルを減らすか、歩幅かプールを大きくする",
    "入力の線": "チャネルかカーネルを小さくする",
}
"""What to do about a broken rule; one about a size is named after that."""
PARTS = {
    nir.Input: "入力", nir.Output: "出力", nir.SumPool2d: "プール", nir.Conv2d: "重み",
    nir.Affine: "重み", **dict.fromkeys((nir.IF, nir.LIF, nir.CubaLIF), "ニューロン"),
}  # fmt: skip
NEXT = {
    "入力": ("重み",), "重み": ("ニューロン",), "ニューロン": ("プール", "重み", "出力"),
    "プール": ("重み",), "出力": (),
}  # fmt: skip
Found = Iterator[tuple[str, str, str, str]]  # layer, rule, what came, what is allowed


class Violation(NamedTuple):
    """守られていない規則の1つです。"""

    layer: str
    """層の番号。設計図を渡したときは、ノードの名前"""
    rule: str
    """規則の名前"""
    came: str
    """来たもの"""
    allowed: str
    """チップに載るもの"""
    fix: str
    """直し方"""


class Violations(list[Violation]):
    """守られていない規則のリストです。表示すると、規則ごとに1行の表になります。"""

    def __repr__(self) -> str:
        """規則ごとに1行の表を返します。"""
        layers: dict[tuple[str, ...], list[str]] = {}
        for layer, *rest in self:
            layers.setdefault(tuple(rest), []).append(layer)
        rows = [(rule, ", ".join(some), *rest) for (rule, *rest), some in layers.items()]
        return table([("規則", "層", "来たもの", "載るもの", "直し方"), *rows]) if rows else "[]"


def check(
    network: Iterable[nn.Module] | nir.NIRGraph,
    shape: tuple[int, ...] | None = None,
    rules: Rules = SPECK,
) -> Violations:
    r"""ネットワークが守っていない、チップの規則を並べます。

    調べるのは、部品とその並び、形、メモリ、重みと閾値が整数かどうかです。\
    Speckはバイアスを、ステップごとではなく遅い時計に合わせて足すので、0でないバイアスを断ります。\
    電位が閾値と等しいときに発火するチップとの違いは調べません（この本では発火しません）。\
    膜電位の大きさは、データを見せて、``record``で測ります。\
    学習する前にも、``check(integers(network), shape)``で、並び、形、メモリを調べられます。\
    バイアスと閾値がビット数に収まるかは重みによるので、学習のあとに、もう1度調べます。

    :param network: 層の並び。``Sequential``か、``nir.read``が読んだ設計図
    :param shape: 1ステップの入力の形、``(チャネル, 縦, 横)``。設計図には要らない。\
        表のように画像でない入力は、``(列の数, 1, 1)``とし、``Flatten``で始める
    :param rules: 規則
    :returns: 守られていない規則のリスト。すべて守っていれば、空
    :raises TypeError: ``rules``が``Rules``でないとき、設計図に書けない層があるとき
    :raises ValueError: 形が決まらないか合わないとき、設計図に書けないリセットのとき

    >>> import torch
    >>> from snn_docs import IF, LIF, chip
    >>> from snn_docs.nir import RESET
    >>> _ = torch.manual_seed(0)
    >>> weights = torch.nn.Conv2d(1, 4, 3, bias=False)
    >>> network = torch.nn.Sequential(weights, LIF(leak=0.1, reset=RESET))
    >>> chip.check(network, (1, 8, 8))
    規則        層  来たもの  載るもの       直し方
    ニューロン  1   LIF       IF             替えて、学習し直す
    重み        0   実数      8ビットの整数  chip.integersに通す
    >>> network[1] = IF(reset=RESET)
    >>> chip.check(chip.integers(network), (1, 8, 8))
    []

    出典: :cite:t:`sheik2023sinabs`
    """
    if not isinstance(rules, Rules):
        raise TypeError(f"rules must be chip.Rules, but a {type_name(rules)} came; give chip.SPECK")
    graph = network if isinstance(network, nir.NIRGraph) else drawing(network, shape)
    for name, node in graph.nodes.items():
        if any(size is None for size in (*node.input_type.values(), *node.output_type.values())):
            raise ValueError(
                f"node {name!r} of the graph does not say its shape; call graph.infer_types()"
            )
    laws = _wiring, _shapes, _pictures, _memory, _numbers
    found = [one for law in laws for one in law(graph, rules)]
    if graph is not network:
        found = [(one[0].replace("layer_", ""), *one[1:]) for one in found]
    return Violations(Violation(*one, FIXES.get(one[1], f"{one[1]}を変える")) for one in found)


def integers(network: Layers, bits: int = 8, *, top: float = 1.0) -> Layers:
    r"""重みと閾値を整数にした写しを返します。学習し直しません。

    層ごとに、重み、バイアス、次のニューロンの閾値を、同じ数:math:`n`倍して丸めます（``whole``）。\
    丸めた分のほかは、発火は変わりません。

    :param network: ``Sequential``か``Network``。ニューロンは層ごとに別のもの
    :param bits: 重みのビット数。2以上
    :param top: いちばん大きい重みの何倍で切り詰めるか。正の数。\
        小さくすれば残りを細かく刻み、1より大きくすれば、膜電位も小さな整数になる。\
        バイアスがはみ出すときも、大きくする
    :returns: 写し。型は``network``と同じ
    :raises TypeError: ``network``が層の並びでないとき、``bits``が整数でないとき
    :raises ValueError: ``bits``が2より小さいとき、``top``が正の有限な数でないとき、\
        1つのニューロンが2か所にあるとき

    >>> import torch
    >>> from snn_docs import IF, Sequential, chip
    >>> network = Sequential(torch.nn.Linear(2, 1, bias=False), IF())
    >>> network[0].weight.data = torch.tensor([[0.5, -0.2]])
    >>> whole = chip.integers(network)
    >>> whole[0].weight, whole[1].threshold
    (Parameter containing:
    tensor([[127., -51.]], requires_grad=True), 254.0)
    """
    if not isinstance(network, Iterable):
        raise TypeError(f"network must be layers in a row, but a {type_name(network)} came")
    made, n, seen = copy.deepcopy(network), 1.0, set[nn.Module]()
    for layer in _flat(made):
        if layer in seen:
            raise ValueError(f"{layer} stands in two places; make a layer of its own for each")
        seen.add(layer)
        if isinstance(layer, nn.Linear | nn.Conv2d):
            weight, scale = whole(layer.weight.detach(), bits, top=top)
            layer.weight, n = nn.Parameter(weight), scale.item()
            if layer.bias is not None:
                layer.bias = nn.Parameter((n * layer.bias.detach()).round())
        elif isinstance(layer, Firing | CubaLIF):
            threshold = n * layer.threshold
            fixed = threshold.round() if isinstance(threshold, Tensor) else float(round(threshold))
            layer.threshold, n = fixed, 1.0
    return made


def whole(weight: Tensor, bits: int = 8, *, top: float = 1.0) -> tuple[Tensor, Tensor]:
    r"""整数にした重みと、何倍したかを返します。

    .. math::

        n &= \mathrm{round}\!\left(
        \frac{2^{b-1} - 1}{\mathrm{top} \cdot \max |w|} \right) \\
        W &= \mathrm{round}(n\,w)

    :math:`n`は1より小さくせず、:math:`W`は:math:`\pm(2^{b-1} - 1)`で切り詰めます。\
    勾配は素通りします（直通推定）。丸めながら学習するには、``W / n``を重みに使います。

    :param weight: 重み。浮動小数点数のテンソル。形は任意
    :param bits: ビット数:math:`b`。2以上
    :param top: いちばん大きい重みの何倍で切り詰めるか。正の数
    :returns: 整数の重み（形と型は``weight``と同じ）と、次元のない:math:`n`
    :raises TypeError: ``weight``が浮動小数点数のテンソルでないとき、``bits``が整数でないとき
    :raises ValueError: ``bits``が2より小さいとき、``top``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs import chip
    >>> chip.whole(torch.tensor([0.9, -0.3, 0.1]), bits=4)
    (tensor([ 7., -2.,  1.]), tensor(8.))

    出典: :cite:t:`bengio2013estimating`
    """
    check_floating(weight=weight)
    check_integer(minimum=2, bits=bits)
    check_positive(top=top)
    most = 2 ** (bits - 1) - 1
    largest = weight.detach().abs().max()
    n = (most / (top * largest)).round().clamp(1, MOST)
    scaled = n * weight
    rounded = scaled.detach().round().clamp(-most, most)
    return rounded + (scaled - scaled.detach()), n  # the second term is 0, but has a gradient


def drawing(network: Iterable[nn.Module], shape: tuple[int, ...] | None = None) -> nir.NIRGraph:
    """チップの読み手のための設計図を返します。``nir.write``で書き出します。

    ``nir.to_nir``のグラフと違うのは、幅が1ステップで、バイアスのない全結合にも0のバイアスがあることです。\
    sinabs 3.1.3の読み手は、バイアスのない全結合を飛ばします。

    :param network: 層の並び
    :param shape: 1ステップの入力の形、``(チャネル, 縦, 横)``
    :returns: グラフ
    :raises TypeError: 設計図に書けない層があるとき
    :raises ValueError: 形が決まらないか合わないとき、設計図に書けないリセットのとき

    >>> import torch
    >>> from snn_docs import IF, chip
    >>> from snn_docs.nir import RESET
    >>> graph = chip.drawing([torch.nn.Linear(3, 2, bias=False), IF(reset=RESET)])
    >>> [type(node).__name__ for node in graph.nodes.values()]
    ['Input', 'Affine', 'IF', 'Output']

    出典: :cite:t:`pedersen2024nir`
    """
    graph = to_nir(network, dt=1.0, input_shape=shape)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Linear):
            zeros = np.zeros(len(node.weight), node.weight.dtype)
            graph.nodes[name] = nir.Affine(node.weight, zeros)
    return graph


def _joined(graph: nir.NIRGraph) -> Edges:
    """Return the edges past nodes that flatten, which compute nothing."""
    edges: Edges = list(graph.edges)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Flatten):
            before, after = ([edge for edge in edges if edge[i] == name] for i in (1, 0))
            edges = [edge for edge in edges if name not in edge]
            edges += [(a, b) for a, _ in before for _, b in after]
    return edges


def _wiring(graph: nir.NIRGraph, rules: Rules) -> Found:
    edges = _joined(graph)
    kinds = {name: PARTS.get(type(node)) for name, node in graph.nodes.items()
             if not isinstance(node, nir.Flatten)}  # fmt: skip
    for name, kind in kinds.items():
        type_ = type(graph.nodes[name]).__name__
        if kind == "ニューロン" and type_ not in rules.neurons:
            yield name, kind, type_, "、".join(rules.neurons)
            kinds[name] = None  # it says nothing about its neighbours
        elif type_ == "AvgPool2d":
            yield name, "プール", "平均", "発火の後の和"
        elif kind is None:
            yield name, "部品", type_, "重み、和のプール、ニューロン"
        targets, most = sum(a == name for a, _ in edges), 1 if kind == "重み" else rules.targets
        if targets > most:
            yield name, "送り先", f"{targets}か所", f"{most}か所まで"
        for end, place, word in ("入力", 1, "前"), ("出力", 0, "後ろ"):
            if kind != end and all(edge[place] != name for edge in edges):
                yield name, "つながり", f"{word}に何もない", "一続き"
    for a, b in edges:
        before, after = kinds[a], kinds[b]
        if before and after and after not in NEXT[before]:
            yield f"{a}→{b}", "並び", f"{before}の次に{after}", "か".join(NEXT[before]) or "なし"
    yield from _loops(edges)


def _loops(edges: Edges) -> Found:
    """Find what is left when nodes with nothing before or behind them go, again and again."""
    left, smaller = None, edges
    while smaller != left:
        left = smaller
        starts, ends = {a for a, _ in left}, {b for _, b in left}
        smaller = [(a, b) for a, b in left if a in ends and b in starts]
    if smaller:
        yield ", ".join(sorted({a for a, _ in smaller})), "輪", "輪がある", "一方通行"


def _weighted(graph: nir.NIRGraph) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """Yield layers of weights and their kernels; a flattened picture is covered by one as large."""
    for name, node in graph.nodes.items():
        if hasattr(node, "weight"):
            flat = [graph.nodes[a] for a, b in graph.edges if b == name]
            flat = [node for node in flat if isinstance(node, nir.Flatten)]
            covered = (int(size) for one in flat[:1] for size in one.input_type["input"])
            yield name, node, (len(node.weight), *covered) if flat else node.weight.shape


def _shapes(graph: nir.NIRGraph, rules: Rules) -> Found:
    for name, node, (outputs, inputs, *area) in _weighted(graph):
        values = {
            "入力の縦横": node.input_type["input"][1:],
            "出力の縦横": node.output_type["output"][1:],
            "チャネル": (outputs, inputs), "カーネル": area,
            "歩幅": getattr(node, "stride", 1), "足す幅": getattr(node, "padding", 0),
        }  # fmt: skip
        for rule, allowed in rules.sizes.items():
            if not {*np.ravel(values[rule])} <= {*allowed}:
                yield name, rule, _product(values[rule]), _among(allowed)
        if len(set(area)) > 1:
            yield name, "カーネルの形", _product(area), "正方形"
        if (np.hstack([getattr(node, "dilation", 1), getattr(node, "groups", 1)]) != 1).any():
            yield name, "間隔と組", "間隔か組がある", "なし"
        if rules.fan_in is not None and (lines := prod(node.weight.shape[1:])) > rules.fan_in:
            yield name, "入力の線", f"{lines}本", f"{rules.fan_in}本まで"


def _pictures(graph: nir.NIRGraph, rules: Rules) -> Found:
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Input) and np.size(node.input_type["input"]) != IMAGE:
            yield name, "入力の形", _product(node.input_type["input"]), "チャネル×縦×横"
        if isinstance(node, nir.SumPool2d) and rules.pools is not None:
            sizes = {*np.ravel(node.kernel_size), *np.ravel(node.stride)}
            if len(sizes) > 1 or not sizes <= {*rules.pools} or np.any(node.padding):
                came = f"{_product(node.kernel_size)}、歩幅{_product(node.stride)}"
                yield name, "プールの形", came, _among(rules.pools)


def _product(sizes: Any) -> str:  # noqa: ANN401 - whatever nir holds
    return "×".join(str(size) for size in np.ravel(sizes))


def _among(allowed: Sequence[int]) -> str:
    return f"{max(allowed)}まで" if isinstance(allowed, range) else "、".join(map(str, allowed))


def _memory(graph: nir.NIRGraph, rules: Rules) -> Found:
    """Seat each layer of weights and its neurons in a core; one that sits may move to another."""
    owner: dict[int, str] = {}
    sizes = {name: _sizes(node, kernel) for name, node, kernel in _weighted(graph)}

    def seat(name: str, tried: set[int]) -> bool:
        for core, room in enumerate(rules.cores):
            fits = all(size <= most for size, most in zip(sizes[name], room, strict=True))
            if fits and core not in tried:
                tried.add(core)
                if core not in owner or seat(owner[core], tried):
                    owner[core] = name
                    return True
        return False

    for name, size in sizes.items():
        if rules.cores and not seat(name, set()):
            came = "重み{}、ニューロン{}、バイアス{}".format(*size)
            yield name, "メモリ", came, f"{len(rules.cores)}つのコア"


def _sizes(node: Any, kernel: tuple[int, ...]) -> tuple[int, int, int]:  # noqa: ANN401
    """Return how many weights, neurons and biases a layer keeps; areas are rounded up."""

    def power(*sizes: int) -> int:
        return int(2 ** sum(ceil(log2(size)) for size in sizes))

    outputs, inputs, *area = kernel
    picture = [int(size) for size in node.output_type["output"][1:]]
    weights = inputs * power(prod(area), outputs)
    return weights, outputs * power(*picture), int(np.size(getattr(node, "bias", [])))


def _numbers(graph: nir.NIRGraph, rules: Rules) -> Found:
    bits = {"weight": ("重み", rules.weight_bits), "bias": ("バイアス", rules.weight_bits),
            "v_threshold": ("閾値", rules.threshold_bits)}  # fmt: skip
    for name, node in graph.nodes.items():
        for part in [part for part in bits if hasattr(node, part)]:
            rule, width = bits[part]
            values, most = np.asarray(getattr(node, part)), 2 ** (width - 1)
            ends = f"{values.min():g}から{values.max():g}"
            if rule == "バイアス" and values.any() and not rules.bias_each_step:
                yield name, "バイアスの時刻", "ステップごと", "一定の時間ごと"
            elif (values != values.round().clip(-most, most - 1)).any():
                came = "実数" if (values != values.round()).any() else ends
                yield name, rule, came, f"{width}ビットの整数"
            elif rule == "閾値" and not 0 < values.min() == values.max():
                yield name, rule, ends, "1つの正の数"
        if isinstance(node, nir.IF) and (node.r != 1).any():
            yield name, "倍率", f"{node.r.flat[0]:g}倍", "1倍"
        if np.any(reset := np.asarray(getattr(node, "v_reset", 0.0))):
            yield name, "リセット", f"{reset.flat[0]:g}へ", "0へ"
