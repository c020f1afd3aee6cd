"""Write constraints.txt: the newest version of all that the environments of the book can hold."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HEAD = """\
# The versions of record: what make installs, so that the book of today is the book of next year.
# Written by `make renew`, which takes the newest that pyproject.toml allows.
"""
# As in the Makefile; of what two of them hold, the first one's version counts.
EXTRAS = ("book,test,check", "book,test,peers", "book,test,sinabs")


def resolve(extras: str, pins: dict[str, str]) -> dict[str, str]:
    """Return what pip would install for these extras, beside what it is held to."""
    with TemporaryDirectory() as folder:
        held = Path(folder, "held.txt")
        held.write_text("".join(f"{name}=={pins[name]}\n" for name in pins), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        command += ["--dry-run", "--ignore-installed", "--quiet", "--report=-"]
        command += [f"--constraint={held}", "-e", "./engine[test]", "-e", f".[{extras}]"]
        report = subprocess.run(  # noqa: S603
            command, stdout=subprocess.PIPE, check=True
        ).stdout
    found = {}
    for package in json.loads(report)["install"]:
        if "dir_info" not in package["download_info"]:  # not this project itself
            # a build of torch for some processor is the same version
            version = package["metadata"]["version"].partition("+")[0]
            found[package["metadata"]["name"]] = version
    return found


if sys.version_info[:2] != (3, 11):
    sys.exit("make renew needs the oldest Python that we allow: make renew PYTHON=python3.11")
pins: dict[str, str] = {}
for extras in EXTRAS:
    # Sinabs pins a nir that is too old for the others
    free = "nir" if "sinabs" in extras else " "
    held = {name: version for name, version in pins.items() if not name.startswith(free)}
    pins = resolve(extras, held) | pins
lines = [f"{name}=={pins[name]}\n" for name in sorted(pins, key=str.lower)]
Path("constraints.txt").write_text(HEAD + "".join(lines), encoding="utf-8", newline="\n")
