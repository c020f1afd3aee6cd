"""What processes that train together share: which samples are whose, who decides, who writes."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from snn_docs.checkpoints import RunError

T = TypeVar("T")


def join() -> None:
    """Meet the other processes, if torchrun has started this one."""
    if dist.is_torchelastic_launched() and not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")


def rank() -> int:
    """Return this process's number. Only number 0 writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def number() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(size: int) -> slice:
    """Return this process's part of a batch. Parts may differ by one sample."""
    return slice(size * rank() // number(), size * (rank() + 1) // number())


def total(numbers: Tensor) -> list[float]:
    """Return the sums over all processes."""
    if dist.is_initialized():
        dist.all_reduce(numbers)
    sums: list[float] = numbers.tolist()
    return sums


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
