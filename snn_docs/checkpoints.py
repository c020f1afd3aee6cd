"""What a run of training leaves in its folder: read with suspicion, written whole or not at all."""

import os
import zipfile
from pathlib import Path
from typing import Any

import torch

Record = dict[str, float]  # one epoch: a line of metrics.jsonl
State = dict[str, Any]  # what a checkpoint holds

FORMAT = "snn_docs.train 2"  # to change with anything that would make an old checkpoint go on wrong
KEYS = {"epoch", "train_loss", "train_accuracy", "test_accuracy", "seconds"}  # of a record


class RunError(ValueError):
    """学習を、頼まれたとおりには進められないときの例外です。"""


def damaged(path: Path) -> RunError:
    """Say that a file is none that can be gone on from."""
    return RunError(
        f"{path} is damaged, or no checkpoint of this version; start anew with another --out"
    )


def read(path: Path) -> State:
    """Return what is in a checkpoint; raise RunError for any other file."""
    if not path.exists():
        raise RunError(f"there is no {path} to resume; start without --resume")
    if not path.is_file():  # to open a pipe would wait for whoever writes there
        raise RunError(f"{path} is not a file; start anew with another --out")
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
    return state


def check_records(records: list[Record]) -> list[Record]:
    """Return the records of the first epochs; raise for anything else."""
    for epoch, record in enumerate(records, start=1):
        if record.keys() != KEYS or record["epoch"] != epoch:
            raise ValueError(f"record {epoch} is {record}")
        if any(type(number) not in {int, float} for number in record.values()):
            raise ValueError(f"record {epoch} holds what is no number")
    return list(records)


def check_adam(optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Raise unless an Adam is as so many steps leave it: torch takes any shape and any number."""
    (group,) = optimizer.param_groups
    remembered = dict(optimizer.state) if steps else dict.fromkeys(group["params"])
    if {*remembered} != {*group["params"]}:
        raise ValueError("there is not one state for each parameter")
    for parameter, state in optimizer.state.items():
        shapes = {name: value.shape for name, value in state.items()}
        moments = dict.fromkeys(("exp_avg", "exp_avg_sq"), parameter.shape)
        if shapes != {"step": torch.Size()} | moments or state["step"] != steps:
            raise ValueError(f"the state of a parameter has the shapes {shapes}")


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
