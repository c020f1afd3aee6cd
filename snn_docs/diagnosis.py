r"""進まないネットワークを診断し、自分で書いたニューロンを確かめます。

``diagnose``は、層ごとに測った表と、見つかった症状、先に試すものを返します。\
``check_neuron``は、``step``と``run``が約束を守っているかを調べます。\
どちらも、渡したものの写しを動かすので、渡したものは何も変わりません。
"""

import copy
import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._pytree import tree_leaves

from snn_docs._checks import check_floating, type_name
from snn_docs._module import Stateful, check_contract, check_pair
from snn_docs._tables import table
from snn_docs.network import count
from snn_docs.surrogate import USUAL, Surrogate, slope_is_spike

SILENT = 0.9
"""The part of a layer that is silent, or always fires, from which on the layer is said to be so."""
READABLE = 0.25
"""Of the way from guessing to reading everything: less is not readable."""
STEEP = 4.0
"""The slope that does harm in deep networks."""
EXPLODES = 100.0
"""How many times the gradient of the last weights that of the first ones may be."""


class Layer(NamedTuple):
    """ニューロンの層を1つ測った値です。最後の行は、ニューロンの後の重みかもしれません。"""

    name: str
    """層の名前"""
    kind: str
    """クラスの名前"""
    rate: float
    """発火率。1ステップにニューロンが発火する割合"""
    silent: float
    """どの標本にも、1度も発火しないニューロンの割合"""
    always: float
    """どの標本にも、毎ステップ発火するニューロンの割合"""
    gradient: float
    """すぐ前の重みの、損失の勾配の大きさ。重みがなければ非数（NaN）"""
    readable: float
    """スパイクの数だけから答えを読める割合"""


class Symptom(NamedTuple):
    """見つかった症状と、先に試すものです。"""

    seen: str
    """症状"""
    remedy: str
    """先に試すもの"""


class Diagnosis(NamedTuple):
    """層ごとの値と、見つかった症状です。表示すると、表と文になります。"""

    layers: tuple[Layer, ...]
    """入力に近い層から順に"""
    symptoms: tuple[Symptom, ...]
    """先に直すものから順に"""

    def __repr__(self) -> str:
        """表と、症状を1つに1行ずつ返します。"""
        head = ("層", "名前", "発火率", "黙った", "鳴りっぱなし", "勾配", "読める")
        rows = [
            (str(k), f"{x.name} {x.kind}".strip(), *map(_short, x[2:5]),
             _short(x.gradient, ".0e"), _short(x.readable))
            for k, x in enumerate(self.layers, 1)
        ]  # fmt: skip
        said = [f"・{seen}\n  → {remedy}" for seen, remedy in self.symptoms]
        return "\n".join([table([head, *rows]), *(said or ["症状は見つかりません。"])])


def _short(value: float, form: str = ".2f") -> str:
    return "–" if math.isnan(value) else format(value, form)


def diagnose(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    readout: Callable[[Any], Tensor] | None = None,
) -> Diagnosis:
    r"""ネットワークを層ごとに測り、症状と、先に試すものを返します。

    .. math::

        \text{発火率} &= \overline{s_{t,b,i}} \\
        \text{黙った割合} &= \overline{[\,\max_{t,b} s_{t,b,i} = 0\,]} \\
        \text{鳴りっぱなしの割合} &= \overline{[\,\min_{t,b} s_{t,b,i} = 1\,]} \\
        \text{勾配} &= \lVert \partial L / \partial W \rVert

    「読める割合」は、ページ「深いネットワーク」のものです。その層のスパイクの数を標本ごとに並べ、\
    平均がいちばん近い種類を答えたときの正解率です。平均は種類ごとに標本の半分から取り、\
    残りの半分で当てます（入れ替えて、もう1度）。\
    標本が少ないと低く出て、標本が1つの種類は当たりません。種類ごとに20では、100より0.07低い層もありました。\
    なるべく多く渡してください。

    ニューロンは、``step``、``run``、``record``のどれで動かしても、順に見つかります。\
    動かすのは写しで、重み、勾配、訓練中かどうか、持っている状態、乱数は、どれも変わりません。\
    2度動かして、2度目のスパイクが違えば、状態が持ち越されています。

    症状は、チェックリストです。学習の前なら、2層目から先は、黙っていても、読めなくても、\
    よく学習することがあります。直ったかどうかは、学習させた正解率で決めます。

    :param network: ``Network``、``Sequential``か、ニューロンを中に持つ``torch.nn.Module``
    :param inputs: ネットワークの入力。訓練データの1つのバッチ。``Network``なら\
        形は``[T, B, features]``
    :param labels: 正解。形は``[B]``、型は``torch.int64``。学習のときと同じ順に渡す
    :param readout: ネットワークの返すものから、形``[B, classes]``の点数を作る関数。\
        省けば、``Network``にはスパイクの数、``[T, B, classes]``には時刻の平均、\
        ``[B, classes]``にはそのもの
    :returns: 診断。``print``すると表と文
    :raises TypeError: ``network``が``torch.nn.Module``でないとき、\
        ``labels``が整数のテンソルでないとき
    :raises ValueError: 点数の形が``[B, classes]``でないとき、発火するニューロンが1つも動かないとき

    >>> import torch
    >>> from snn_docs import IF, data, encoding
    >>> from snn_docs.diagnosis import diagnose
    >>> from snn_docs.network import Network
    >>> _ = torch.manual_seed(0)
    >>> split = data.digits()
    >>> inputs = encoding.direct(0.05 * split.train_inputs, 8)
    >>> print(diagnose(Network([64, 64, 10], IF), inputs, split.train_labels))
    層  名前          発火率  黙った  鳴りっぱなし  勾配   読める
    1   neurons.0 IF  0.00    0.94    0.00          4e-03  0.32
    2   neurons.1 IF  0.00    0.90    0.00          3e-02  0.13
    ・Heavisideを使っている
      → ArcTanに替える
    ・1層目から、黙っている（94%）
      → 入力か重みを大きくする。代理勾配が緩やかなら、学習率を上げる

    出典: :cite:t:`lu2020dying`
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"network must be a torch.nn.Module, but a {type_name(network)} came")
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.dim() != 1:
        came = f"{labels.dtype} of shape {list(labels.shape)}" if isinstance(labels, Tensor) else ""
        raise TypeError(
            "labels must be whole numbers, torch.int64, of the shape [batch], but "
            f"{came or 'a ' + type_name(labels)} came"
        )
    held = (each for module in network.modules() for each in tree_leaves(vars(module)))
    # a tensor that belongs to a graph, as a state kept in the network may, is not copied by torch
    memo: dict[int, Any] = {
        id(each): each.detach() for each in held if isinstance(each, Tensor) and not each.is_leaf
    }
    watch = _Watch(copy.deepcopy(network, memo))
    with torch.enable_grad(), torch.random.fork_rng():
        scores = (readout or _scores)(watch.network(inputs))
    if scores.shape[:1] != labels.shape or scores.dim() != 2:  # noqa: PLR2004 - batch, classes
        is_first = len(labels) == len(inputs) and inputs.dim() > 2  # noqa: PLR2004 - batch, time
        raise ValueError(
            f"scores must have the shape [{len(labels)}, classes], but {list(scores.shape)} came; "
            + ("put time first, with inputs.transpose(0, 1), or " if is_first else "")
            + "give readout, a function that makes them of what the network returns"
        )
    places, rest = watch.taken()
    if not places:
        raise ValueError(
            "no neuron of the network fired or could have: none with step and run was called"
        )
    with torch.no_grad(), torch.random.fork_rng():
        watch.network(inputs)
    again, _ = watch.taken()
    weights = [each for place in places for each in place.weights] + rest
    gradients = dict(zip(weights, _gradients(cross_entropy(scores, labels), weights), strict=True))
    firing = [_measured(place, labels, gradients) for place in places]
    layers = list(firing)
    if rest:
        nan = math.nan
        layers.append(Layer("", "読み出し", nan, nan, nan, _size(rest, gradients), nan))
    pairs = zip(places, again, strict=True)
    is_carried = not all(torch.equal(torch.cat(a.parts), torch.cat(b.parts)) for a, b in pairs)
    rules: list[Any] = [x.layer.surrogate for x in places if hasattr(x.layer, "surrogate")]
    found = [*_of_data(labels, is_carried=is_carried)]
    spikes = torch.cat(places[-1].parts)
    if (scores == scores[:1]).all() and (spikes != spikes[:, :1]).any():
        seen = "スパイクは標本ごとに違うのに、点数はどの標本でも同じ"
        found.append(Symptom(seen, "読み出しを替える。最大（max_potential）なら、平均に"))
    else:
        found += _of_gradients(layers, rules)
        found += _of_firing(firing, labels, is_output_last=not rest)
    return Diagnosis(tuple(layers), tuple(found))


class _Place:
    """Where a neuron stands: what it gave, part by part, and the weights before it."""

    def __init__(self, name: str, layer: nn.Module) -> None:
        self.name, self.layer = name, layer
        self.parts: list[Tensor] = []
        self.weights: list[Tensor] = []


class _Watch:
    """Sees what each neuron of a network gives, and which weights were at work before it."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.seen: dict[Tensor | _Place, None] = {}  # in the order in which each came first
        self.is_inside = False
        for name, module in network.named_modules():
            if not _is_neuron(module):  # the hook also lets a Sequential take all of time at once
                module.register_forward_hook(self._at_work)
                continue
            for method in {"step", "run", "record", "_article"}.intersection(dir(module)):
                ask = partial(self._ask, name, module, getattr(module, method), method)
                setattr(module, method, ask)

    def _at_work(self, module: nn.Module, *_: object) -> None:
        weights = (each for each in module.parameters(recurse=False) if each.dim() > 1)
        self.seen |= dict.fromkeys(each for each in weights if each.requires_grad)

    def _ask(
        self, name: str, layer: nn.Module, method: Callable[..., Any], kind: str,
        *given: Any, **named: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 # fmt: skip
        if self.is_inside:  # run asks record
            return method(*given, **named)
        self.is_inside = True
        result = method(*given, **named)
        self.is_inside = False
        state = named.get("state", given[1] if len(given) > 1 else None)
        here = [each for each in self.seen if isinstance(each, _Place) and each.layer is layer]
        if not here or (state is None and kind != "_article"):
            self._at_work(layer)
            here = [_Place(name, layer)]
            self.seen[here[0]] = None
        outputs = (result[0] if isinstance(result, tuple) else result).detach()
        shortest = min(here, key=lambda place: len(place.parts))  # one neuron may stand at several
        shortest.parts.append(outputs[None] if kind in ("step", "_article") else outputs)
        return result

    def taken(self) -> tuple[list[_Place], list[Tensor]]:
        """Return the places that fire and the weights behind them, and begin anew."""
        firing, weights = list[_Place](), list[Tensor]()
        for each in self.seen:
            if isinstance(each, Tensor):
                weights.append(each)
            elif all(((part == 0) | (part == 1)).all() for part in each.parts):
                each.weights, weights = weights, []
                firing.append(each)
        self.seen = {}
        return firing, weights


def _is_neuron(module: nn.Module) -> bool:
    """Tell whether a layer carries a state of its own, not that of others in it."""
    inner = [each for each in module.modules() if each is not module]
    return isinstance(module, Stateful) and not any(isinstance(each, Stateful) for each in inner)


def _scores(result: Any) -> Tensor:  # noqa: ANN401 - whatever a network returns
    """Read the scores of what a network returns."""
    if isinstance(result, tuple):
        return count(result[0])
    check_floating(scores=result)
    scores: Tensor = result
    return scores.mean(0) if scores.dim() == 3 else scores  # noqa: PLR2004 - time, batch, classes


def _gradients(loss: Tensor, weights: list[Tensor]) -> Sequence[Tensor]:
    if not loss.requires_grad or not weights:
        return [torch.zeros_like(each) for each in weights]
    return torch.autograd.grad(loss, weights, materialize_grads=True)


def _size(weights: list[Tensor], gradients: dict[Tensor, Tensor]) -> float:
    """Return the length of the gradient; NaN where there are no weights."""
    if not weights:
        return math.nan
    return math.hypot(*(gradients[each].norm().item() for each in weights))


def _measured(place: _Place, labels: Tensor, gradients: dict[Tensor, Tensor]) -> Layer:
    spikes = torch.cat(place.parts)
    each = spikes.flatten(0, 1)
    counts = spikes.sum(0).flatten(1)
    kinds, labels = labels.unique(return_inverse=True)
    half, right = labels.argsort(stable=True).argsort() % 2 == 0, 0
    for part in (half, ~half):  # of each kind, the means of one half tell the other
        means = torch.stack([counts[part & (labels == k)].mean(0) for k in range(len(kinds))])
        told = torch.cdist(counts[~part], means).nan_to_num(math.inf).argmin(1)
        right += int((told == labels[~part]).sum())
    shares = (spikes, (each == 0).all(0), (each == 1).all(0))
    rate, silent, always = (share.double().mean().item() for share in shares)
    gradient = _size(place.weights, gradients)
    kind = type(place.layer).__name__
    return Layer(place.name, kind, rate, silent, always, gradient, right / len(labels))


def _of_data(labels: Tensor, *, is_carried: bool) -> Iterator[Symptom]:
    if is_carried:
        yield Symptom(
            "同じバッチを2度渡すと、違うスパイクになる。状態が持ち越されている",
            "バッチごとに、状態をNoneから始める",
        )
    kinds = len(labels.unique())
    if len(labels) >= max(16, 2 * kinds) and (labels[1:] != labels[:-1]).sum() < kinds:
        yield Symptom("正解が種類ごとに固まっている", "標本を混ぜる。DataLoaderならshuffle=True")


def _of_gradients(layers: list[Layer], rules: list[Any]) -> Iterator[Symptom]:
    if is_article := any(map(slope_is_spike, rules)):
        yield Symptom("Heavisideを使っている", "ArcTanに替える")
    steepest = max((getattr(rule, "slope", 0.0) for rule in rules), default=0.0)
    sizes = [layer.gradient for layer in layers if layer.gradient > 0]
    if len(sizes) > 1 and sizes[0] > EXPLODES * sizes[-1]:
        yield Symptom(
            f"最初の重みの勾配が、最後の重みの{sizes[0] / sizes[-1]:.0e}倍",
            "代理勾配の傾きを下げる。次に、リセットを切り離す",
        )
    elif steepest >= STEEP and any(layer.silent >= SILENT for layer in layers):
        yield Symptom(
            f"代理勾配の傾き{steepest:g}が急で、黙った層がある",
            "先に傾きを下げる。学習率は、まだ上げない",
        )
    for k, layer in enumerate(layers):
        if layer.gradient == 0 and not is_article:
            if k and layers[k - 1].silent == 1:
                seen = f"黙った{k}層目の先で、重みの勾配が0"
                yield Symptom(seen, "手前の層から起こす")
            else:
                remedy = "なければ、読み出しが最大（max_potential）でないかを見る"
                yield Symptom(f"{k + 1}層目の重みの勾配が0", f"勾配を切ったところを探す。{remedy}")
            break


def _of_firing(layers: list[Layer], labels: Tensor, *, is_output_last: bool) -> Iterator[Symptom]:
    always = [k for k, layer in enumerate(layers, 1) if layer.always >= SILENT]
    if always:
        where = f"{'、'.join(map(str, always))}層目は、ほとんどが毎ステップ発火する"
        yield Symptom(where, "入力の大きさかバイアスを下げる")
        return
    guess = labels.unique(return_counts=True)[1].max().item() / len(labels)
    least = guess + READABLE * (1 - guess)
    for k, layer in enumerate(layers, 1):
        is_output = is_output_last and k == len(layers)  # which need not be read before training
        if layer.silent < SILENT and (layer.readable >= least or is_output):
            continue
        remedy = "まず学習させる。進まなければ、正規化、近道、重みの初期値"
        if k == 1:
            remedy = "データか、入力の大きさを疑う"
            if layer.silent >= SILENT:
                remedy = "入力か重みを大きくする。代理勾配が緩やかなら、学習率を上げる"
        quiet = f"黙っている（{layer.silent:.0%}）"
        how = quiet if layer.silent >= SILENT else "答えが読めない"
        yield Symptom(f"{k}層目から、{how}", remedy)
        return


def check_neuron(neuron: nn.Module, inputs: Tensor | None = None, *, detached: bool = False) -> str:
    r"""自分で書いたニューロンが、``Network``や``Sequential``に置けるかを調べます。

    .. math::

        (s_{1:T}, z_T) = f(I_{1:T}, z_0)

    次を、倍精度の写しで、順に確かめます。

    - ``step``も``run``も、出力と状態の組を返す
    - ``run``が、``step``を:math:`T`回呼んだものと、出力、状態、勾配まで同じ
    - 2度動かしても、2つに分けて状態を渡しても、標本を1つだけ動かしても同じ
    - 勾配が、滑らかな双子の有限差分と同じ。双子は、発火の関数``surrogate``を、\
      スパイクの代わりに滑らかな値を返す``smooth``に替えたもの。\
      発火のあとに休むニューロンは、双子が休み続けるので、休みを0にしてもう1度確かめる
    - ``state_dict``を保存し、読み込んでも同じ

    調べるのは、渡したときの値です。学習する定数は、学習のあいだに、漏れが負になるなど、\
    範囲の外へ出ることがあります。``PLIF``の漏れのように、``torch.sigmoid``を通すなどして収めます。

    :param neuron: ニューロン。発火するなら、代理勾配を``self.surrogate``に持つ
    :param inputs: 試す入力。形は``[T, B, *]``、``T``は2以上。発火するものとしないものを含む。\
        ``None``なら、0から1までの乱数
    :param detached: 式の勾配をわざと切ったか。``True``なら、有限差分とは比べない
    :returns: 確かめたことを、1行に1つ並べた文
    :raises TypeError: ``neuron``に``step``か``run``がないとき、組を返さないとき
    :raises AssertionError: 確かめたことのどれかが違うとき、出力に勾配がないとき、\
        2ステップ目から先の入力に勾配がないとき。何が違うかを述べる

    >>> import torch
    >>> from snn_docs import ALIF
    >>> from snn_docs.diagnosis import check_neuron
    >>> print(check_neuron(ALIF(leak=0.1, adaptation=0.5, adaptation_leak=0.05)))
    stepとrun: 同じ
    2度、2つに分けて、1つの標本だけ: 同じ
    勾配: 有限差分と同じ
    保存して読み込む: 同じ
    """
    check_contract("neuron", neuron)
    for name, value in vars(neuron).items():
        if isinstance(value, Tensor):
            raise AssertionError(  # noqa: TRY004 - as all that is checked
                f"{name} is a tensor, but neither a buffer nor a parameter, so it is not saved; "
                f"write self.register_buffer({name!r}, ...)"
            )
    made: Any = copy.deepcopy(neuron).double()
    if inputs is None:
        inputs = torch.rand(12, 3, 4, generator=torch.Generator().manual_seed(0))
    inputs = inputs.detach().double()
    whole, last = check_pair(made, "run", made.run(inputs))
    for name, value in vars(made).items():
        if isinstance(value, Tensor):
            raise AssertionError(  # noqa: TRY004 - as all that is checked
                f"{name} is kept in the neuron, so that one batch would begin where another has "
                "ended; return it in the state, and take it from there in the next step"
            )
    _same("step by step, and run", _stepped(made, inputs), (whole, last))
    fires = bool(((whole == 0) | (whole == 1)).all())
    if fires and whole.mean() in (0, 1):
        raise AssertionError(
            f"for inputs from {inputs.min():g} to {inputs.max():g} all outputs are "
            f"{whole.mean():.0f}, which proves nothing: some must be 0 and some 1; give "
            f"{'smaller' if whole.mean() else 'larger'} values, of the same shape"
        )
    _same("run twice", made.run(inputs), (whole, last))
    first, state = made.run(inputs[:1])
    rest, state = made.run(inputs[1:], state)
    _same("run in two parts", (torch.cat([first, rest]), state), (whole, last))
    _same(
        "run with a sample alone, with which others must not mix",
        made.run(inputs[:, :1])[0],
        whole[:, :1],
    )
    slopes = _slopes(made, inputs, made.run)
    _same(
        "the gradients of steps, and of run", _slopes(made, inputs, partial(_stepped, made)), slopes
    )
    if not detached:
        _check_gradient(made, inputs[:, :1], fires=fires)
    file = io.BytesIO()
    torch.save(made.state_dict(), file)
    file.seek(0)
    loaded = copy.deepcopy(made)
    for each in (*loaded.parameters(), *loaded.buffers()):
        each.data.zero_()
    loaded.load_state_dict(torch.load(file))
    _same("saved and loaded", loaded.run(inputs)[0], whole)
    return (
        "stepとrun: 同じ\n2度、2つに分けて、1つの標本だけ: 同じ\n"
        f"勾配: {'stepとrunで同じ' if detached else '有限差分と同じ'}\n保存して読み込む: 同じ"
    )


def _same(what: str, came: Any, expected: Any) -> None:  # noqa: ANN401 - any state
    """Raise AssertionError where tensors, or what is made of them, differ."""
    tensors = [
        [each for each in tree_leaves(some) if isinstance(each, Tensor)]
        for some in (came, expected)
    ]
    try:
        torch.testing.assert_close(*tensors)
    except AssertionError as error:
        raise AssertionError(f"{what}: what comes differs\n{error}") from None


def _stepped(neuron: Any, inputs: Tensor) -> tuple[Tensor, Any]:  # noqa: ANN401 - as below
    """Run a neuron step by step."""
    state, outputs = None, []
    for x in inputs:
        one, state = check_pair(neuron, "step", neuron.step(x, state))
        outputs.append(one)
    return torch.stack(outputs), state


def _slopes(
    neuron: nn.Module, inputs: Tensor, run: Callable[[Tensor], tuple[Tensor, Any]]
) -> Sequence[Tensor]:
    """Return the gradient of what a run gives, each number weighed differently."""
    x = inputs.clone().requires_grad_()
    outputs, _ = run(x)
    if not outputs.requires_grad:
        raise AssertionError(
            "the outputs have no gradient: a comparison, as v > 1 is one, gives none; make spikes "
            "by self.surrogate(v - 1), and outside of torch.no_grad"
        )
    weights = torch.linspace(-1, 2, outputs.numel()).to(x).view_as(outputs)
    loss = (outputs * weights).sum()
    return torch.autograd.grad(loss, [x, *neuron.parameters()], materialize_grads=True)


def _check_gradient(neuron: Any, inputs: Tensor, *, fires: bool) -> None:  # noqa: ANN401 - a layer
    """Raise AssertionError unless the gradient is that of the equations, made smooth."""
    if fires:
        neuron = copy.deepcopy(neuron)
        firing = [each for each in neuron.modules() if hasattr(each, "surrogate")]
        if not firing:
            raise AssertionError(
                "keep what makes spikes as self.surrogate, and call that: its smooth twin takes "
                "its place where the gradient is checked"
            )
        for each in firing:
            rule = each.surrogate
            each.surrogate = getattr(rule, "smooth", USUAL.smooth)
            if isinstance(rule, Surrogate):
                _check_derivative(rule)
    try:
        torch.autograd.gradcheck(lambda x: neuron.run(x)[0], inputs.clone().requires_grad_())
    except RuntimeError as error:
        first, *_ = str(error).splitlines()
        raise AssertionError(
            "the gradient is not that of the equations by finite differences: it is cut somewhere, "
            "or spikes are not made by self.surrogate; where it is cut on purpose, give "
            f"detached=True ({first})"
        ) from None
    if not _slopes(neuron, inputs, neuron.run)[0][1:].any():
        raise AssertionError(
            "the gradient is 0 for all inputs after the first step, so it proves nothing: the "
            "smooth spike is never 0, so that a rest after each spike would begin at once; set "
            "the rest to 0, and check again; with the rest, give detached=True"
        )


def _check_derivative(rule: Surrogate) -> None:
    x = torch.linspace(-2, 2, 40, dtype=torch.float64).div(rule.slope).requires_grad_()
    (expected,) = torch.autograd.grad(rule.smooth(x).sum(), x)
    name = type(rule).__name__
    _same(f"the derivative of {name}, and its smooth function", rule.derivative(x), expected)
