"""What a run of training leaves in its folder: read with suspicion, written whole or not at all."""

import hashlib
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Record = dict[str, float]  # one epoch: a line of metrics.jsonl
Checkpoint = dict[str, Any]  # what a checkpoint holds

FORMAT = "snn_docs.train 3"  # to change with anything that would make an old checkpoint go on wrong
CHECKPOINT, METRICS, BEST = FILES = "checkpoint.pt", "metrics.jsonl", "best.pt"


KINDS = {"about": dict, "epochs": int, "network": dict, "optimizer": dict, "generators": list,
         "records": list, "best": dict}  # fmt: skip
RECORD = {"epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
          "seconds"}  # fmt: skip


class RunError(ValueError):
    """学習を、頼まれたとおりには進められないときの例外です。"""


def named(out: str | Path) -> Path:
    """Return the folder; raise RunError for an empty name, which would be the working folder."""
    if out == "":
        raise RunError("out names no folder; give for example run, or . for the working folder")
    return Path(out)


def check_new(out: Path) -> None:
    """Raise RunError for a folder in which a run has been."""
    for name in FILES:
        if os.path.lexists(out / name):
            raise RunError(
                f"{out} holds {name}: a run already; go on with resume, or give another folder"
            )


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep another run out of a folder for a while; raise RunError where one is in it."""
    if sys.platform == "win32":  # which locks no folder
        yield
        return
    import fcntl  # noqa: PLC0415 - not on Windows

    handle = os.open(out, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems know no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"another run is training in {out}; wait until it has ended, or give another "
                    "folder"
                ) from None
        yield
    finally:
        os.close(handle)


def damaged(path: Path) -> RunError:
    """Say that a file is none that can be gone on from."""
    return RunError(
        f"{path} is damaged, or no checkpoint of this version; start anew with another folder"
    )


def read(out: Path) -> Checkpoint:
    """Return what is in a folder's checkpoint; raise RunError for any other file."""
    path = out / CHECKPOINT
    if not path.exists():
        raise RunError(f"there is no {path} to resume; start without resume")
    if not path.is_file():  # to open a pipe would wait for whoever writes there
        raise RunError(f"{path} is not a file; start anew with another folder")
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()  # torch.load does not look at the checksums
        state = torch.load(path, map_location="cpu", weights_only=True) if not wrong else None
    except OSError:
        raise
    except Exception as error:  # torch.load may raise anything
        raise damaged(path) from error
    if not isinstance(state, dict) or str(state.get("format")) != FORMAT:
        raise damaged(path)
    if state.pop("digest", None) != digest(state) or not is_whole(state):
        raise damaged(path)
    return state


def is_whole(state: Checkpoint) -> bool:
    """Whether a checkpoint holds what a run needs to go on, and of the right kinds."""
    if not all(isinstance(state.get(name), kind) for name, kind in KINDS.items()):
        return False
    records, groups = state["records"], state["optimizer"].get("param_groups")
    return (
        all(isinstance(record, dict) and record.keys() == RECORD for record in records)
        and all(isinstance(each, int | float) for record in records for each in record.values())
        and isinstance(groups, list)
        and [isinstance(group, dict) and "lr" in group for group in groups] == [True]
    )


def save(out: Path, state: Checkpoint) -> None:
    """Write the checkpoint, and what of it others may want: the metrics and the best weights."""
    write(out / CHECKPOINT, state | {"digest": digest(state)})
    lines = [json.dumps(record) + "\n" for record in state["records"]]
    replace(out / METRICS, "".join(lines).encode())
    if state["best"]:
        write(out / BEST, state["best"])


def remove(out: Path) -> None:
    """Leave nothing of a run."""
    for name in FILES:
        (out / name).unlink(missing_ok=True)


def digest(state: Any) -> str:  # noqa: ANN401
    """Name what a checkpoint holds: one thing or one bit changed, and the name is another."""
    whole = hashlib.sha256()
    for part in parts(state):
        whole.update(part + b"\n")
    return whole.hexdigest()


def parts(value: Any) -> Iterator[bytes]:  # noqa: ANN401
    """Yield the bytes of all that is in a value, and of where it is."""
    if isinstance(value, Tensor):
        yield f"{value.dtype} {list(value.shape)}".encode()
        yield value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, dict | list | tuple):
        yield f"{'dict' if isinstance(value, dict) else type(value).__name__} {len(value)}".encode()
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            yield repr(key).encode()
            yield from parts(each)
    else:
        yield repr(value).encode()


def write(path: Path, value: object) -> None:
    """Write a file of torch's, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    replace(path, buffer.getvalue())


def replace(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it finds the old or the new content, and whole."""
    beside = path.with_name(path.name + ".part")
    beside.unlink(missing_ok=True)  # whatever it is: a pipe would wait, a link lead elsewhere
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        # a write that fails does not say where
        raise OSError(error.errno, error.strerror, str(path)) from error
