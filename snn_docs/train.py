"""ネットワークを学習させます。``python -m snn_docs.train``でも、``torchrun``の下でも動きます。"""

import argparse
import io
import json
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from snn_docs import checkpoints, data, encoding, surrogate
from snn_docs._checks import check_integer, check_leak, check_number, type_name
from snn_docs.checkpoints import FORMAT, Record, RunError, State
from snn_docs.equations import Reset
from snn_docs.network import Network, count, last_potential, max_potential
from snn_docs.neurons import LIF

T = TypeVar("T")

HIDDEN = 512
BATCH = 64  # over all processes
LEARNING_RATE = 1e-3
SAMPLES = 1024, 512  # of the delayed match: for training, for the test
FILES = "checkpoint.pt", "metrics.jsonl"
DATA_SEED = 0  # the data stays the same whatever the seed of a run

ENCODINGS: dict[str, Callable[[Tensor, int, torch.Generator], Tensor]] = {
    "direct": lambda values, steps, _: encoding.direct(values, steps),
    "rate": lambda values, steps, generator: encoding.rate(values, steps, generator=generator),
    "latency": lambda values, steps, _: encoding.latency(values, steps),
}
SURROGATES: dict[str, Callable[[Tensor], Tensor]] = {
    "heaviside": surrogate.Heaviside.apply,
    "arctan": surrogate.ArcTan(),
    "fast_sigmoid": surrogate.FastSigmoid(),
    "sigmoid": surrogate.Sigmoid(),
    "triangle": surrogate.Triangle(),
    "boxcar": surrogate.Boxcar(),
    "straight_through": surrogate.StraightThrough(),
}
READOUTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "count": lambda spikes, _: count(spikes),
    "last": lambda _, v: last_potential(v),
    "max": lambda _, v: max_potential(v),
}


class Task(NamedTuple):
    """What is learnt. `encode` turns chosen samples into [T, batch, features]."""

    split: data.Split
    encode: Callable[[Tensor, torch.Generator], Tensor]
    classes: int


def digits(config: "Config") -> Task:
    """8×8画素の数字を見分ける課題です。"""

    def encode(values: Tensor, generator: torch.Generator) -> Tensor:
        return ENCODINGS[config.encoding](values, config.steps, generator)

    return Task(data.digits(seed=DATA_SEED), encode, classes=10)


def delayed_match(config: "Config") -> Task:
    """沈黙をはさんだ2つの手がかりが同じかを答える課題です。"""
    generator = torch.Generator().manual_seed(DATA_SEED)
    delay = config.steps - 2 * data.CUE_STEPS
    parts: list[Tensor] = []
    for samples in SAMPLES:
        inputs, labels = data.delayed_match(samples, delay, generator=generator)
        parts += [inputs.transpose(0, 1), labels]
    return Task(data.Split(*parts), lambda values, _: values.transpose(0, 1), classes=2)


TASKS = {"digits": digits, "delayed_match": delayed_match}
CHOICES: dict[str, Iterable[str]] = {
    "task": TASKS,
    "encoding": ENCODINGS,
    "readout": READOUTS,
    "surrogate": SURROGATES,
    "reset": ("zero", "subtract"),
}


def flag(default: T, text: str) -> T:
    """Make a field of Config that is a flag of the command line too."""
    made: T = field(default=default, metadata={"help": f"{text} (default: {default})"})
    return made


@dataclass(frozen=True)
class Config:
    r"""学習の設定です。どの項目も、コマンドラインでは同じ名前のフラグになります。

    :param task: 課題。``"digits"``（手書きの数字）か``"delayed_match"``（遅延見本合わせ）。\
        既定は``"digits"``
    :param encoding: 数字の画素の値を、時刻を追う入力に変える方法。``"direct"``（直接入力）、\
        ``"rate"``（レート符号化）、``"latency"``（潜時符号化）。既定は``"direct"``。\
        入力が初めからスパイクの``delayed_match``では省く
    :param readout: 最後の層から読み出す量。``"count"``（スパイクの数）、\
        ``"last"``（終わりの時刻の膜電位）、``"max"``（膜電位の最大値）。既定は``"count"``
    :param surrogate: スパイクの代理勾配。傾きは1。``"heaviside"``、``"arctan"``、\
        ``"fast_sigmoid"``、``"sigmoid"``、``"triangle"``、``"boxcar"``、``"straight_through"``。\
        既定は``"arctan"``
    :param reset: リセットの規則。``"zero"``（0に戻す）か``"subtract"``（閾値を引く）。\
        既定は``"subtract"``
    :param detach\_reset: リセットに勾配を通さないかどうか。既定は``False``
    :param leak: 漏れ:math:`\lambda`。1ステップで失われる膜電位の割合で、0から1まで。単位はない。\
        既定は``0.1``
    :param steps: 時刻の長さ:math:`T`。単位はステップで、1以上の整数。\
        ``delayed_match``では10以上で、10を引いた残りが沈黙の長さになる。既定は``16``
    :param epochs: すべての訓練データを何回見るか。単位はエポックで、1以上の整数。既定は``30``
    :param seed: 乱数の種。重みの初期値、標本の順番、レート符号化を決める。\
        0以上:math:`2^{63}`未満の整数。既定は``0``
    :raises TypeError: 型が違う項目があるとき
    :raises ValueError: 選べない値か、範囲の外の値があるとき

    >>> from snn_docs.train import Config
    >>> Config(surrogate="triangle").surrogate
    'triangle'
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
    steps: int = flag(16, "number of time steps; the silence of a delayed match lasts 10 less")
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
        if not isinstance(self.detach_reset, bool):
            raise TypeError(f"detach_reset must be True or False, but {self.detach_reset!r} came")
        check_leak(check_number("leak", self.leak))
        if self.task == "delayed_match" and self.encoding != "direct":
            raise ValueError(
                f"encoding is for digits, but {self.encoding} came for delayed_match, "
                "whose inputs are spikes already; leave it out"
            )
        least = 2 * data.CUE_STEPS if self.task == "delayed_match" else 1
        check_integer(minimum=least, steps=self.steps)
        check_integer(minimum=1, epochs=self.epochs)
        check_integer(minimum=0, seed=self.seed)


class Run:
    """What changes while training, and goes into a checkpoint."""

    def __init__(self, config: Config, place: torch.device) -> None:
        self.config, self.place = config, place
        self.task = TASKS[config.task](config)
        features = self.task.split.train_inputs.shape[-1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.network = Network([features, HIDDEN, self.task.classes], self._neuron)
        self.network.to(self.place)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)
        self.generator = torch.Generator().manual_seed(config.seed)  # all that is drawn later
        self.records: list[Record] = []

    def _neuron(self) -> LIF:
        config = self.config
        return LIF(
            leak=config.leak,
            reset=config.reset,
            detach_reset=config.detach_reset,
            surrogate=SURROGATES[config.surrogate],
        )

    def state(self) -> State:
        """Return all that is needed to go on bit for bit."""
        return {
            "format": FORMAT,
            "config": asdict(self.config),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "records": self.records,
        }

    def load(self, state: State) -> None:
        """Go on from what `state` returned; raise for anything else."""
        groups = self.optimizer.state_dict()["param_groups"]
        self.records = checkpoints.check_records(state["records"])
        if state["network"].keys() != self.network.state_dict().keys():
            raise ValueError(
                "the network has other parts"
            )  # torch lets a layer's numbers be missing
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.optimizer.state_dict()["param_groups"] != groups:
            raise ValueError("the optimizer is set otherwise")
        batches = math.ceil(len(self.task.split.train_labels) / BATCH)
        checkpoints.check_adam(self.optimizer, len(self.records) * batches)
        self.generator.set_state(state["generator"])

    def score(self, model: torch.nn.Module, inputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of losses, and how many answers are right, of this process's share."""
        mine = share(len(labels))
        spikes, v = model(inputs[:, mine].to(self.place))
        scores = READOUTS[self.config.readout](spikes, v)
        targets = labels[mine].to(self.place)
        loss = torch.nn.functional.cross_entropy(scores, targets, reduction="sum")
        return loss, (scores.argmax(-1) == targets).sum()

    def backward(self, model: torch.nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
        """Leave the gradients of the mean loss of a whole batch, whoever computes which part."""
        self.optimizer.zero_grad()
        loss, right = self.score(model, inputs, labels)
        # several processes average their gradients, so each one's loss counts that many times
        (loss * processes() / len(labels)).backward()
        return torch.stack([loss.detach(), right]).cpu()

    def epoch(self, model: torch.nn.Module) -> Record:
        """See all samples once, then the test's. The order is the same for any processes."""
        start = time.perf_counter()
        split = self.task.split
        totals = torch.zeros(3, dtype=torch.float64)
        for chosen in torch.randperm(len(split.train_labels), generator=self.generator).split(
            BATCH
        ):
            inputs = self.task.encode(split.train_inputs[chosen], self.generator)
            totals[:2] += self.backward(model, inputs, split.train_labels[chosen])
            self.optimizer.step()
        seconds = time.perf_counter() - start
        with torch.no_grad():
            generator = torch.Generator().manual_seed(DATA_SEED)
            inputs = self.task.encode(split.test_inputs, generator)
            totals[2] = self.score(self.network, inputs, split.test_labels)[1]
        if dist.is_initialized():
            dist.all_reduce(totals)
        loss, right, right_in_test = totals.tolist()
        return {
            "epoch": len(self.records) + 1,
            "train_loss": loss / len(split.train_labels),
            "train_accuracy": right / len(split.train_labels),
            "test_accuracy": right_in_test / len(split.test_labels),
            "seconds": seconds,
        }


def train(
    out: str | Path,
    *,
    resume: bool = False,
    device: str | None = None,
    **flags: Any,  # noqa: ANN401
) -> list[Record]:
    r"""ネットワークを学習させ、1エポックに1つの記録を返します。

    損失は、読み出した値のソフトマックスの交差エントロピーで、Adamで小さくします。\
    フォルダ``out``には、エポックごとに``checkpoint.pt``と``metrics.jsonl``を書きます。\
    いつ止めても、``resume=True``なら最後に終えたエポックから続き、\
    同じスレッド数なら、止めなかったときとビット単位で同じパラメータになります。\
    記録の``seconds``は訓練にかかった秒数です。

    :param out: 書き込むフォルダ。なければ作る
    :param resume: ``out``にあるチェックポイントから続けるか
    :param device: 計算するデバイスの名前。``"cpu"``、``"cuda"``、``"mps"``など。\
        省けば、CUDAのGPUがあればそれ、なければCPU。チェックポイントは、どのデバイスでも続けられる
    :param flags: ``Config``の項目。続けるときは、\
        ``epochs``のほかはチェックポイントと同じ値にする。\
        省けば、続けるときはチェックポイントの値、始めるときは既定の値になる
    :returns: 記録。キーは``epoch``、``train_loss``、``train_accuracy``、\
        ``test_accuracy``、``seconds``
    :raises RunError: ``out``に学習の記録があるのに始めようとしたとき、``out``が空の文字列のとき、\
        チェックポイントが読めないときや``flags``と合わないとき、``device``が使えないとき、\
        メモリが足りないとき、パラメータが有限でなくなったとき
    :raises ImportError: scikit-learnかtqdmがないとき
    :raises TypeError: ``flags``の型が違うとき
    :raises ValueError: ``flags``の値が範囲の外のとき

    >>> import tempfile
    >>> from snn_docs.train import train
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = train(folder, task="delayed_match", epochs=1)
    ...     both = train(folder, resume=True, epochs=2)
    >>> [record["epoch"] for record in both], both[:1] == first
    ([1, 2], True)

    出典: :cite:t:`kingma2015adam`
    """
    folder, place = named(out), place_of(device)
    config, state = agreed(lambda: begin(folder, flags, resume=resume))
    run = prepare(config, state, folder, place)
    try:
        go_on(run, folder)
    except Exception:
        if not run.records and rank() == 0:  # nothing to go on from: let it not block the next
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
        raise
    return run.records


def named(out: str | Path) -> Path:
    """Return the folder; raise RunError for an empty name, which would be the working folder."""
    if out == "":
        raise RunError("out names no folder; give for example run, or . for the working folder")
    return Path(out)


def begin(out: Path, flags: dict[str, Any], *, resume: bool) -> tuple[Config, State | None]:
    """Return what to train, and what to go on from."""
    if resume:
        return continued(out, flags)
    for name in FILES:
        if os.path.lexists(out / name):
            raise RunError(
                f"{out} holds {name}: a run already; go on with --resume, or give another --out"
            )
    config = Config(**flags)
    out.mkdir(parents=True, exist_ok=True)
    return config, None


def continued(out: Path, flags: dict[str, Any]) -> tuple[Config, State]:
    """Return the settings of the run in a folder with those that are given, and what it holds."""
    checkpoint = out / FILES[0]
    state = checkpoints.read(checkpoint)
    try:
        saved, done = asdict(Config(**state["config"])), len(state["records"])
    except (KeyError, TypeError, ValueError) as error:
        raise checkpoints.damaged(checkpoint) from error
    if saved != state["config"]:  # a setting is missing
        raise checkpoints.damaged(checkpoint)
    for name, value in flags.items():
        if name != "epochs" and value != saved[name]:
            raise RunError(
                f"{name} is {value}, but the run in {out} has {saved[name]}; "
                "leave the flag out, or start anew with another --out"
            )
    config = Config(**saved | flags)
    if config.epochs < done:
        raise RunError(
            f"epochs is {config.epochs}, but the run in {out} has had {done}; give that or more"
        )
    return config, state


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


def prepare(config: Config, state: State | None, out: Path, place: torch.device) -> Run:
    """Return a run that is new, or goes on from a checkpoint."""
    with enough_memory(config):
        run = Run(config, place)
    if state is not None:
        try:
            run.load(state)
        except Exception as error:  # torch may raise anything for what fits no parameter
            raise checkpoints.damaged(out / FILES[0]) from error
    return run


def go_on(run: Run, out: Path) -> None:
    """Train until all epochs are done."""
    save(run, out)
    model = DistributedDataParallel(run.network) if dist.is_initialized() else run.network
    with progress(len(run.records), run.config.epochs) as bar:
        while len(run.records) < run.config.epochs:
            with enough_memory(run.config):
                record = run.epoch(model)
            if not all(each.isfinite().all() for each in run.network.parameters()):
                raise RunError(
                    f"a parameter is infinite or NaN after epoch {record['epoch']}: the gradient "
                    "has exploded; try detach_reset, fewer steps, or another surrogate"
                )
            run.records.append(record)
            save(run, out)
            bar.set_postfix(test=f"{record['test_accuracy']:.3f}", refresh=False)
            bar.update()


def save(run: Run, out: Path) -> None:
    """Write the checkpoint and the metrics."""
    if rank() == 0:
        buffer = io.BytesIO()
        torch.save(run.state(), buffer)
        lines = [json.dumps(record) + "\n" for record in run.records]
        for name, content in zip(FILES, (buffer.getvalue(), "".join(lines).encode()), strict=True):
            checkpoints.replace(out / name, content)


def progress(done: int, total: int) -> Any:  # noqa: ANN401
    """Return a bar that shows only on a terminal, and only for the first process."""
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            "training needs tqdm, which could not be imported; install it with "
            'pip install "snn-docs[train]"'
        ) from error
    return tqdm(initial=done, total=total, unit="epoch", disable=True if rank() else None)


def join() -> None:
    """Meet the other processes, if torchrun has started this one."""
    if dist.is_torchelastic_launched():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")


def rank() -> int:
    """Return this process's number. Only number 0 writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(size: int) -> slice:
    """Return this process's part of a batch. Parts may differ by one sample."""
    return slice(size * rank() // processes(), size * (rank() + 1) // processes())


def place_of(name: str | None) -> torch.device:
    """Return where this process computes; raise RunError where it can't."""
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"  # one for each process of this machine
    try:
        place = torch.device(name)
        torch.ones((), device=place).item()
    except Exception as error:  # torch raises what each kind of device does
        raise RunError(f"device {name} can't compute here; give cpu, or leave it out") from error
    return place


def agreed(decide: Callable[[], T]) -> T:
    """Let process 0 decide for all; what it raises, all raise."""
    outcome: list[Any] = [None]
    if rank() == 0:
        try:
            outcome = [decide()]
        except (OSError, TypeError, ValueError) as error:
            outcome = [error]
    if dist.is_initialized():
        dist.broadcast_object_list(outcome)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    decision: T = outcome[0]
    return decision


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
            made.add_argument(name, type=type(each.default), choices=choices, help=text)
    made.add_argument("--out", default="run", help="folder (default: run)")
    made.add_argument("--device", default=None, help="where to compute: cpu, cuda or mps")
    made.add_argument("--resume", action="store_true", default=False, help="go on with --out's run")
    return made


def how_to_go_on(out: str) -> str:
    """Say what to do after an interruption."""
    if not Path(out, FILES[0]).exists():
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
        join()
        records = train(out, resume=resume, device=device, **flags)
    except (RunError, ImportError, OSError) as error:
        command.error(str(error))
    except KeyboardInterrupt:
        if rank() == 0:
            sys.stderr.write(f"interrupted; {how_to_go_on(out)}\n")
        return 130
    if rank() == 0:
        accuracy = records[-1]["test_accuracy"]
        sys.stdout.write(f"test accuracy {accuracy:.4f} after {len(records)} epochs; see {out}\n")
    if dist.is_initialized():
        dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
