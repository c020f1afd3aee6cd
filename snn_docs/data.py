"""学習に使うデータです。何もダウンロードしません。"""

from typing import NamedTuple

import torch
from torch import Tensor

from snn_docs._checks import check_generator, check_integer
from snn_docs.encoding import rate

CUE_STEPS = 5
CHANNELS = 20


class Split(NamedTuple):
    """訓練用とテスト用に分けたデータです。形と型は、返す関数が決めます。"""

    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor


def digits(*, seed: int = 0) -> Split:
    r"""8×8画素の手書き数字を、訓練用とテスト用に分けて返します。

    .. math::

        x = \frac{p}{16} \qquad (p = 0, 1, \dots, 16)

    scikit-learnに入っている1797枚です。画素の値:math:`p`を16で割り、0から1にそろえます。\
    どの数字もほぼ8対2の割合で分かれ、同じ``seed``なら分け方も同じです。

    :param seed: 分け方と並びを決める乱数の種。0以上の整数
    :returns: ``train_inputs``、``train_labels``、``test_inputs``、``test_labels``の組。\
        画像の形は``[1437, 64]``と``[360, 64]``、型は``torch.float32``、値は0以上1以下。\
        正解の形は``[1437]``と``[360]``、型は``torch.int64``、値は0から9
    :raises ImportError: scikit-learnがないとき
    :raises TypeError: ``seed``が整数でないとき
    :raises ValueError: ``seed``が負のとき

    >>> from snn_docs import data
    >>> split = data.digits()
    >>> split.train_inputs.shape, split.test_inputs.shape
    (torch.Size([1437, 64]), torch.Size([360, 64]))
    >>> split.test_labels.bincount()
    tensor([36, 36, 35, 37, 36, 37, 36, 36, 35, 36])

    出典: :cite:t:`alpaydin1998digits`
    """
    check_integer(minimum=0, seed=seed)
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # noqa: PLC0415
        from sklearn.model_selection import (  # type: ignore[import-untyped]  # noqa: PLC0415
            train_test_split,
        )
    except ImportError as error:
        raise ImportError(
            "digits needs scikit-learn, which could not be imported; install it with "
            'pip install "snn-docs[train]"'
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    train, test = train_test_split(
        range(len(labels)), test_size=0.2, stratify=labels, random_state=seed
    )
    inputs = torch.tensor(pixels, dtype=torch.float32) / 16
    targets = torch.tensor(labels, dtype=torch.int64)
    return Split(inputs[train], targets[train], inputs[test], targets[test])


def delayed_match(
    samples: int, delay: int, *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    r"""沈黙をはさんだ2つの手がかりが、同じかどうかを答える課題を作ります。

    .. math::

        y = \begin{cases} 1 & (c_1 = c_2) \\ 0 & (c_1 \ne c_2) \end{cases}

    1つ目の手がかり:math:`c_1`が5ステップ、沈黙が``delay``ステップ、\
    2つ目の手がかり:math:`c_2`が5ステップ続きます。手がかりは2種類です。\
    20個のチャネルのうち、0なら前半の10個が、1なら後半の10個が、\
    それぞれ毎ステップ確率1/2で発火し、残りは発火しません。

    どの1つのステップも、多くて1つの手がかりしか伝えません。:math:`c_1`と:math:`c_2`の4通りの組は\
    同じ数ずつ現れるので、1つのステップだけを見て答えると、正解率の期待値は1/2です。\
    答えるには、1つ目の手がかりを覚えておく必要があります。

    :param samples: 標本の数。1以上の整数。4の倍数でなければ、組の数に1つの差が出る
    :param delay: 沈黙のステップ数。0以上の整数
    :param generator: 乱数生成器。デバイスはCPU。渡さなければ、PyTorchの大域の生成器を使う
    :returns: 入力と正解:math:`y`の組。入力は0か1のスパイクで、\
        形は``[T, samples, 20]``（:math:`T`は``10 + delay``）、型は``torch.float32``。\
        正解の形は``[samples]``、型は``torch.int64``
    :raises TypeError: ``samples``か``delay``が整数でないとき、\
        ``generator``が乱数生成器でないとき
    :raises ValueError: ``samples``が1未満のとき、``delay``が負のとき、\
        ``generator``がCPUのものでないとき

    >>> import torch
    >>> from snn_docs import data
    >>> generator = torch.Generator().manual_seed(0)
    >>> inputs, labels = data.delayed_match(samples=4, delay=3, generator=generator)
    >>> inputs.shape
    torch.Size([13, 4, 20])
    >>> labels
    tensor([1, 0, 1, 0])

    出典: 遅延見本合わせ課題（delayed match-to-sample）を単純にしたもの
    """
    check_integer(minimum=1, samples=samples)
    check_integer(minimum=0, delay=delay)
    check_generator(generator, torch.device("cpu"))
    pairs = torch.randperm(samples, generator=generator) % 4
    cues = torch.stack([pairs // 2, pairs % 2])
    rates = torch.nn.functional.one_hot(cues, 2).repeat_interleave(CHANNELS // 2, dim=-1) / 2
    first, second = (rate(cue, CUE_STEPS, generator=generator) for cue in rates)
    silence = torch.zeros(delay, samples, CHANNELS)
    return torch.cat([first, silence, second]), (cues[0] == cues[1]).long()
