"""What a process may use of the machine, wherever its limits are written."""

from __future__ import annotations

import os

import psutil
import pytest

from bookproof import machine

GB = 10**9


@pytest.fixture
def limits(tmp_path, monkeypatch):
    """Put this process into groups, and write what they may use."""
    monkeypatch.setattr(machine, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    there = type("Memory", (), {"available": 20 * GB})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: there)

    def write(groups, files):
        (tmp_path / "cgroup").write_text(groups)
        for name, text in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")

    return write


def test_without_groups_the_machine_is_the_limit(limits):
    assert (machine.processors(), machine.memory()) == (3, 20 * GB)
    limits("0::/\n", {})
    assert (machine.processors(), machine.memory()) == (3, 20 * GB)


@pytest.mark.parametrize(
    ("groups", "files", "processors"),
    [
        ("0::/\n", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000"}, 3),
        ("0::/\n", {"cpu.max": "900000 100000"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "50000 100000", "a/b/cpu.max": "max 100000"}, 0.5),
        ("0::/gone/from/here\n", {"cpu.max": "200000 100000"}, 2),
    ],
)
def test_processors(limits, groups, files, processors):
    limits(groups, files)
    assert machine.processors() == processors


@pytest.mark.parametrize(
    ("groups", "files", "memory"),
    [
        ("0::/\n", {"memory.max": 4 * GB, "memory.current": GB}, 3 * GB),
        ("0::/\n", {"memory.max": "max", "memory.current": GB}, 20 * GB),
        ("0::/\n", {"memory.max": GB, "memory.current": 2 * GB}, 0),
        (
            "0::/a\n",
            {
                "a/memory.max": 4 * GB,
                "a/memory.current": 3 * GB,
                "a/memory.stat": f"anon {GB}\ninactive_file {GB}\nactive_file {GB}",
            },
            2 * GB,
        ),
    ],
)
def test_memory(limits, groups, files, memory):
    limits(groups, files)
    assert machine.memory() == memory


@pytest.mark.parametrize(
    ("processors", "memory", "most"),
    [(2, 99e9, 8), (64, 3.4e9, 6), (2, 1e8, 1), (0.1, 99e9, 1)],
)
def test_processors_and_memory_say_how_many_pages_run_at_once(
    monkeypatch, processors, memory, most
):
    monkeypatch.setattr(machine, "processors", lambda: processors)
    monkeypatch.setattr(machine, "memory", lambda: memory)
    assert machine.most_at_once() == most
