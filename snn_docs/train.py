"""ネットワークを学習させます。``python -m snn_docs.train``でも、``torchrun``の下でも動きます。"""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch.distributed as dist

from snn_docs import _interruption, checkpoints, processes
from snn_docs._checks import check_integer, check_number, check_rule, type_name
from snn_docs.checkpoints import CHECKPOINT, Record, RunError
from snn_docs.data import CUE_STEPS
from snn_docs.equations import Reset
from snn_docs.fitting import best, fit, measure
from snn_docs.tasks import ENCODINGS, FIXED, READOUTS, STEPS, SURROGATES, TASKS

CHOICES: dict[str, Iterable[str]] = {
    "task": TASKS,
    "encoding": ENCODINGS,
    "readout": READOUTS,
    "surrogate": SURROGATES,
    "reset": ("zero", "subtract"),
}


def flag(default: Any, text: str) -> Any:  # noqa: ANN401 - as the field says
    """Make a field of Config that is a flag of the command line too."""
    shown = "" if default is None else f" (default: {default})"
    return field(default=default, metadata={"help": text + shown})


@dataclass(frozen=True)
class Config:
    r"""学習の設定です。どの項目も、コマンドラインでは同じ名前のフラグになります。

    :param task: 課題。``"digits"``（8×8画素の手書き数字）、``"delayed_match"``（遅延見本合わせ）、\
        ``"images"``（28×28画素の手書き数字を読む畳み込み）、\
        ``"speech"``（長さのそろわない声）。既定は``"digits"``
    :param encoding: ``digits``の画素の値を、時刻を追う入力に変える方法。``"direct"``（直接入力）、\
        ``"rate"``（レート符号化）、``"latency"``（潜時符号化）。既定は``"direct"``。\
        ほかの課題では省く
    :param readout: 最後の層から読み出す量。``"count"``（スパイクの数）、\
        ``"last"``（終わりの時刻の膜電位）、``"max"``（膜電位の最大値）。既定は``"count"``。\
        ``images``（スパイクの数を読む）と``speech``（発火率に重みを掛ける）では省く
    :param surrogate: スパイクの代理勾配。傾きは1。``"heaviside"``、``"arctan"``、\
        ``"fast_sigmoid"``、``"sigmoid"``、``"triangle"``、``"boxcar"``、``"straight_through"``。\
        既定は``"arctan"``
    :param reset: リセットの規則。``"zero"``（0に戻す）か``"subtract"``（閾値を引く）。\
        既定は``"subtract"``
    :param detach\_reset: リセットに勾配を通さないかどうか。既定は``False``
    :param leak: 漏れ:math:`\lambda`。1ステップで失われる膜電位の割合で、0から1まで。単位はない。\
        既定は``0.1``
    :param steps: 時刻の長さ:math:`T`。単位はステップで、1以上の整数。\
        既定は``16``、``images``では``4``。\
        ``delayed_match``では10以上で、10を引いた残りが沈黙の長さになる。\
        声ごとに長さの違う``speech``では省く
    :param epochs: すべての訓練データを何回見るか。単位はエポックで、1以上の整数。既定は``30``
    :param seed: 乱数の種。重みの初期値、標本の順番、レート符号化を決める。\
        0以上:math:`2^{63}`未満の整数。既定は``0``
    :raises TypeError: 型が違う項目があるとき
    :raises ValueError: 選べない値か、範囲の外の値があるとき

    >>> from snn_docs.train import Config
    >>> Config(surrogate="triangle").surrogate
    'triangle'
    >>> Config().steps, Config(task="images").steps
    (16, 4)
    >>> Config(steps=0)
    Traceback (most recent call last):
    ValueError: steps must be 1 or more, but 0 came
    """

    task: str = flag("digits", "what to learn")
    encoding: str = flag("direct", "how values become inputs over time, for digits")
    readout: str = flag("count", "what is read from the last layer")
    surrogate: str = flag("arctan", "the derivative of a spike")
    reset: Reset = flag("subtract", "what a spike does to the potential")  # noqa: RUF009
    detach_reset: bool = flag(default=False, text="let no gradient pass the reset")
    leak: float = flag(0.1, "the part of the potential lost in each step, from 0 to 1")
    steps: int = flag(None, "number of time steps (default: 16, or 4 for images)")
    epochs: int = flag(30, "number of times all samples are seen")
    seed: int = flag(0, "of the weights, of the order of samples, and of rate coding")

    def __post_init__(self) -> None:
        """値を確かめます。"""
        for name, choices in CHOICES.items():
            value, wanted = getattr(self, name), f"{name} must be one of {', '.join(choices)}"
            if not isinstance(value, str):
                raise TypeError(f"{wanted}, but a {type_name(value)} came; give its name")
            if value not in choices:
                raise ValueError(f"{wanted}, but {value} came")
        leak, surrogate = check_number("leak", self.leak), SURROGATES[self.surrogate]
        check_rule(1.0, leak, self.reset, self.detach_reset, surrogate)
        if self.steps is None:
            object.__setattr__(self, "steps", STEPS[self.task])
        least = 2 * CUE_STEPS if self.task == "delayed_match" else 1
        check_integer(minimum=least, steps=self.steps)
        check_integer(minimum=1, epochs=self.epochs)
        check_integer(minimum=0, seed=self.seed)
        defaults = {each.name: each.default for each in fields(self)} | {"steps": STEPS[self.task]}
        for name in FIXED[self.task]:
            if getattr(self, name) != defaults[name]:
                raise ValueError(
                    f"{self.task} has no {name} to choose, but {getattr(self, name)} came; "
                    "leave it out"
                )


def train(
    out: str | Path,
    *,
    resume: bool = False,
    device: str | None = None,
    **flags: Any,  # noqa: ANN401
) -> tuple[list[Record], float]:
    r"""課題を1つ学習させ、エポックごとの記録と、最後に1度だけ測ったテストの正解率を返します。

    学習は``snn_docs.fitting.fit``が行います。訓練データから取り分けた検証データの正解率が、\
    最も高かったエポックの重みを選び、その重みでテストデータを読みます。\
    止めても、続けても、同じスレッド数ならビット単位で同じ結果になります。

    :param out: 書き込むフォルダ。なければ作る。``fit``の3つのファイルができる
    :param resume: ``out``にあるチェックポイントから続けるか
    :param device: 計算するデバイスの名前。``"cpu"``、``"cuda"``、``"mps"``など。\
        省けば、CUDAのGPUがあればそれ、なければCPU。チェックポイントは、どのデバイスでも続けられる
    :param flags: ``Config``の項目。続けるときは、\
        ``epochs``のほかはチェックポイントと同じ値にする。\
        省けば、続けるときはチェックポイントの値、始めるときは既定の値になる
    :returns: ``fit``の記録と、テストの正解率の組
    :raises RunError: ``fit``と同じ。ほかに、``flags``がチェックポイントと合わないとき、\
        メモリが足りないとき
    :raises ImportError: 要るパッケージ（scikit-learnとtqdm、\
        ``images``ではmlxtendも、``speech``ではaeonも）がないとき
    :raises TypeError: ``flags``の型が違うとき
    :raises ValueError: ``flags``の値が範囲の外のとき

    >>> import tempfile
    >>> from snn_docs.train import train
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first, _ = train(folder, task="delayed_match", epochs=1)
    ...     both, _ = train(folder, resume=True, epochs=2)
    >>> [record["epoch"] for record in both], both[:1] == first
    ([1, 2], True)

    出典: :cite:t:`kingma2015adam`
    """
    folder = checkpoints.named(out)
    config = processes.agreed(lambda: continued(folder, flags) if resume else Config(**flags))
    settings = asdict(config)
    epochs = settings.pop("epochs")
    with enough_memory(config), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        task = TASKS[config.task](config)
        records = fit(
            *(task.network, task.training, task.validation, folder),
            epochs=epochs, lr=task.lr, resume=resume, device=device, about=settings,
        )  # fmt: skip
        return records, measure(task.network, task.test)[1]


def continued(out: Path, flags: dict[str, Any]) -> Config:
    """Return the settings of the run in a folder with those that are given."""
    state = checkpoints.read(out)
    saved = state["about"] | {"epochs": state["epochs"]}
    try:
        whole = asdict(Config(**saved)) == saved
    except (TypeError, ValueError):
        whole = False
    if not whole:  # a setting is missing, or unknown
        raise checkpoints.damaged(out / CHECKPOINT)
    for name, value in flags.items():
        if name != "epochs" and value != saved[name]:
            raise RunError(
                f"{name} is {value}, but the run in {out} has {saved[name]}; "
                "leave the flag out, or start anew with another --out"
            )
    return Config(**saved | flags)


@contextmanager
def enough_memory(config: Config) -> Iterator[None]:
    """Say what to do where memory is short, which torch says with a trace of its insides."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or re.search("memory|overflow", str(error)):
            raise RunError(
                f"{config.steps} steps take more memory than there is; give fewer --steps"
            ) from error
        raise


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and once however many processes there are."""

    def error(self, message: str) -> NoReturn:
        """End the program."""
        first = os.environ.get("RANK", "0") == "0"
        self.exit(2, f"{self.prog}: {message}; see --help\n" if first else "")


def parser() -> Parser:
    """Make a flag of each field of Config; one that isn't given leaves no trace."""
    made = Parser(
        prog="python -m snn_docs.train",
        description="Train a spiking network. Runs under torchrun too.",
        argument_default=argparse.SUPPRESS,
    )
    for each in fields(Config):
        name, text = f"--{each.name.replace('_', '-')}", each.metadata["help"]
        if isinstance(each.default, bool):
            made.add_argument(name, action="store_true", help=text)
        else:
            choices = CHOICES.get(each.name)
            kind = int if each.default is None else type(each.default)
            made.add_argument(name, type=kind, choices=choices, help=text)
    made.add_argument("--out", default="run", help="folder (default: run)")
    made.add_argument("--device", default=None, help="where to compute: cpu, cuda or mps")
    made.add_argument("--resume", action="store_true", default=False, help="go on with --out's run")
    return made


def how_to_go_on(out: str) -> str:
    """Say what to do after an interruption."""
    if not Path(out, CHECKPOINT).exists():
        return "nothing had been saved"
    return f"go on from the last whole epoch: {parser().prog} --resume --out {shlex.quote(out)}"


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says."""
    command = parser()
    flags = vars(command.parse_args(arguments))
    out, resume, device = (flags.pop(name) for name in ("out", "resume", "device"))
    try:
        Config(**flags)
    except (TypeError, ValueError) as error:
        command.error(str(error))
    # layers this small gain little from more threads, which also wait for each other on a busy
    # machine; and the bits are then the same however many processors there are
    torch.set_num_threads(1)
    try:
        _interruption.leave()
        processes.join()
        records, accuracy = train(out, resume=resume, device=device, **flags)
    except (RunError, ImportError, OSError) as error:
        command.error(str(error))
    except KeyboardInterrupt:
        if processes.rank() == 0:
            sys.stderr.write(f"interrupted; {how_to_go_on(out)}\n")
        return 130
    if processes.rank() == 0:
        chosen = best(records)
        sys.stdout.write(
            f"test accuracy {accuracy:.4f} with the weights of epoch {chosen['epoch']:.0f} of "
            f"{len(records)}, whose validation accuracy {chosen['validation_accuracy']:.4f} is the "
            f"best; see {out}\n"
        )
    if dist.is_initialized():
        dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
