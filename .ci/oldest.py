"""Print pip constraints: every direct dependency at the oldest version that all of us allow."""

import re
import tomllib
from pathlib import Path


def numbers(version: str) -> list[int]:
    """Return a version such that versions compare."""
    return [int(part) for part in version.split(".")]


found: dict[str, str] = {}
for name in ("pyproject.toml", "engine/pyproject.toml"):
    project = tomllib.loads(Path(name).read_text(encoding="utf-8"))["project"]
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        # but the project's own extras, which name no version
        matches = (re.match(r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)", line) for line in group)
        for package, version in (match.groups() for match in matches if match):
            found[package] = max(found.get(package, "0"), version, key=numbers)
print("\n".join(f"{package}=={version}" for package, version in sorted(found.items())))
