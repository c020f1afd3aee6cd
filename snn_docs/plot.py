"""スパイク、膜電位、代理勾配、学習の経過を描く関数です。

どの関数も、最初の引数の``ax``に描き、描いたものを返します。題や凡例は、あとから変えられます。\
線は線種と印で区別し、色だけでは区別しません。

膜電位、スパイク、閾値、入力、勾配は、どの図でも同じ色と線種か印で描きます。それを決めているのが\
``POTENTIAL``、``SPIKE``、``THRESHOLD``、``INPUT``、``GRADIENT``で、``ax.plot``などに\
``**``で渡します。結果を比べる図では、言いたいものが``POINT``、相手が``OPPONENT``です。

>>> from matplotlib.figure import Figure
>>> from snn_docs import plot
>>> ax = Figure().subplots()
>>> (potential,) = ax.plot([0.4, 0.8, 1.2], label="膜電位", **plot.POTENTIAL)
>>> threshold = ax.axhline(1, label="閾値", **plot.THRESHOLD)
>>> (spike,) = ax.plot([2], [1.4], label="スパイク", **plot.SPIKE)
>>> potential.get_linestyle(), threshold.get_linestyle(), spike.get_marker()
('-', '--', '|')

importすると、日本語の字形を持つフォントを選びます。``ax``は、そのあとに作ってください。
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from snn_docs._checks import check_dense, check_number, optional, type_name

with optional("snn_docs.plot", "matplotlib with matplotlib-fontja"):
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator
    from matplotlib_fontja import japanize  # type: ignore[import-untyped]

japanize()  # the import sets the font, too, but only the first one in a process

POTENTIAL: dict[str, Any] = {"color": "#0b3d73", "linestyle": "-"}
"""膜電位。青い実線。"""

SPIKE: dict[str, Any] = {
    "color": "#b5471b",
    "linestyle": "",
    "marker": "|",
    "markersize": 9,
    "markeredgewidth": 1.8,
}
"""スパイク。橙の縦棒。"""

THRESHOLD: dict[str, Any] = {"color": "gray", "linestyle": "--", "linewidth": 1.2}
"""閾値。灰色の破線。"""

INPUT: dict[str, Any] = {"color": "#2a8f68", "linestyle": ":", "linewidth": 2}
"""入力。緑の点線。"""

GRADIENT: dict[str, Any] = {"color": "#9a86d3", "linestyle": "-.", "linewidth": 2}
"""勾配。紫の一点鎖線。"""

OPPONENT: dict[str, Any] = {"color": "gray", "linestyle": "", "marker": "o", "fillstyle": "none"}
"""比べる相手。灰色の、中の空いた丸。"""

POINT: dict[str, Any] = {"color": "black", "linestyle": "", "marker": "o"}
"""比べて言いたいもの。文字の色の、中の詰まった丸。"""

# Dashes are left to thresholds. 3 and 4 have no common divisor: 12 looks, and neighbours share
# neither the dashes nor the marker.
LINESTYLES = ("-", "-.", ":")
MARKERS = ("o", "^", "s", "x")
POINTS = [(LINESTYLES[n % 3], MARKERS[n % 4]) for n in range(12)]
CURVES = [(linestyle, "") for linestyle in LINESTYLES] + POINTS

QUANTITIES = {"accuracy": "正解率", "loss": "損失"}
PARTS = {"train": "訓練", "validation": "検証", "test": "テスト"}


def raster(ax: Axes, spikes: Tensor) -> Line2D:
    r"""スパイクの時刻に印を打ちます（ラスタープロット）。

    .. math::

        \{(t, n) \mid s_{t,n} = 1\}

    横軸はステップで、最初を1と数えます。縦軸はニューロンの添字で、最初は0です。\
    1度も発火しないニューロンの行も空けます。

    :param ax: 描く先。``matplotlib.axes.Axes``
    :param spikes: スパイク:math:`s_{t,n}`。値は0か1。形は``[T, N]``、型は何でもよい
    :returns: 印
    :rtype: ``matplotlib.lines.Line2D``
    :raises TypeError: ``spikes``がテンソルでないとき
    :raises ValueError: ``spikes``の形が``[T, N]``でないとき、0と1以外の値を含むとき

    >>> import torch
    >>> from matplotlib.figure import Figure
    >>> from snn_docs import plot
    >>> ax = Figure().subplots()
    >>> marks = plot.raster(ax, torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
    >>> marks.get_xdata(), marks.get_ydata()
    (array([1, 2, 2]), array([1, 0, 1]))

    出典: :cite:t:`gerstner2014neuronal`
    """
    check_axes(ax)
    check_shape("spikes", spikes, ["[T, N]"])
    wrong = spikes[(spikes != 0) & (spikes != 1)]
    if wrong.numel():
        raise ValueError(
            f"spikes must be 0 or 1, but {wrong[0].item()} came; compare first, for example "
            "spikes > 0"
        )
    steps, neurons = spikes.shape
    step, neuron = spikes.detach().cpu().nonzero(as_tuple=True)
    (marks,) = ax.plot((step + 1).numpy(), neuron.numpy(), **SPIKE)
    ax.set(xlabel="ステップ", ylabel="ニューロンの添字")
    ax.set(xlim=(0.5, steps + 0.5), ylim=(-0.5, neurons - 0.5))
    count_in_integers(ax.xaxis, ax.yaxis)
    return marks


def potential(ax: Axes, v: Tensor, threshold: float | None = None) -> list[Line2D]:
    r"""膜電位の移り変わりを、閾値とともに描きます。

    .. math::

        s_{t,n} = 1 \iff v_{t,n} > \theta

    横軸はステップで、最初を1と数えます。1本がニューロン1つで、破線を超えたステップで発火します。

    :param ax: 描く先。``matplotlib.axes.Axes``
    :param v: 膜電位:math:`v_{t,n}`。形は``[T]``か``[T, N]``、型は実数なら何でもよい
    :param threshold: 閾値:math:`\theta`。単位は膜電位と同じ。渡すと破線を引く
    :returns: ニューロンの線と、最後に閾値の線
    :rtype: ``list[matplotlib.lines.Line2D]``
    :raises TypeError: ``v``がテンソルでないとき、``threshold``が数でないとき
    :raises ValueError: ``v``の形が``[T]``でも``[T, N]``でもないとき、\
        見分けられないほど線が多いとき

    >>> import torch
    >>> from matplotlib.figure import Figure
    >>> from snn_docs import plot
    >>> ax = Figure().subplots()
    >>> lines = plot.potential(ax, torch.tensor([[0.4, 0.6], [0.8, 1.2]]), threshold=1.0)
    >>> [line.get_label() for line in lines]
    ['ニューロン0', 'ニューロン1', '閾値']

    出典: :cite:t:`gerstner2014neuronal`
    """
    check_shape("v", v, ["[T]", "[T, N]"])
    if v.dim() == 1:
        potentials = {"膜電位": v}
    else:
        potentials = {f"ニューロン{n}": column for n, column in enumerate(v.T)}
    lines = draw(ax, torch.arange(1, len(v) + 1), potentials, CURVES)
    if threshold is not None:
        lines.append(ax.axhline(number("threshold", threshold), label="閾値", **THRESHOLD))
    ax.set(xlabel="ステップ", ylabel="膜電位")
    count_in_integers(ax.xaxis)
    if len(lines) > 1:
        ax.legend()
    return lines


def surrogates(
    ax: Axes,
    functions: Mapping[str, Callable[[Tensor], Tensor]] | Sequence[Callable[[Tensor], Tensor]],
) -> list[Line2D]:
    r"""代理勾配の曲線を重ねて描きます。

    .. math::

        x \mapsto \frac{dH}{dx} \qquad (-2 \le x \le 2)

    ``derivative``を持つものは、それを呼びます。``Heaviside.apply``のような、\
    スパイクを返すだけの関数は、自動微分で微分を求めます。

    :param ax: 描く先。``matplotlib.axes.Axes``
    :param functions: 名前から代理勾配への辞書か、代理勾配の並び。並びの名前は``repr``で、\
        ``derivative``を持たない関数は辞書で渡す
    :returns: 渡した順の線
    :rtype: ``list[matplotlib.lines.Line2D]``
    :raises TypeError: 並びに、``derivative``を持たない関数があるとき
    :raises ValueError: 微分を求められない関数があるとき、微分の形が引数と違うとき、\
        見分けられないほど線が多いとき

    >>> from matplotlib.figure import Figure
    >>> from snn_docs import Heaviside, plot
    >>> ax = Figure().subplots()
    >>> (line,) = plot.surrogates(ax, {"Heaviside": Heaviside.apply})
    >>> line.get_ydata()[[0, -1]]
    array([0., 1.])

    出典: :cite:t:`neftci2019surrogate`
    """
    x = torch.arange(-200, 201) / 100  # has 0 itself, where most have their maximum
    named = named_functions(functions).items()
    lines = draw(ax, x, {name: derivative(f, x, name) for name, f in named}, CURVES)
    ax.set(xlabel="膜電位と閾値の差", ylabel="代理勾配")
    ax.legend()
    return lines


def tuning_curve(ax: Axes, currents: Tensor, rates: Tensor) -> Line2D:
    r"""入力電流に対する発火率を描きます（チューニング曲線、f-I曲線）。

    .. math::

        r_n = \frac{1}{T} \sum_{t=1}^{T} s_{t,n}

    同じ``ax``にもう1度呼ぶと、線種か印の違う線が重なります。

    :param ax: 描く先。``matplotlib.axes.Axes``
    :param currents: 入力電流:math:`I_n`。1ステップあたりの膜電位の増分。\
        形は``[N]``、型は実数なら何でもよい
    :param rates: 発火率:math:`r_n`。1ステップあたりのスパイクの数。形は``[N]``
    :returns: 線
    :rtype: ``matplotlib.lines.Line2D``
    :raises TypeError: 引数がテンソルでないとき
    :raises ValueError: 形が``[N]``でないとき、長さがそろわないとき、見分けられないほど線が多いとき

    >>> import torch
    >>> from matplotlib.figure import Figure
    >>> from snn_docs import plot
    >>> ax = Figure().subplots()
    >>> line = plot.tuning_curve(ax, torch.tensor([0.5, 1.0]), torch.tensor([0.25, 0.5]))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('入力電流', '発火率（回/ステップ）')

    出典: :cite:t:`gerstner2014neuronal`
    """
    check_shape("currents", currents, ["[N]"])
    check_shape("rates", rates, ["[N]"])
    if currents.shape != rates.shape:
        raise ValueError(
            f"currents and rates must have the same shape, but {tuple(currents.shape)} and "
            f"{tuple(rates.shape)} came; give one rate for each current"
        )
    (line,) = draw(ax, currents, {"発火率": rates}, POINTS)
    ax.set(xlabel="入力電流", ylabel="発火率（回/ステップ）")
    return line


def learning_curve(
    ax: Axes,
    records: Sequence[Mapping[str, float]],
    quantity: Literal["accuracy", "loss"] = "accuracy",
) -> list[Line2D]:
    r"""学習の経過を、エポックを横軸にして描きます（学習曲線）。

    .. math::

        \text{正解率} = \frac{\text{正解した標本の数}}{\text{標本の数}}

    ``train_accuracy``、``validation_accuracy``、``test_accuracy``（損失なら``train_loss``など）の\
    うち、記録にあるものを描きます。

    :param ax: 描く先。``matplotlib.axes.Axes``
    :param records: エポックごとの記録。``epoch``と、描く量を持つ辞書の並び
    :param quantity: 描く量。``"accuracy"``（正解率）か``"loss"``（損失）
    :returns: 訓練、検証、テストの順の線
    :rtype: ``list[matplotlib.lines.Line2D]``
    :raises TypeError: 記録が辞書の並びでないとき、値が数でないとき
    :raises ValueError: ``quantity``がどちらでもないとき、記録が空のとき、\
        描く量がないとき、ほかの記録にある項目を欠く記録があるとき、見分けられないほど線が多いとき

    >>> from matplotlib.figure import Figure
    >>> from snn_docs import plot
    >>> ax = Figure().subplots()
    >>> records = [
    ...     {"epoch": 1, "train_accuracy": 0.5, "test_accuracy": 0.4},
    ...     {"epoch": 2, "train_accuracy": 0.9, "test_accuracy": 0.8},
    ... ]
    >>> [line.get_label() for line in plot.learning_curve(ax, records)]
    ['訓練', 'テスト']
    """
    if not isinstance(quantity, str) or quantity not in QUANTITIES:
        raise ValueError(f"quantity must be one of {list(QUANTITIES)}, but {quantity!r} came")
    check_records(records)
    names = {f"{part}_{quantity}": label for part, label in PARTS.items()}
    found = [name for name in names if any(name in record for record in records)]
    if not found:
        raise ValueError(
            f"records must hold {' or '.join(names)}, but {len(records)} records without them "
            "came; give the trainer's records, one dictionary for each epoch"
        )
    curves = {names[name]: numbers(records, name) for name in found}
    lines = draw(ax, numbers(records, "epoch"), curves, POINTS)
    ax.set(xlabel="エポック", ylabel=QUANTITIES[quantity])
    count_in_integers(ax.xaxis)
    ax.legend()
    return lines


def check_records(records: object) -> None:
    """Raise TypeError unless these are dictionaries in a row."""
    wrong = [records]
    if isinstance(records, Sequence):
        wrong = [record for record in records if not isinstance(record, Mapping)]
    if wrong:
        raise TypeError(
            f"records must be a list of dictionaries, but a {type_name(wrong[0])} came; give the "
            "trainer's records, one dictionary for each epoch"
        )


def numbers(records: Sequence[Mapping[str, float]], name: str) -> Tensor:
    """Return one number of every record."""
    for index, record in enumerate(records):
        if name not in record:
            raise ValueError(
                f"every record must hold {name}, but record {index} holds only {list(record)}"
            )
    found = [number(f"{name} of record {i}", record[name]) for i, record in enumerate(records)]
    return torch.tensor(found, dtype=torch.float64)


def number(name: str, value: object) -> float:
    """Return a number that may be numpy's or a tensor; raise TypeError or ValueError for others."""
    if hasattr(value, "item") and getattr(value, "shape", None) in ((), (1,)):
        value = value.item()
    return check_number(name, value)


def check_axes(ax: object) -> None:
    """Raise TypeError for what nothing can be drawn on."""
    if not isinstance(ax, Axes):
        raise TypeError(
            f"ax must be a matplotlib.axes.Axes, but a {type_name(ax)} came; give what plt.subplots"
            "() returns second, or of several one, for example axes[0]"
        )


def named_functions(
    functions: Mapping[str, Callable[[Tensor], Tensor]] | Sequence[Callable[[Tensor], Tensor]],
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Name surrogates by what they show; plain functions show nothing that can be read."""
    if isinstance(functions, Mapping):
        return dict(functions)
    for function in functions:
        if not hasattr(function, "derivative"):
            raise TypeError(
                f"functions in a sequence must have a derivative, but {function!r} came; "
                'name it in a dictionary, {"name": function}'
            )
    return {repr(function): function for function in functions}


def derivative(function: Callable[[Tensor], Tensor], x: Tensor, name: str) -> Tensor:
    """Ask a surrogate for its derivative, or autograd for that of a plain function."""
    if hasattr(function, "derivative"):
        y: Tensor = function.derivative(x)
    else:
        with torch.enable_grad():
            leaf = x.clone().requires_grad_()
            spikes = function(leaf)
            if not spikes.requires_grad:
                raise ValueError(
                    f"{name} must be differentiable, but autograd finds no derivative; give a "
                    "torch.autograd.Function's apply, or an object with derivative(x)"
                )
            (y,) = torch.autograd.grad(spikes.sum(), leaf)
    if y.shape != x.shape:
        raise ValueError(
            f"{name} must give a derivative of the shape of its input, {tuple(x.shape)}, but "
            f"{tuple(y.shape)} came"
        )
    return y


def check_shape(name: str, tensor: object, shapes: list[str]) -> None:
    """Raise TypeError or ValueError unless this is a tensor with as many dimensions."""
    wanted = " or ".join(shapes)
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"{name} must be a tensor of shape {wanted}, but a {type_name(tensor)} came; "
            f"convert with torch.as_tensor({name})"
        )
    check_dense(name, tensor)
    if tensor.dim() not in {shape.count(",") + 1 for shape in shapes}:
        raise ValueError(
            f"{name} must have the shape {wanted}, but {tuple(tensor.shape)} came; choose what "
            f"to draw by indexing, or add a dimension with {name}.unsqueeze(1)"
        )


def count_in_integers(*axes: Axis) -> None:
    """Put ticks at whole numbers only: there is no step 2.5."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))


def draw(
    ax: Axes, x: Tensor, curves: Mapping[str, Tensor], looks: list[tuple[str, str]]
) -> list[Line2D]:
    """Add lines that look different from each other and from those that the axes have."""
    check_axes(ax)
    drawn = len(ax.lines)
    if drawn + len(curves) > len(looks):
        raise ValueError(
            f"at most {len(looks)} lines can be told apart without colours, but {len(curves)} "
            f"came for axes that have {drawn}; draw a part of them, or use other axes"
        )
    lines = []
    for (label, y), (linestyle, marker) in zip(curves.items(), looks[drawn:], strict=False):
        lines += ax.plot(
            *(tensor.detach().cpu().double().numpy() for tensor in (x, y)),
            linestyle=linestyle,
            marker=marker,
            markevery=max(1, len(x) // 30),
            label=label,
        )
    return lines
