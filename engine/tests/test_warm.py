"""Templates as their users see them: one for all that begin alike, until it ends."""

from __future__ import annotations

import os
import signal
import socket

import pytest
from book_project import cell
from book_runs import run, template, write

from bookproof.kernels import warm
from bookproof.kernels.warm import FORKS, ForkedKernel

pytestmark = pytest.mark.usefixtures("settled")
linux = pytest.mark.skipif(not FORKS, reason="warm kernels need Linux")


@linux
def test_a_template_is_kept_for_the_kernels_that_begin_alike(monkeypatch):
    one = warm.template((), os.environ)
    monkeypatch.setenv("JPY_SESSION_NAME", "another notebook")
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another test")
    assert warm.template((), os.environ) is one
    assert warm.template(("json",), os.environ) is not one
    monkeypatch.setenv("BOOK_TEST", "another environment")
    assert warm.template((), os.environ) is not one


@linux
def test_the_template_that_was_warmed_up_is_the_one_that_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "TEMPLATES", {})
    warm.warm_up(())
    [[warmed]] = [warm.TEMPLATES.values()]
    monkeypatch.setenv("DOCUTILSCONFIG", "docutils.conf")  # as Sphinx does in a build
    [done] = run(write(tmp_path, cell("import os\nprint(os.getppid())", warmed.process.pid)))
    assert done.ok
    assert list(warm.TEMPLATES.values()) == [warmed]


@linux
def test_a_template_is_not_closed_by_a_fork_of_its_owner():
    one = template()
    warm.end_template(one.process, one.folder, os.getpid() + 1)
    assert one.is_there()
    assert one.process.poll() is None


# What comes back from a template


def test_a_status_that_came_with_the_first_answer_counts():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert ForkedKernel(1, ours, b'{"status": 1}\n').poll() == 1


def test_a_signal_to_a_kernel_that_is_about_to_end_is_no_error():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003
    with ours, theirs:
        kernel = ForkedKernel(2**22 + 1, ours, b"")  # no process has such a number
        kernel.send_signal(signal.SIGTERM)
        assert kernel.poll() is None
