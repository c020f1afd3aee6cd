"""ネットワークを学習させ、測ります。ループだけの``minimize``と、``DataLoader``を渡す``fit``があります。"""

import copy
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data.distributed import DistributedSampler

from snn_docs import checkpoints, processes
from snn_docs._checks import check_finite, check_integer, check_positive, optional, type_name
from snn_docs._module import evaluating
from snn_docs.checkpoints import Checkpoint, Record
from snn_docs.checkpoints import RunError as RunError  # noqa: PLC0414 - offered here

Batches = Iterable[Sequence[Tensor]]
"""What a DataLoader gives: in each batch the inputs of the network, and at the end the labels."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""The mean loss of a batch, of scores and labels."""


def minimize(  # noqa: PLR0913 - a loop has as many settings
    loss: Callable[[Tensor], Tensor],
    parameters: Iterable[Tensor],
    samples: int,
    *,
    epochs: int,
    batch: int = 64,
    lr: float = 1e-2,
    on_epoch: Callable[[list[float]], object] | None = None,
) -> list[float]:
    r"""標本の順番を混ぜ、バッチに分け、損失をAdamで小さくすることを、エポックの数だけくり返します。

    .. math::

        \theta \leftarrow \mathrm{Adam}\bigl(\theta, \nabla_\theta L_S(\theta)\bigr)

    :math:`\theta`は学習するパラメータ、:math:`S`は1つのバッチに選ばれた標本、\
    :math:`L_S`はその損失です。ページ「最初のネットワーク」のループから、測ることを除いたものです。\
    順番は、エポックの始めに、PyTorchの大域の生成器の``torch.randperm(samples)``で決めます。\
    呼ぶたびに、新しいAdamで始めます。検証や保存も要るなら、``fit``を使います。

    :param loss: 選ばれた標本の番号（形``[B]``、型``torch.int64``、0から始まる）を受け取り、\
        その損失を、形``[]``、浮動小数点数で返す関数。ネットワークもデータも、この中で使う
    :param parameters: 学習させるテンソル。``network.parameters()``など。\
        ``requires_grad``が偽のものは変えない
    :param samples: 標本の数。1以上の整数
    :param epochs: すべての標本を何回見るか。1以上の整数
    :param batch: 1つのバッチの標本の数:math:`B`。1以上の整数。既定は64。\
        割り切れなければ、最後のバッチは小さい
    :param lr: 学習率。正の数。既定は``1e-2``
    :param on\_epoch: エポックが終わるたびに、それまでの損失の平均の並びを渡して呼ぶ関数。\
        真を返すと、学習をそこで終える。進み具合は``len(losses) / epochs``
    :returns: エポックごとの、損失の平均（バッチの標本の数で重みを付ける）。\
        長さ``epochs``、途中で終えればそれまで
    :raises RunError: 損失が非数（NaN）か無限大になったとき。そのバッチでは、パラメータを変えない
    :raises TypeError: ``loss``が関数でないとき、浮動小数点数のテンソルを返さないとき、\
        ``parameters``がテンソルの並びでないとき、``samples``、``epochs``、``batch``が整数でないとき
    :raises ValueError: ``loss``の返す形が``[]``でないとき、それがどのパラメータにもよらないとき、\
        学習するパラメータがないとき、``samples``、``epochs``、``batch``が1未満のとき、\
        ``lr``が正でないとき

    >>> import torch
    >>> from snn_docs import LI, Sequential
    >>> from snn_docs.fitting import minimize
    >>> from torch.nn.functional import cross_entropy
    >>> _ = torch.manual_seed(0)
    >>> network = Sequential(torch.nn.Linear(3, 2), LI(leak=0.1))
    >>> inputs, labels = torch.randn(10, 60, 3), torch.arange(60) % 2
    >>> inputs[:, :, 0] += 2 * labels
    >>> def loss(chosen):
    ...     return cross_entropy(network(inputs[:, chosen]).mean(0), labels[chosen])
    >>> losses = minimize(loss, network.parameters(), 60, epochs=10, batch=5)
    >>> len(losses), losses[-1] < losses[0]
    (10, True)
    >>> def stop(losses):
    ...     return losses[-1] < 0.2
    >>> losses = minimize(loss, network.parameters(), 60, epochs=99, batch=5, on_epoch=stop)
    >>> len(losses) < 99, losses[-1] < 0.2
    (True, True)

    出典: :cite:t:`kingma2015adam`
    """
    if not callable(loss):
        raise TypeError(
            f"loss must be a function of the chosen samples, but a {type_name(loss)} came; give "
            "for example lambda chosen: cross_entropy(network(inputs[chosen]), labels[chosen])"
        )
    learnt = learning(parameters)
    check_integer(minimum=1, samples=samples, epochs=epochs, batch=batch)
    check_positive(lr=lr)
    optimizer = torch.optim.Adam(learnt, lr=lr)
    losses = []
    for epoch in range(1, epochs + 1):
        total = 0.0
        for chosen in torch.randperm(samples).split(batch):
            value = loss(chosen)
            total += len(chosen) * finite_loss(value, epoch)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        losses.append(total / samples)
        if on_epoch and on_epoch(losses):
            break
    return losses


def learning(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the tensors that learn; raise TypeError or ValueError if there are none."""
    rows = isinstance(parameters, Tensor) or not isinstance(parameters, Iterable)
    tensors = [] if rows else list(parameters)
    wrong = [parameters] if rows else [each for each in tensors if not isinstance(each, Tensor)]
    if wrong:
        raise TypeError(
            f"parameters must be tensors in a row, but a {type_name(wrong[0])} came; give for "
            "example network.parameters(), or [weight, bias]"
        )
    learnt = [each for each in tensors if each.requires_grad]
    if not learnt:
        raise ValueError(
            f"one of the parameters must learn, but of {len(tensors)} none requires a gradient; "
            "give those of another network, or call requires_grad_()"
        )
    return learnt


def finite_loss(value: object, epoch: int) -> float:
    """Return the loss of a batch as a number; raise for what backward can't start from."""
    tensor = check_one_number(value)
    if not tensor.requires_grad:
        raise ValueError(
            "loss must depend on the parameters, but what came has no gradient; compute it from "
            "them, outside of torch.no_grad and without detach()"
        )
    number: float = tensor.item()
    check_loss(number, epoch)
    return number


def check_one_number(value: object) -> Tensor:
    """Return the loss of a batch; raise TypeError or ValueError for what is none."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        came = value.dtype if isinstance(value, Tensor) else f"a {type_name(value)}"
        raise TypeError(
            f"loss must return a floating-point tensor, but {came} came; return for example what "
            "torch.nn.functional.cross_entropy returns, without item()"
        )
    if value.dim():
        raise ValueError(
            f"loss must return one number, a tensor of the shape [], but {list(value.shape)} came; "
            "end it with .mean()"
        )
    return value


def check_loss(number: float, epoch: int) -> None:
    """Raise RunError for a loss from which nothing can be learnt."""
    if not math.isfinite(number):
        raise RunError(
            f"the loss is {number} in epoch {epoch}: the inputs are not finite, or the gradient "
            "has exploded; look at the data, and try a smaller lr, detach_reset, or another "
            "surrogate"
        )


def fit(  # noqa: PLR0913 - a run has as many settings
    network: torch.nn.Module,
    training: Batches,
    validation: Batches,
    out: str | Path,
    *,
    epochs: int,
    lr: float = 1e-3,
    resume: bool = False,
    device: str | None = None,
    loss: Loss | None = None,
    on_epoch: Callable[[list[Record]], object] | None = None,
) -> list[Record]:
    r"""ネットワークを学習させ、検証の正解率が最も高かったエポックの重みを残します。

    .. math::

        L = -\frac{1}{B} \sum_{b=1}^{B} \log \frac{e^{y_{b,k_b}}}{\sum_k e^{y_{b,k}}}

    :math:`y_b`はネットワークの出力、:math:`k_b`は正解です。バッチごとに、\
    この交差エントロピー:math:`L`をAdamで小さくします。\
    正解率が同じエポックのあいだでは、検証の損失が小さいほうを選びます。

    フォルダ``out``には、エポックごとに3つのファイルを書きます。\
    ``best.pt``は、最もよかったエポックの重み（``state_dict``）です。\
    ``checkpoint.pt``は続けるのに要るもの、``metrics.jsonl``は記録です。\
    いつ止めても、``resume=True``なら最後に終えたエポックから続きます。\
    CPUなら、同じスレッド数で、止めなかったときとビット単位で同じ重みになります。\
    ただし、データの混ぜ方に使う乱数は、PyTorchの大域の生成器か、``training.generator``から取ります。

    ``torchrun``の下では、プロセスが互いを待ち合わせ、\
    どれも同じバッチを読んで、そのうちの自分の分だけを計算します。\
    バッチを分ける``DistributedSampler``は使えず、どのパラメータも出力に効いていなければなりません。

    学習のあいだ、層はすべて訓練中の状態（``train()``）です。

    :param network: 学習させるネットワーク。バッチの最後を除くテンソルを受け取り、\
        答えの種類ごとの数を、形``[B, classes]``、浮動小数点数で返す
    :param training: 訓練用の``DataLoader``。\
        バッチは``(入力, 正解)``か``(入力, 長さ, 正解)``のような組で、\
        どのテンソルも、標本の数:math:`B`が先頭の次元。\
        正解は、形``[B]``、型``torch.int64``で、0から始まる
    :param validation: 検証用の``DataLoader``。バッチは訓練用と同じ
    :param out: 書き込むフォルダ。なければ作る
    :param epochs: すべての訓練データを何回見るか。1以上の整数。続けるときは、前の分も含む
    :param lr: 学習率。正の数。既定は``1e-3``
    :param resume: ``out``にあるチェックポイントから続けるか
    :param device: 計算するデバイスの名前。``"cpu"``、``"cuda"``、``"mps"``など。\
        省けば、CUDAのGPUがあればそれ、なければCPU
    :param loss: 出力と正解から、バッチの損失の平均を、形``[]``で返す関数。既定は交差エントロピー
    :param on\_epoch: エポックを保存するたびに、それまでの記録の並びを渡して呼ぶ関数。\
        真を返すと、学習をそこで終える。``torchrun``の下では、最初のプロセスだけが呼ぶ
    :returns: 1エポックに1つの記録。キーは``epoch``、``train_loss``、``train_accuracy``、\
        ``validation_loss``、``validation_accuracy``、``seconds``（訓練にかかった秒数）
    :raises RunError: ``out``に学習の記録があるのに始めようとしたとき、\
        チェックポイントが読めないときや、それと``network``、``lr``、``epochs``が合わないとき、\
        ``device``が使えないとき、損失か重みが有限でなくなったとき
    :raises ImportError: tqdmがないとき
    :raises TypeError: ``network``が``torch.nn.Module``でないとき、バッチがテンソルの組でないとき、\
        正解が整数でないとき
    :raises ValueError: バッチや出力の形が違うとき、バッチに非数（NaN）か無限大があるとき、\
        バッチが1つもないとき、学習するパラメータがないとき、\
        ``DataLoader``が``DistributedSampler``を使うとき、\
        ``epochs``が1未満のとき、``lr``が正でないとき

    >>> import tempfile, torch
    >>> from snn_docs import LI, LIF, Sequential
    >>> from snn_docs.fitting import fit, measure
    >>> from snn_docs.network import mean_potential
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> class Reader(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         linear = torch.nn.Linear(3, 2)
    ...         self.layers = Sequential(linear, LI(leak=0.1))
    ...     def forward(self, inputs):  # [B, T, 3]
    ...         return mean_potential(self.layers(inputs.transpose(0, 1)))
    >>> _ = torch.manual_seed(0)
    >>> inputs, labels = torch.randn(60, 10, 3), torch.arange(60) % 2
    >>> inputs[:, :, 0] += 2 * labels[:, None]
    >>> parts = [TensorDataset(inputs[k:k + 20], labels[k:k + 20]) for k in (0, 20, 40)]
    >>> training, validation, test = (DataLoader(part, batch_size=5) for part in parts)
    >>> network = Reader()
    >>> with tempfile.TemporaryDirectory() as out:
    ...     records = fit(network, training, validation, out, epochs=10, lr=0.1)
    >>> loss, accuracy = measure(network, test)
    >>> len(records), accuracy
    (10, 1.0)

    検証の損失が3エポック続けて下がらなければ終えるのも、TensorBoardに書くのも、``on_epoch``です。

    >>> def stop(records):
    ...     losses = [record["validation_loss"] for record in records]
    ...     return min(losses) not in losses[-3:]

    出典: :cite:t:`kingma2015adam`
    """
    if not isinstance(network, torch.nn.Module):
        raise TypeError(f"network must be a torch.nn.Module, but a {type_name(network)} came")
    check_integer(minimum=1, epochs=epochs)
    check_positive(lr=lr)
    if not isinstance(resume, bool):
        raise TypeError(f"resume must be True or False, but a {type_name(resume)} came")
    check_whole(training=training, validation=validation)
    processes.join()
    folder = Path(out)
    run = Run(network, training, validation, processes.place_of(device), lr, loss)
    if resume:
        run.load(processes.agreed(lambda: saved(folder, epochs, lr)), folder)
    else:
        processes.agreed(lambda: make_new(folder))
    try:
        go_on(run, folder, epochs, on_epoch)
    except Exception:
        if not run.records and processes.rank() == 0:
            checkpoints.remove(folder)  # nothing to go on from: let it not block the next
        raise
    network.load_state_dict(run.best)
    return run.records


def check_whole(**loaders: Batches) -> None:
    """Raise ValueError for a DataLoader that shares samples out, which `scored` does."""
    for name, loader in loaders.items():
        batches = getattr(loader, "batch_sampler", None)
        samplers = [getattr(loader, "sampler", None), getattr(batches, "sampler", None)]
        if any(isinstance(each, DistributedSampler) for each in samplers):
            raise ValueError(
                f"{name} has a DistributedSampler, but each process computes its part of every "
                "batch by itself; give a DataLoader without one, with shuffle=True"
            )


def measure(
    network: torch.nn.Module, batches: Batches, *, loss: Loss | None = None
) -> tuple[float, float]:
    r"""ネットワークの損失の平均と正解率を返します。重みも、訓練中かどうかも変わりません。

    .. math::

        \text{正解率} = \frac{\text{正解した標本の数}}{\text{標本の数}}

    検証にも、最後に1度だけのテストにも使えます。\
    データやネットワークがCPUの大域の生成器から乱数を取るなら、いつ測っても同じ乱数になり、\
    生成器の状態は変わりません。``torchrun``の下では、すべてのプロセスが呼びます。

    :param network: ``fit``に渡すネットワーク。重みのあるデバイスで計算する
    :param batches: ``fit``に渡すものと同じ形の``DataLoader``
    :param loss: ``fit``に渡すものと同じ損失。既定は交差エントロピー
    :returns: 損失の平均と、正解率
    :raises TypeError: ``fit``と同じ
    :raises ValueError: ``fit``と同じ

    >>> import torch
    >>> from snn_docs.fitting import measure
    >>> scores, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    >>> loss, accuracy = measure(torch.nn.Identity(), [(scores, labels)])
    >>> accuracy
    0.5
    """
    if not isinstance(network, torch.nn.Module):
        raise TypeError(f"network must be a torch.nn.Module, but a {type_name(network)} came")
    place = next(network.parameters(), torch.empty(0)).device
    totals = torch.zeros(3, dtype=torch.float64)
    with torch.no_grad(), evaluating(network), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        for batch in batches:
            totals += torch.stack(scored(network, batch, place, loss)).cpu()
    return means(totals)


def scored(
    network: torch.nn.Module,
    batch: Sequence[Tensor],
    place: torch.device,
    loss: Loss | None,
) -> list[Tensor]:
    """Return the sum of losses, right answers and samples of this process's part of a batch."""
    parts = checked(batch)
    mine = processes.share(len(parts[-1]))
    *inputs, labels = (part[mine].to(place) for part in parts)
    scores = network(*inputs)
    check_scores(scores, labels)
    if scores.dtype.itemsize < 4:  # noqa: PLR2004 - in half precision sums and counts are rounded
        scores = scores.float()
    if loss is None:
        summed = cross_entropy(scores, labels, reduction="sum")
    else:
        summed = check_one_number(loss(scores, labels)) * len(labels)
    return [summed, (scores.argmax(-1) == labels).sum(), torch.tensor(len(labels), device=place)]


def checked(batch: object) -> list[Tensor]:
    """Return the tensors of a batch; raise TypeError or ValueError for what is none."""
    came = list(batch) if isinstance(batch, list | tuple) else []
    parts = [part for part in came if isinstance(part, Tensor)]
    if len(parts) < 2 or len(parts) != len(came):  # noqa: PLR2004 - inputs and labels
        raise TypeError(
            "a batch must be a tuple of tensors, inputs first and labels last, but a "
            f"{type_name(batch)} of {[type_name(each) for each in came]} came; give a DataLoader "
            "whose data set returns (inputs, label)"
        )
    labels, shapes = parts[-1], [list(part.shape) for part in parts]
    if labels.dtype != torch.int64:
        raise TypeError(
            f"labels must be whole numbers, torch.int64, but {labels.dtype} came; convert with "
            "labels.long()"
        )
    if labels.dim() != 1 or any(shape[:1] != shapes[-1] for shape in shapes):
        raise ValueError(
            f"a batch must have its samples first, and one label for each, but the shapes {shapes} "
            "came; put time second, and first in the network: inputs.transpose(0, 1)"
        )
    check_finite(**{f"batch[{i}]": part for i, part in enumerate(parts)})
    return parts


def check_scores(scores: object, labels: Tensor) -> None:
    """Raise TypeError or ValueError for what is no answer."""
    if not isinstance(scores, Tensor):
        raise TypeError(
            f"the network must return one tensor, but a {type_name(scores)} came; read the last "
            "layer in its forward, for example with snn_docs.network.count"
        )
    if scores.dim() != 2 or len(scores) != len(labels):  # noqa: PLR2004 - samples and classes
        raise ValueError(
            f"the network must return scores of the shape [{len(labels)}, classes], but "
            f"{list(scores.shape)} came; read the last layer in its forward, for example with "
            "snn_docs.network.count"
        )


def means(totals: Tensor) -> tuple[float, float]:
    """Return the mean loss and the accuracy over all processes' parts."""
    loss, right, samples = processes.total(totals)
    if not samples:
        raise ValueError(
            "there was no batch; give a DataLoader that is not empty, or whatever else can be gone "
            "through again and again, which a generator can't"
        )
    return loss / samples, right / samples


class Run:
    """What changes while a network is trained, and goes into a checkpoint."""

    def __init__(  # noqa: PLR0913, PLR0917 - a run has as many settings
        self,
        network: torch.nn.Module,
        training: Batches,
        validation: Batches,
        place: torch.device,
        lr: float,
        loss: Loss | None = None,
    ) -> None:
        self.loss = loss
        self.network, self.place = network.to(place), place
        self.training, self.validation = training, validation
        self.optimizer = torch.optim.Adam(learning(network.parameters()), lr=lr)
        self.records: list[Record] = []
        self.best: Checkpoint = {}  # the network's, after the best epoch

    @property
    def generators(self) -> list[torch.Generator]:
        """What the order of samples is drawn from, and all else."""
        own = getattr(self.training, "generator", None)
        return [torch.default_generator, *([] if own is None else [own])]

    def draw_alike(self) -> None:
        """Draw in all processes what the first draws: they share out the same batches."""
        drawn = processes.agreed(lambda: [each.get_state() for each in self.generators])
        for generator, state in zip(self.generators, drawn, strict=True):
            generator.set_state(state)

    def state(self) -> Checkpoint:
        """Return all that is needed to go on bit for bit."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generators": [generator.get_state() for generator in self.generators],
            "records": self.records,
            "best": self.best,
        }

    def load(self, state: Checkpoint, out: Path) -> None:
        """Go on from what `state` returned."""
        same = state["network"].keys() == self.network.state_dict().keys()
        try:  # torch lets a layer's numbers be missing
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            for generator, drawn in zip(self.generators, state["generators"], strict=True):
                generator.set_state(drawn)
        except (RuntimeError, ValueError):
            same = False
        if not same:
            raise RunError(
                f"the run in {out} has trained another network, or with another DataLoader; give "
                "the same, or another folder"
            )
        self.records, self.best = state["records"], state["best"]

    def backward(self, model: torch.nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """Leave the gradients of the mean loss of a whole batch, whoever computes which part."""
        self.optimizer.zero_grad()
        loss, right, samples = scored(model, batch, self.place, self.loss)
        # several processes average their gradients, so each one's loss counts that many times
        (loss * processes.number() / len(batch[-1])).backward()
        return torch.stack([loss.detach(), right, samples]).cpu()

    def epoch(self, model: torch.nn.Module) -> Record:
        """See all samples once, and measure what that has changed."""
        self.draw_alike()  # a random network has drawn for other samples in each process
        start = time.perf_counter()
        totals = torch.zeros(3, dtype=torch.float64)
        self.network.train()
        for batch in self.training:
            totals += self.backward(model, batch)
            self.optimizer.step()
        seconds = time.perf_counter() - start
        loss, accuracy = means(totals)
        validation_loss, validation_accuracy = measure(
            self.network, self.validation, loss=self.loss
        )
        return {
            "epoch": len(self.records) + 1,
            "train_loss": loss,
            "train_accuracy": accuracy,
            "validation_loss": validation_loss,
            "validation_accuracy": validation_accuracy,
            "seconds": seconds,
        }

    def keep(self, record: Record) -> None:
        """Add what an epoch has brought, and its weights if none were better."""
        self.records.append(record)
        if best(self.records) is record:
            self.best = copy.deepcopy(self.network.state_dict())


def best(records: Sequence[Record]) -> Record:
    """Return the record of the epoch that was best in validation."""
    return max(records, key=lambda each: (each["validation_accuracy"], -each["validation_loss"]))


def make_new(out: Path) -> None:
    """Make the folder of a run; raise RunError where one has been."""
    checkpoints.check_new(out)
    out.mkdir(parents=True, exist_ok=True)


def saved(out: Path, epochs: int, lr: float) -> Checkpoint:
    """Return what to go on from; raise RunError where that would be another run."""
    state = checkpoints.read(out)
    (group,), done = state["optimizer"]["param_groups"], len(state["records"])
    if lr != group["lr"]:
        raise RunError(
            f"lr is {lr}, but the run in {out} has {group['lr']}; give the same, or start anew in "
            "another folder"
        )
    if epochs < done:
        raise RunError(
            f"epochs is {epochs}, but the run in {out} has had {done}; give that or more"
        )
    return state


def go_on(
    run: Run, out: Path, epochs: int, on_epoch: Callable[[list[Record]], object] | None
) -> None:
    """Train until all epochs are done, or one is told to be the last."""
    save(run, out)
    model = DistributedDataParallel(run.network) if dist.is_initialized() else run.network
    with progress(len(run.records), epochs) as bar:
        while len(run.records) < epochs:
            record = run.epoch(model)
            if not all(each.isfinite().all() for each in run.network.parameters()):
                raise RunError(
                    f"a parameter is infinite or NaN after epoch {record['epoch']}: the gradient "
                    "has exploded; try detach_reset, fewer steps, or another surrogate"
                )
            for part in ("train_loss", "validation_loss"):
                check_loss(record[part], len(run.records) + 1)
            run.keep(record)
            save(run, out)
            bar.set_postfix(validation=f"{record['validation_accuracy']:.3f}", refresh=False)
            bar.update()
            if on_epoch and processes.agreed(lambda: bool(on_epoch(run.records))):
                break


def save(run: Run, out: Path) -> None:
    """Write what there is, once however many processes there are."""
    if processes.rank() == 0:
        checkpoints.save(out, run.state())


def progress(done: int, total: int) -> Any:  # noqa: ANN401
    """Return a bar that shows only on a terminal, and only for the first process."""
    with optional("training", "tqdm"):
        from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415
    return tqdm(initial=done, total=total, unit="epoch", disable=True if processes.rank() else None)
