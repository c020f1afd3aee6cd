"""スパイクが届くまでの遅延を、重みといっしょに学習する層です。"""

import torch
from torch import Tensor
from torch.nn.functional import conv1d

from snn_docs._checks import (
    check_alike_parameters,
    check_floating,
    check_integer,
    check_number,
    check_positive,
)

NARROWED, WHOLE = 0.6, 0.75
"""The parts of a training by which the width has shrunk, and delays are whole steps."""


class Delayed(torch.nn.Module):
    r"""入力から出力への線ごとに、重みと遅延を1つずつもつ層です。

    .. math::

        \begin{gathered}
        I_{t,j} = b_j + \sum_i \sum_{k=0}^{K} w_{ji}\, g_{ji}(k)\, s_{t-k,i} \\
        g_{ji}(k) = \exp\left(-\frac{(k - d_{ji})^2}{2\sigma^2}\right)
        \end{gathered}

    スパイクを、遅延:math:`d_{ji}`を中心とする幅:math:`\sigma`の山に広げて届けるので、遅延にも勾配が届きます。\
    幅を広くして始め、``anneal``をエポックが終わるたびに呼んで狭めます（``on_epoch``）。

    ``longest``（:math:`K`）は、見分けたい並びの、はじめから終わりまでのステップの数の1.5倍ほどにします。\
    分からなければ、入力のステップの数から1を引けば、必ず足ります。計算は、``longest``に比例して遅くなります。\
    学んだ``delay``が0か``longest``に集まれば、短すぎます。

    遅延の始めの値は、``longest / 2``に標準偏差2の乱数を足したもので、大域の生成器で決めます。\
    ``step``と``run``があるので、``Sequential``に置けます。状態は、終わりの``longest``ステップの入力で、\
    形は``[longest, B, n_in]``です。

    :param n\_in: 入力の数。1以上の整数
    :param n\_out: 出力の数。1以上の整数
    :param longest: いちばん長い遅延:math:`K`。1以上の整数。単位はステップ
    :param width: 始めの幅:math:`\sigma`。正の数。単位はステップ
    :param weight: 重みの始めの値。入力の数との積が、閾値の半分ほどになるものから試す。\
        大きいと、遅延がそろいにくい
    :param pace: 遅延を重みの何倍の速さで学習するか。2のべき乗。遅延は、重みより動く範囲が広い
    :raises TypeError: ``n_in``、``n_out``、``longest``が整数でないとき、\
        ``width``、``weight``、``pace``が数でないとき
    :raises ValueError: ``n_in``、``n_out``、``longest``が1未満のとき、\
        ``width``か``pace``が正の有限な数でないとき

    >>> import torch
    >>> from snn_docs.delays import Delayed
    >>> layer = Delayed(n_in=1, n_out=1, longest=4, weight=1.0)
    >>> with torch.no_grad():
    ...     _ = layer.late.fill_(2 / layer.pace)
    >>> layer.anneal(1.0, narrowest=0.3)
    >>> spikes = torch.tensor([1.0, 0.0, 0.0, 0.0]).view(4, 1, 1)  # [T, B, n_in]
    >>> layer.delay.item(), layer(spikes).round().flatten().tolist()
    (2.0, [0.0, 0.0, 1.0, 0.0])

    出典: :cite:t:`hammouamri2024delays`（そこでは、山の和を1にそろえる）
    """

    width: Tensor

    def __init__(  # noqa: PLR0913 - what a delay needs beside a weight
        self,
        n_in: int,
        n_out: int,
        longest: int,
        *,
        width: float = 10.0,
        weight: float = 0.1,
        pace: float = 16.0,
    ) -> None:
        """重みと遅延を作ります。"""
        super().__init__()
        check_integer(minimum=1, n_in=n_in, n_out=n_out, longest=longest)
        check_positive(width=width, pace=pace)
        self.longest, self.widest, self.pace = longest, width, pace
        self.register_buffer("width", torch.tensor(float(width)))  # saved: delays mean little alone
        self.weight = torch.nn.Parameter(
            torch.full((n_out, n_in), float(check_number("weight", weight)))
        )
        self.bias = torch.nn.Parameter(torch.zeros(n_out))
        delay = longest / 2 + 2 * torch.randn(n_out, n_in)
        self.late = torch.nn.Parameter(delay / pace)

    @property
    def delay(self) -> Tensor:
        """遅延:math:`d`。形は``[n_out, n_in]``。学習するのは、``pace``で割った``late``"""
        return self.late * self.pace

    def anneal(self, progress: float, narrowest: float = 2.0) -> None:
        r"""学習の進み具合に合わせて幅を狭め、終わりには遅延を整数にします。

        .. math::

            \sigma = \sigma_0 + (\sigma_1 - \sigma_0) \min(p / 0.6, 1)

        :math:`p`が0.75になれば、遅延を整数に丸めて止め、あとは重みとバイアスだけを学習します。\
        遅延を``0``から``longest``までに収めるのも、ここです。

        ``fit``が残すのは、検証が最もよかったエポックなので、丸める前の遅延と、広い幅のこともあります。\
        最後のエポックを使うなら、``fit``のあとで、``out``に渡したフォルダから読み込みます。

        ``network.load_state_dict(torch.load(f"{out}/checkpoint.pt")["network"])``

        最後の幅:math:`\sigma_1`が広いほど、大きなずれを許します。\
        2なら、間隔が1ステップ、時刻が2ステップずれても見分けます。\
        遅延が1ステップだけに届けばよいなら、0.3まで狭めます。すると、ずれた並びは見分けません。

        :param progress: 進み具合:math:`p`。0から1まで。``終えたエポック / エポックの数``。\
            ``on_epoch``なら``len(losses) / epochs``
        :param narrowest: 最後の幅:math:`\sigma_1`。正の数。単位はステップ
        :raises TypeError: ``progress``か``narrowest``が数でないとき
        :raises ValueError: ``progress``が0から1までにないとき、\
            ``narrowest``が正の有限な数でないとき
        """
        if not 0 <= check_number("progress", progress) <= 1:
            raise ValueError(
                f"progress must be from 0 to 1, but {progress} came; give epoch / epochs"
            )
        check_positive(narrowest=narrowest)
        part = min(progress / NARROWED, 1.0)
        self.width.fill_(self.widest + (narrowest - self.widest) * part)
        with torch.no_grad():
            delay = self.delay.clamp(0, self.longest)
            self.late.copy_((delay.round() if progress >= WHOLE else delay) / self.pace)
        self.late.requires_grad_(progress < WHOLE)

    def forward(self, inputs: Tensor) -> Tensor:
        """すべての時刻に届く電流を返します。始まる前の入力は0です。

        :param inputs: 入力。形は``[T, B, n_in]``
        :returns: 電流。形は``[T, B, n_out]``、型は``inputs``と同じ
        :raises TypeError: ``run``と同じ
        :raises ValueError: ``run``と同じ
        """
        return self.run(inputs)[0]

    def step(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """1ステップの入力を受け取り、電流と、次の状態を返します。

        :param inputs: 入力。形は``[B, n_in]``
        :param state: ``step``か``run``が返した状態。``None``なら0
        :returns: 電流（形は``[B, n_out]``）と、状態
        :raises TypeError: ``run``と同じ
        :raises ValueError: ``run``と同じ
        """
        check_floating(inputs=inputs)
        currents, state = self.run(inputs[None], state)
        return currents[0], state

    def run(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        r"""すべての時刻の入力を受け取り、電流と、次の状態を返します。

        :param inputs: 入力。形は``[T, B, n_in]``、型は重みと同じ浮動小数点数
        :param state: ``step``か``run``が返した状態。``None``なら0
        :returns: 電流（形は``[T, B, n_out]``）と、状態
        :raises TypeError: ``inputs``か``state``が浮動小数点数のテンソルでないとき、\
            ``inputs``の型が重みと違うとき
        :raises ValueError: 形か装置が合わないとき
        """
        check_floating(inputs=inputs)
        n_in = self.weight.shape[1]
        if inputs.dim() != 3 or inputs.shape[2] != n_in or not len(inputs):  # noqa: PLR2004 - T, B, n_in
            raise ValueError(
                f"inputs must have the shape [T, B, {n_in}], time first, a step or more, but "
                f"{list(inputs.shape)} came"
            )
        check_alike_parameters(self, inputs)
        past = inputs.new_zeros(self.longest, *inputs.shape[1:]) if state is None else state
        check_floating(state=past)
        if past.shape != (self.longest, *inputs.shape[1:]) or past.dtype != inputs.dtype:
            raise ValueError(
                f"state must be {inputs.dtype} of shape {[self.longest, *inputs.shape[1:]]}, but "
                f"{past.dtype} of {list(past.shape)} came; give what run or step has returned"
            )
        known = torch.cat([past, inputs])
        steps = torch.arange(self.longest + 1, device=inputs.device)
        distance = (steps - self.delay[..., None]) / self.width
        kernel = self.weight[..., None] * torch.exp(-(distance**2) / 2)
        currents = conv1d(known.permute(1, 2, 0), kernel.flip(-1), self.bias).permute(2, 0, 1)
        return currents, known[len(inputs) :]

    def extra_repr(self) -> str:
        """大きさと幅を書きます。"""
        n_out, n_in = self.weight.shape
        return f"{n_in}, {n_out}, longest={self.longest}, width={self.width:.3g}"
