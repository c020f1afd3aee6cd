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
    """``IF``、``LIF``、``PLIF``の状態です。``record``は、すべての時刻のものを、この形で返します。"""

    spikes: Tensor
    """スパイク:math:`s_t`。0か1。"""
    v: Tensor
    """膜電位:math:`v_t`。リセットする前の値。"""


class ALIFState(NamedTuple):
    """``ALIF``の状態です。"""

    spikes: Tensor
    """スパイク:math:`s_t`。"""
    v: Tensor
    """膜電位:math:`v_t`。リセットする前の値。"""
    a: Tensor
    """発火の跡:math:`a_t`。"""


class CubaLIFState(NamedTuple):
    """``CubaLIF``の状態です。"""

    spikes: Tensor
    """スパイク:math:`s_t`。"""
    v: Tensor
    """膜電位:math:`v_t`。リセットする前の値。"""
    i: Tensor
    """シナプスの電流:math:`i_t`。"""


class LIState(NamedTuple):
    """``LI``の状態です。"""

    v: Tensor
    """膜電位:math:`v_t`。"""


class RecurrentState(NamedTuple):
    """``Recurrent``の状態です。"""

    outputs: Tensor
    """1つ前の時刻の出力:math:`s_t`。"""
    neuron: Any
    """ニューロンの状態:math:`z_t`。``state.neuron.v``は、その膜電位。"""


# so that torch.load reads a state that was saved alone
torch.serialization.add_safe_globals([State, ALIFState, CubaLIFState, LIState, RecurrentState])
