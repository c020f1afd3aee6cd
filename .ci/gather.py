"""Fetch the sites that are kept with the releases: gather.py FOLDER.

FOLDER gets a file v1.2.tar.gz for each release v1.2 that has an asset book.tar.gz. GitHub's gh does
the work; it needs GH_TOKEN, and outside of a clone GH_REPO.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ASSET = "book.tar.gz"


def gh(*arguments: str) -> str:
    """Run gh and return what it prints."""
    command = ["gh", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


def kept() -> list[str]:
    """Return the tags of the versions that have a site."""
    answers = json.loads(gh("api", "--paginate", "--slurp", "repos/{owner}/{repo}/releases"))
    return [
        release["tag_name"]
        for answer in answers
        for release in answer
        if re.fullmatch(r"v\d+(\.\d+)*", release["tag_name"])
        and not release["draft"]
        and any(asset["name"] == ASSET for asset in release["assets"])
    ]


def main(folder: Path) -> None:
    """Fetch them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for tag in kept():
        file = folder / f"{tag}.tar.gz"
        gh("release", "download", tag, "--pattern", ASSET, "--clobber", "--output", str(file))
        print(f"fetched the site of {tag}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
