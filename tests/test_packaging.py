"""The wheel and the sdist: what they hold, and that they do with torch alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from importlib.metadata import distributions
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

import snn_docs
from snn_docs.book.provisioner import WarmProvisioner

ROOT = Path(__file__).parents[1]
KERNEL = "share/jupyter/kernels/warm-python3"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources() -> set[str]:
    """Return the package's files, as git would have them: no caches, no notes of a moment."""
    files = (path for path in (ROOT / "snn_docs").rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}


def install(folder: Path, target: Path) -> None:
    (wheel,) = folder.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps")
    run(*pip, "--no-index", "--target", target, wheel, cwd=target)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel built from it, as a release would be."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    name = f"snn_docs-{snn_docs.__version__}"
    about = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    assert set(zipfile.ZipFile(wheel).namelist()) == {
        *sources(),
        *(f"{name}.dist-info/{file}" for file in about),
        f"{name}.data/data/{KERNEL}/kernel.json",
    }


def test_the_sdist_holds_what_the_wheel_is_built_from(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    # hatchling always adds .gitignore: the wheel is built from the sdist by the same rules
    around = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert names == sources() | around


def test_metadata(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    info = f"snn_docs-{snn_docs.__version__}.dist-info"
    text = zipfile.ZipFile(wheel).read(f"{info}/METADATA").decode()
    metadata = Parser().parsestr(text)
    assert metadata["Version"] == snn_docs.__version__
    assert metadata["License-Expression"] == "MIT"
    needed = metadata.get_all("Requires-Dist", [])
    assert [re.match(r"[\w.-]+", line)[0] for line in needed if "extra ==" not in line] == ["torch"]


def test_installed_it_has_a_kernel_of_its_own_and_nothing_else_that_others_find(
    built: Path, tmp_path: Path
) -> None:
    install(built, tmp_path)
    spec = KernelSpecManager(kernel_dirs=[str(tmp_path / KERNEL / "..")])
    assert set(spec.find_kernel_specs()) >= {"warm-python3"}
    metadata = spec.get_kernel_spec("warm-python3").metadata
    (found,) = distributions(name="snn-docs", path=[str(tmp_path)])
    (entry,) = found.entry_points
    assert entry.group == "jupyter_client.kernel_provisioners"
    assert entry.name == metadata["kernel_provisioner"]["provisioner_name"]
    assert entry.load() is WarmProvisioner


def test_installed_it_imports_torch_and_no_part_of_the_book(built: Path, tmp_path: Path) -> None:
    install(built, tmp_path)
    # -S -I: neither this environment's editable install nor its folders, except where torch is
    script = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import snn_docs
print(snn_docs.__file__)
print(snn_docs.IF(threshold=1))
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    (site,) = {str(Path(module.__file__).parents[1]) for module in (sys.modules["torch"],)}
    folders = json.dumps([str(tmp_path), site])
    printed = run(sys.executable, "-S", "-I", "-c", script, folders, cwd=tmp_path)
    where, neuron, modules = printed.splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert neuron == "IF(threshold=1)"
    # what importing torch brings in by itself is torch's own business
    torch = "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); import torch; "
    torch += 'print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))'
    alone = json.loads(run(sys.executable, "-S", "-I", "-c", torch, folders, cwd=tmp_path))
    assert set(json.loads(modules)) - set(alone) - set(sys.stdlib_module_names) == {"snn_docs"}
