from __future__ import annotations

import os
import shutil
import sysconfig
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch_checks import DEVICES

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure() -> None:
    """Share the processors: threads of several workers would wait for each other."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


@pytest.fixture(scope="class", params=DEVICES)
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each device of this machine: there lie the tensors that a test makes."""
    if request.param == "cpu":
        yield "cpu"
        return
    torch.set_default_device(request.param)
    yield request.param
    torch.set_default_device(None)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Iterator[None]:
    """Leave out what only Apple's GPU can't do."""
    try:
        return (yield)
    except TypeError as error:
        if "MPS framework doesn't support float64" in str(error):
            pytest.skip("MPS has no float64")
        raise


def why_no_inductor() -> str:
    """Say what torch.compile's default backend misses here, if anything."""
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        return "torch.compile's inductor needs a C++ compiler: g++, clang++ or c++"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "torch.compile's inductor needs Python.h, for example from Debian's python3-dev"
    if " " in torch.__file__:
        return f"torch.compile's inductor can't link where torch lies: {torch.__file__} has a space"
    return ""


@pytest.fixture(params=["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def backend(request, tmp_path_factory, monkeypatch):
    """A backend of torch.compile, with its caches emptied before and after."""
    if request.param == "inductor" and (reason := why_no_inductor()):
        pytest.skip(reason)
    # One folder for all tests: inductor compiles torch's headers once, which takes the longest.
    folder = tmp_path_factory.getbasetemp() / "inductor"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
    torch.compiler.reset()
    yield request.param
    torch.compiler.reset()


@pytest.fixture
def fullgraph(backend):
    options = {"compile_threads": 1} if backend == "inductor" else None
    return partial(torch.compile, fullgraph=True, backend=backend, options=options)
