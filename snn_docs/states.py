"""ニューロンの状態です。``state.v``のように、名前で読めます。順に並んだ組でもあります。

>>> import torch
>>> from snn_docs import LIF
>>> spikes, state = LIF(leak=0.5).run(torch.full((2,), 0.5))
>>> state
State(spikes=tensor(0.), v=tensor(0.7500))
>>> state.v
tensor(0.7500)
>>> s, v = state
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor


class State(NamedTuple):
    """``IF``、``LIF``、``PLIF``の状態です。スパイク``spikes``と、リセットする前の膜電位``v``。

    ``record``は、すべての時刻のスパイクと膜電位を、この形で返します。
    """

    spikes: Tensor
    v: Tensor


class ALIFState(NamedTuple):
    """``ALIF``の状態です。スパイク``spikes``、リセットする前の膜電位``v``、発火の跡``a``。"""

    spikes: Tensor
    v: Tensor
    a: Tensor


class CubaLIFState(NamedTuple):
    """``CubaLIF``の状態です。スパイク``spikes``、リセットする前の膜電位``v``、シナプスの電流``i``。"""

    spikes: Tensor
    v: Tensor
    i: Tensor


class LIState(NamedTuple):
    """``LI``の状態です。膜電位``v``だけの組です。"""

    v: Tensor


class RecurrentState(NamedTuple):
    """``Recurrent``の状態です。1つ前の時刻の出力``outputs``と、ニューロンの状態``neuron``。

    膜電位なら、``state.neuron.v``です。
    """

    outputs: Tensor
    neuron: Any


# so that torch.load reads a state that was saved alone
torch.serialization.add_safe_globals([State, ALIFState, CubaLIFState, LIState, RecurrentState])
