"""The wheel and the sdist: what they hold, and that they do with torch alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import snn_docs

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources() -> set[str]:
    """Return the package's files, as git would have them: no caches, no notes of a moment."""
    files = (path for path in (ROOT / "snn_docs").rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel built from it, as a release would be."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    info = f"snn_docs-{snn_docs.__version__}.dist-info"
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if not name.startswith(info)} == sources()
    assert {name for name in names if name.startswith(info)} == {
        f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")
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


def test_installed_it_imports_torch_and_no_part_of_the_book(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    target = tmp_path / "installed"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps")
    run(*pip, "--no-index", "--target", target, wheel, cwd=tmp_path)
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
    folders = json.dumps([str(target), site])
    printed = run(sys.executable, "-S", "-I", "-c", script, folders, cwd=tmp_path)
    where, neuron, modules = printed.splitlines()
    assert Path(where).is_relative_to(target)
    assert neuron == "IF(threshold=1)"
    # what importing torch brings in by itself is torch's own business
    torch = "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); import torch; "
    torch += 'print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))'
    alone = json.loads(run(sys.executable, "-S", "-I", "-c", torch, folders, cwd=tmp_path))
    assert set(json.loads(modules)) - set(alone) - set(sys.stdlib_module_names) == {"snn_docs"}
