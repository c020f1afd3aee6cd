"""What a killed run leaves in the folder for temporary files is removed by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bookproof.kernels import private

MAKES = """
import sys, tempfile, time
from bookproof.kernels import private
tempfile.tempdir, private.LONGEST = sys.argv[1], 999
print(private.make(), flush=True)
time.sleep(1000)
"""


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A run in another process, and its folder, which looks old."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(private, "LONGEST", 999)
    command = [sys.executable, "-c", MAKES, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        folder = tmp_path / process.stdout.readline().rstrip().rpartition("/")[2]
        then = time.time() - 1000
        os.utime(folder / private.LOCK, (then, then))
        yield process, folder
        process.kill()


def test_the_folder_of_a_run_that_was_killed_is_removed_by_the_next(other, tmp_path):
    process, folder = other
    with private.private_folder():
        assert folder.exists()  # its run goes on
    process.kill()
    process.wait()
    with private.private_folder() as own:
        assert [own] == list(tmp_path.iterdir())
    assert not own.exists()


def test_a_young_folder_and_one_of_another_program_stay(other, tmp_path):
    process, folder = other
    (tmp_path / "book-of-mine").mkdir()
    process.kill()
    process.wait()
    os.utime(folder / private.LOCK)
    with private.private_folder():
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"book-of-mine", folder.name}
