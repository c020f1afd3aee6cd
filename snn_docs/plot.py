"""スパイクと学習の経過を描く関数と、図の色と線です。

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

from collections.abc import Mapping, Sequence
from typing import Any, Literal

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
    check_matrix(spikes)
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
        描く量がないとき、ほかの記録にある項目を欠く記録があるとき

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
    check_axes(ax)
    epochs, lines = numbers(records, "epoch"), list[Line2D]()
    for n, name in enumerate(found, len(ax.lines)):
        look: dict[str, Any] = {
            "linestyle": LINESTYLES[n % 3],
            "marker": MARKERS[n % 4],
            "label": names[name],
        }
        lines += ax.plot(
            epochs, numbers(records, name), markevery=max(1, len(epochs) // 30), **look
        )
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


def numbers(records: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """Return one number of every record; it may be numpy's or a tensor."""
    found = []
    for index, record in enumerate(records):
        if name not in record:
            raise ValueError(
                f"every record must hold {name}, but record {index} holds only {list(record)}"
            )
        value = record[name]
        if hasattr(value, "item") and getattr(value, "shape", None) in ((), (1,)):
            value = value.item()
        found.append(check_number(f"{name} of record {index}", value))
    return found


def check_axes(ax: object) -> None:
    """Raise TypeError for what nothing can be drawn on."""
    if not isinstance(ax, Axes):
        raise TypeError(
            f"ax must be a matplotlib.axes.Axes, but a {type_name(ax)} came; give what plt.subplots"
            "() returns second, or of several one, for example axes[0]"
        )


def check_matrix(spikes: object) -> None:
    """Raise TypeError or ValueError unless this is a tensor of two dimensions."""
    if not isinstance(spikes, Tensor):
        raise TypeError(
            f"spikes must be a tensor of shape [T, N], but a {type_name(spikes)} came; "
            "convert with torch.as_tensor(spikes)"
        )
    check_dense("spikes", spikes)
    if spikes.dim() != 2:  # noqa: PLR2004 - time, neurons
        raise ValueError(
            f"spikes must have the shape [T, N], but {tuple(spikes.shape)} came; choose what "
            "to draw by indexing, or add a dimension with spikes.unsqueeze(1)"
        )


def count_in_integers(*axes: Axis) -> None:
    """Put ticks at whole numbers only: there is no step 2.5."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
