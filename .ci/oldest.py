"""Print pip constraints: every direct dependency at the oldest version that is allowed."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for group in (project["dependencies"], *project["optional-dependencies"].values()):
    for requirement in group:
        if match := re.match(
            r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)", requirement
        ):  # not the project's own extras
            print("{}=={}".format(*match.groups()))
