"""測った正解率がどこまで信じられるかを、区間と交差検証で調べます。"""

from collections import Counter
from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from snn_docs._checks import check_integer, optional, type_name

Z = 1.96
"""How many standard deviations about the mean hold 95 % of a normal distribution."""


def interval(right: int, total: int) -> tuple[float, float]:
    r"""正解の割合の、95%の信頼区間を返します（ウィルソンの式）。

    .. math::

        \begin{gathered}
        \frac{1}{1 + z^2 / n} \left( p + \frac{z^2}{2n} \pm z \sqrt{u} \right) \\
        u = \frac{p (1 - p)}{n} + \frac{z^2}{4 n^2}
        \end{gathered}

    :math:`n`は件数、:math:`p`は正解の割合、:math:`z`は1.96です。\
    「割合±1.96×標準誤差」と違い、0から1までに収まります。どの件も、互いに独立であるときの式です。

    :param right: 正解の件数。0以上``total``以下の整数
    :param total: 件数。1以上の整数
    :returns: 下の端と上の端
    :raises TypeError: 件数が整数でないとき
    :raises ValueError: 件数が範囲の外のとき

    >>> from snn_docs.evaluation import interval
    >>> for right, total in [(10, 10), (58, 60), (580, 600)]:
    ...     print(f"{total}件中{right}件: {{:.2f}}から{{:.2f}}".format(*interval(right, total)))
    10件中10件: 0.72から1.00
    60件中58件: 0.89から0.99
    600件中580件: 0.95から0.98

    出典: :cite:t:`wilson1927probable`
    """
    check_integer(minimum=0, right=right)
    check_integer(minimum=1, total=total)
    if right > total:
        raise ValueError(f"right must be total, {total}, or less, but {right} came")
    share, per = right / total, Z**2 / total
    middle = (share + per / 2) / (1 + per)
    half = Z * sqrt(share * (1 - share) / total + per / (4 * total)) / (1 + per)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def cross_validate(
    build: Callable[[Any], Callable[[Any], Tensor]],
    part: Any,  # noqa: ANN401 - a list or a Dataset
    *,
    folds: int = 5,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
) -> list[tuple[int, int]]:
    """層化した交差検証で、測る番ごとに、正解の件数と測った件数を返します。

    答えの割合をそろえて``folds``個に分け、1つを測る番、残りを学ぶ番にして、入れ替えます。\
    どの1件も、それを学んでいないネットワークが1度だけ答えます。\
    件数は、番のあいだで足せます。番ごとの割合の散らばりは、学ぶ件が変わると成績がどれだけ動くかの目安です。

    :param build: 学ぶ分（``torch.utils.data.Subset``）を受け取り、ネットワークを作って学習させ、\
        「測る分を受け取り、答えの番号を返す関数」を返す関数。平均や標準偏差も、この中で求める
    :param part: データ。``(系列, 答え)``のように、答えの番号で終わる組のリストか``Dataset``
    :param folds: いくつに分けるか。2以上の整数
    :param groups: 件ごとの、人の番号など。同じものは、学ぶ分と測る分に分かれない
    :param seed: 分け方を決める乱数の種。0以上の整数
    :returns: 測る番ごとの、正解の件数と測った件数の組。長さ``folds``
    :raises ImportError: scikit-learnがないとき
    :raises TypeError: ``folds``か``seed``が整数でないとき、``part``が``Recordings``などの、\
        名前付きの組のとき
    :raises ValueError: 件数が``folds``より少ない答えがあるとき、分けられないとき、\
        答えの数が測る分の件数と違うとき

    >>> import torch
    >>> from snn_docs.evaluation import cross_validate
    >>> part = [(torch.tensor([x + 4.0 * y]), y) for x in range(3) for y in range(2)]
    >>> def build(learn):
    ...     middle = torch.stack([x for x, _ in learn]).mean()
    ...     return lambda held: torch.tensor([int(x > middle) for x, _ in held])
    >>> found = cross_validate(build, part, folds=3)
    >>> found, [sum(each) for each in zip(*found)]
    ([(2, 2), (2, 2), (2, 2)], [6, 6])
    """
    check_integer(minimum=2, folds=folds)
    check_integer(minimum=0, seed=seed)
    with optional("cross_validate", "scikit-learn"):
        from sklearn.model_selection import (  # type: ignore[import-untyped]  # noqa: PLC0415
            StratifiedGroupKFold,
            StratifiedKFold,
        )
    if hasattr(part, "_fields"):
        raise TypeError(
            "part must be a list or a Dataset of tuples that end with the number of the answer, "
            f"but a {type_name(part)} came; number what data.recordings gave, with "
            "list(enumerate(records.labels.tolist()))"
        )
    labels = [int(part[k][-1]) for k in range(len(part))]
    for label, samples in sorted(Counter(labels).items()):
        if samples < folds:
            raise ValueError(
                f"each class must have folds, {folds}, samples or more, but class {label} has "
                f"{samples}; give more samples of it, or fewer folds"
            )
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splits = kind(folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    found = []
    for rows, held in splits:
        answers = torch.as_tensor(build(Subset(part, rows.tolist()))(Subset(part, held.tolist())))
        if answers.shape != (len(held),):
            raise ValueError(
                f"build must return a function that gives a number for each of {len(held)} "
                f"samples, but {list(answers.shape)} came; end it with .argmax(-1)"
            )
        right = sum(int(answer) == labels[k] for answer, k in zip(answers, held, strict=True))
        found.append((right, len(held)))
    return found
