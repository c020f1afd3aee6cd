"""What a run of training leaves in its folder: read with suspicion, written whole or not at all."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import torch

Record = dict[str, float]  # one epoch: a line of metrics.jsonl
Checkpoint = dict[str, Any]  # what a checkpoint holds

FORMAT = "snn_docs.fitting 1"  # to change with what would make an old checkpoint go on wrong
CHECKPOINT, METRICS, BEST = FILES = "checkpoint.pt", "metrics.jsonl", "best.pt"


class RunError(ValueError):
    """学習を、頼まれたとおりには進められないときの例外です。"""


def check_new(out: Path) -> None:
    """Raise RunError for a folder in which a run has been."""
    for name in FILES:
        if (out / name).exists():
            raise RunError(
                f"{out} holds {name}: a run already; go on with resume, or give another folder"
            )


def read(out: Path) -> Checkpoint:
    """Return what is in a folder's checkpoint; raise RunError where none can be gone on from."""
    path = out / CHECKPOINT
    if not path.exists():
        raise RunError(f"there is no {path} to resume; start without resume")
    content = io.BytesIO(path.read_bytes())
    try:
        wrong = zipfile.ZipFile(content).testzip()  # torch.load does not look at the checksums
        content.seek(0)
        state = torch.load(content, map_location="cpu", weights_only=True) if not wrong else None
    except Exception:  # noqa: BLE001 - torch.load may raise anything
        state = None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise RunError(
            f"{path} is damaged, or no checkpoint of this version; start anew with another folder"
        )
    return state


def save(out: Path, state: Checkpoint) -> None:
    """Write the checkpoint, and what of it others may want: the metrics and the best weights."""
    write(out / CHECKPOINT, state | {"format": FORMAT})
    lines = [json.dumps(record) + "\n" for record in state["records"]]
    replace(out / METRICS, "".join(lines).encode())
    if state["best"]:
        write(out / BEST, state["best"])


def remove(out: Path) -> None:
    """Leave nothing of a run."""
    for name in FILES:
        (out / name).unlink(missing_ok=True)


def write(path: Path, value: object) -> None:
    """Write a file of torch's, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    replace(path, buffer.getvalue())


def replace(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it finds the old or the new content, and whole."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # another run's has another name
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
