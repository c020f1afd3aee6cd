"""1つ前の時刻の出力が、入力に戻ってくる層です。"""

from typing import Any

import torch
from torch import Tensor

from snn_docs._checks import check_alike_parameters, check_layer, check_parts, check_time, type_name
from snn_docs._module import Container, Stateful, check_contract, check_pair, is_watched, run_layer
from snn_docs.states import RecurrentState

Given = tuple[Tensor, Any]  # a state, by name or not


class Recurrent(Container):
    r"""ニューロンの層に、再帰結合（recurrent connection）を付けます。

    .. math::

        I_t &= x_t + U s_{t-1} + b \\
        s_t &= f(I_t)

    1つ前の時刻の出力:math:`s_{t-1}`が、PyTorchの層``layer``を通って、入力:math:`x_t`に足されます。\
    ``layer``は``torch.nn.Linear``のほか、``Conv2d``でも、``Sequential``でもかまいません。\
    最初の時刻の:math:`s_0`は0です。\
    ``LI``のように発火しない層では、膜電位が戻ります。

    入力に掛ける重みは持たないので、前に``torch.nn.Linear``などを置きます。\
    状態は層の中に持たず、``step``と``run``が返します。

    中の層に付けたフックは、1ステップごとに動きます。\
    ニューロンのフックが受け取る入力の形は、``[1, B, *]``です。

    :param neuron: 戻る先の層。``IF``、``LIF``、``ALIF``、``LI``など、このパッケージのニューロン。\
        自分で書いた層でも、``step``と``run``が、入力と状態から、出力と状態を返せばよい
    :param layer: 出力を入力に戻す層。受け取る形も返す形も、1ステップの入力と同じ``[B, *]``
    :raises TypeError: ``neuron``が状態を渡せる層でないとき、``layer``がPyTorchの層でないとき

    >>> import torch
    >>> from snn_docs import LIF, Recurrent
    >>> Recurrent(LIF(leak=0.1), torch.nn.Linear(64, 64))
    Recurrent(
      (neuron): LIF(leak=0.1, threshold=1.0)
      (layer): Linear(in_features=64, out_features=64, bias=True)
    )

    出典: :cite:t:`bellec2018lsnn`
    """

    def __init__(self, neuron: torch.nn.Module, layer: torch.nn.Module) -> None:
        """ニューロンと、戻す層を決めます。"""
        super().__init__()
        check_contract("neuron", neuron)
        if not isinstance(layer, torch.nn.Module) or isinstance(layer, Stateful):
            raise TypeError(
                "layer must be a layer of torch, through which outputs go back to the inputs, but "
                f"a {type_name(layer)} came; give for example torch.nn.Linear(64, 64)"
            )
        self.neuron: Any = neuron
        self.layer = layer

    def step(
        self, inputs: Tensor, state: Given | None = None
    ) -> tuple[Tensor, RecurrentState | None]:
        r"""1ステップ進め、出力と、次に渡す状態を返します。

        .. math::

            (s_t, z_t) = f(x_t + U s_{t-1} + b, z_{t-1})

        :param inputs: この時刻の入力:math:`x_t`。形は``[B, *]``、型は重みと同じ浮動小数点数
        :param state: 1つ前の時刻の状態。``step``か``run``が返したもの。``None``なら0
        :returns: 出力:math:`s_t`。形は``[B, *]``。それと、状態。\
            状態は、出力と、ニューロンの状態:math:`z_t`の組（``state.outputs``、``state.neuron``）
        :raises TypeError: ``run``と同じ
        :raises ValueError: ``run``と同じ

        >>> import torch
        >>> from snn_docs import IF, Recurrent
        >>> keep = torch.nn.Linear(1, 1, bias=False)
        >>> _ = torch.nn.init.constant_(keep.weight, 2.0)
        >>> layer, state = Recurrent(IF(), keep), None
        >>> for current in (1.5, 0.0, 0.0):
        ...     s, state = layer.step(torch.full((1, 1), current), state)
        ...     print(s.item())
        1.0
        1.0
        1.0

        出典: :cite:t:`bellec2018lsnn`
        """
        outputs, after = self.run(inputs[None], state)
        return outputs[0], after

    def run(
        self, inputs: Tensor, state: Given | None = None
    ) -> tuple[Tensor, RecurrentState | None]:
        r"""すべての時刻を順に動かし、出力と、次に渡す状態を返します。

        .. math::

            (s_t, z_t) &= f(x_t + U s_{t-1} + b, z_{t-1}) \\
            t &= 1, \dots, T

        次の時刻の入力が前の時刻の出力で決まるので、時刻をまとめて計算することはできません。\
        値は``step``を:math:`T`回呼んだときと同じです。

        :param inputs: 入力:math:`x_t`。形は``[T, B, *]``、型は重みと同じ浮動小数点数。\
            ``T``は0でもよい
        :param state: 始まる前の状態。``step``か``run``が返したもの。``None``なら0
        :returns: 出力:math:`s_t`。形は``[T, B, *]``。それと、終わりの時刻の状態。\
            ``T``が0なら、渡された状態
        :raises TypeError: ``inputs``が浮動小数点数のテンソルでないとき、型が重みと違うとき、\
            ``state``がこの層の状態でないとき
        :raises ValueError: ``inputs``に時刻の次元がないとき、デバイスが重みと違うとき、\
            ``layer``が入力と同じ形を返さないとき

        >>> import torch
        >>> from snn_docs import IF, Recurrent
        >>> inhibit = torch.nn.Linear(1, 1, bias=False)
        >>> _ = torch.nn.init.constant_(inhibit.weight, -1.0)
        >>> inputs = torch.full((6, 1, 1), 1.25)
        >>> spikes, _ = IF().run(inputs)
        >>> spikes.flatten()
        tensor([1., 1., 1., 1., 1., 1.])
        >>> with torch.no_grad():
        ...     spikes, state = Recurrent(IF(), inhibit).run(inputs)
        >>> spikes.flatten()
        tensor([1., 0., 1., 0., 1., 0.])

        出典: :cite:t:`bellec2018lsnn`
        """
        check_time(inputs)
        check_alike_parameters(self, inputs)
        if not len(inputs):
            return inputs.clone(), None if state is None else RecurrentState(*state)
        if state is None:
            state = torch.zeros_like(inputs[0]), None
        last, inner = check_parts(state, 2, "outputs and the state of the neurons")
        check_layer("layer", self.layer, last[None])
        record = []
        for x in inputs:
            back = self.layer(last)
            if back.shape != x.shape:
                raise ValueError(
                    f"layer must return the shape of the inputs, {tuple(x.shape)}, but it made "
                    f"{tuple(back.shape)} of outputs of {tuple(last.shape)}; the inputs have one "
                    "number for each neuron: put a layer with the input weights before this one"
                )
            if is_watched(self.neuron):  # hooks wait for a call
                (last,), inner = run_layer(self.neuron, (x + back)[None], inner)
            else:
                last, inner = check_pair(self.neuron, "step", self.neuron.step(x + back, inner))
            record.append(last)
        return torch.stack(record), RecurrentState(last, inner)
