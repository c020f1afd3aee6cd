"""The wheels and sdists of neurons and engine: what they hold, and what they do without."""

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
from typing import TYPE_CHECKING

import pytest
from jupyter_client.kernelspec import KernelSpecManager

import bookproof
import snn_docs
from bookproof.kernels.provisioner import WarmProvisioner

if TYPE_CHECKING:
    from email.message import Message

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
VERSIONS = {"snn_docs": snn_docs.__version__, "bookproof": bookproof.__version__}
HOMES = {"snn_docs": ROOT, "bookproof": ROOT / "engine"}
KERNEL = "share/jupyter/kernels/warm-python3"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources(package: str) -> set[str]:
    """Return a package's files, as git would have them: no caches, no notes of a moment."""
    home = HOMES[package]
    files = (path for path in (home / package).rglob("*") if path.is_file())
    return {path.relative_to(home).as_posix() for path in files if "__pycache__" not in path.parts}


def install(folder: Path, target: Path) -> None:
    (wheel,) = folder.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps")
    run(*pip, "--no-index", "--target", target, wheel, cwd=target)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdists, and the wheels built from them, as a release would be."""
    folders = {package: tmp_path_factory.mktemp(package) for package in HOMES}
    for package, folder in folders.items():
        build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
        run(*build, HOMES[package], cwd=folder)
    return folders


@pytest.mark.parametrize(
    ("package", "more"),
    [
        ("snn_docs", set()),
        ("bookproof", {"dist-info/entry_points.txt", f"data/data/{KERNEL}/kernel.json"}),
    ],
)
def test_a_wheel_holds_its_package_and_nothing_else(built, package, more) -> None:
    (wheel,) = built[package].glob("*.whl")
    about = {f"dist-info/{file}" for file in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
    around = {f"{package}-{VERSIONS[package]}.{file}" for file in about | more}
    assert set(zipfile.ZipFile(wheel).namelist()) == sources(package) | around


@pytest.mark.parametrize("package", HOMES)
def test_an_sdist_holds_what_the_wheel_is_built_from(built, package) -> None:
    (sdist,) = built[package].glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    # hatchling always adds .gitignore: the wheel is built from the sdist by the same rules
    around = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"}
    assert names - {".gitignore"} == sources(package) | around


def metadata(folder: Path, package: str) -> Message:
    (wheel,) = folder.glob("*.whl")
    info = f"{package}-{VERSIONS[package]}.dist-info"
    return Parser().parsestr(zipfile.ZipFile(wheel).read(f"{info}/METADATA").decode())


def needed(metadata: Message) -> set[str]:
    """Return the names of the distributions that one needs, without its extras."""
    lines = metadata.get_all("Requires-Dist", [])
    return {re.match(r"[\w.-]+", line)[0] for line in lines if "extra ==" not in line}


def test_metadata(built) -> None:
    read = {package: metadata(folder, package) for package, folder in built.items()}
    assert {package: one["Version"] for package, one in read.items()} == VERSIONS
    assert {one["License-Expression"] for one in read.values()} == {"MIT"}
    assert needed(read["snn_docs"]) == {"torch"}
    heavy = {"torch", "matplotlib", "sphinx-book-theme", "sphinxcontrib-bibtex", "mini-racer"}
    assert "sphinx" in needed(read["bookproof"])
    assert not needed(read["bookproof"]) & heavy


def test_the_installed_engine_has_a_kernel_and_nothing_else_that_others_find(
    built, tmp_path: Path
) -> None:
    install(built["bookproof"], tmp_path)
    spec = KernelSpecManager(kernel_dirs=[str(tmp_path / KERNEL / "..")])
    assert set(spec.find_kernel_specs()) >= {"warm-python3"}
    told = spec.get_kernel_spec("warm-python3").metadata
    (found,) = distributions(name="bookproof", path=[str(tmp_path)])
    (entry,) = found.entry_points
    assert entry.group == "jupyter_client.kernel_provisioners"
    assert entry.name == told["kernel_provisioner"]["provisioner_name"]
    assert entry.load() is WarmProvisioner


def test_installed_neurons_import_torch_alone(built, tmp_path: Path) -> None:
    install(built["snn_docs"], tmp_path)
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
