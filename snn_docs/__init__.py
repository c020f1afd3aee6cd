"""スパイキングニューロンのモデルです。必要なのはPyTorchだけです。

どの層も、入力と状態を受け取り、出力と状態を返します。入力の形は``[T, B, *]``で、時刻が先頭です。

    >>> import torch
    >>> from snn_docs import LI, LIF, Sequential
    >>> network = Sequential(torch.nn.Linear(64, 10), LIF(leak=0.1), LI(leak=0.1))
    >>> network(torch.rand(20, 5, 64)).shape
    torch.Size([20, 5, 10])

ニューロン  IF、LIF、PLIF（漏れを学習）、ALIF（閾値が適応）、CubaLIF（シナプスの電流）
読み出し    LI（発火しない）
並べる      Sequential、Recurrent（出力が入力に戻る）、network.Network（全結合だけ）
進める      layer.step(inputs, state)は1ステップ、layer.run(inputs, state)はすべての時刻
状態        state.v、state.spikes、ALIFはstate.a、CubaLIFはstate.iも
描く値      layer.record(inputs)は、すべての時刻のスパイク、膜電位など
微分        Heaviside.apply（記事）、surrogate.ArcTanなど

encoding    画素や信号を、スパイクの列に変える
functional  層を使わずに、式を関数で呼ぶ
delays      遅延を学習する層
network     スパイクを数えるなど、出力を読む
data        この本で使うデータ
fitting     学習のループ。自分のネットワークとDataLoaderで学習する
evaluation  正解率の区間、交差検証
diagnosis   進まないネットワークの診断、自分のニューロンの検査
plot        ラスタや膜電位を描く
conversion  学習済みのReLUのネットワークを変換する
costs       演算の数と発火率を数える
nir         ほかのライブラリと設計図をやりとりする
chip        チップの規則を守っているかを調べる

詳しくは、help(snn_docs.LIF.run)やhelp(snn_docs.encoding)のように、名前を渡してください。
"""

# Each name as itself, not in `__all__`: of all classes in that, `help` would show all that they
# inherit of torch, in thousands of lines.
from snn_docs.adaptive import ALIF as ALIF
from snn_docs.currents import CubaLIF as CubaLIF
from snn_docs.integrator import LI as LI
from snn_docs.neurons import IF as IF
from snn_docs.neurons import LIF as LIF
from snn_docs.neurons import PLIF as PLIF
from snn_docs.recurrent import Recurrent as Recurrent
from snn_docs.sequential import Sequential as Sequential
from snn_docs.surrogate import Heaviside as Heaviside

__version__ = "0.1.0"
