"""Put versions of the site side by side: publish.py NEWEST VERSIONS SITE.

NEWEST is the folder of the newest site, which becomes /. VERSIONS is a folder with a file
v1.2.tar.gz for each version that is kept, which becomes /v1.2/. The folder SITE is made anew, and
appears only when it is whole; what has gone from VERSIONS is gone from it.

The pages get links to each other's versions where they have the comment <!-- book:versions -->, and
those of old versions a notice at <!-- book:notice -->. Links are relative, so the site may lie
anywhere. A version's pages name the newest one as canonical, in full if BOOK_URL is the address of
the site.
"""

import html
import json
import os
import re
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

MENU, NOTICE = "<!-- book:versions -->", "<!-- book:notice -->"
CANONICAL = re.compile(r'<link rel="canonical"[^>]*>\n?')
NAME = re.compile(r"v(\d+(?:\.\d+)*)\.tar\.gz")
NEWEST = "最新"


@dataclass(frozen=True)
class Version:
    """A site, and where it lies in the whole."""

    label: str
    folder: str
    pages: frozenset[str]

    def page(self, name: str) -> str:
        """Return where the page is, or else the version's first one, from the top of the whole."""
        return self.folder + (name if name in self.pages else "index.html")


def find_versions(folder: Path) -> list[tuple[str, Path]]:
    """Return the names and the files of the versions that are kept, the highest first."""
    numbers = {}
    for path in folder.iterdir():
        match = NAME.fullmatch(path.name)
        if not match:
            sys.exit(f"{path} is no version: the files in {folder} are named like v1.2.tar.gz")
        numbers[tuple(map(int, match[1].split("."))), match[1]] = path
    return [(f"v{number}", path) for (_, number), path in sorted(numbers.items(), reverse=True)]


def unpack(file: Path, folder: Path) -> None:
    """Unpack a version's site."""
    if folder.exists():
        sys.exit(f"the newest site has a page or folder {folder.name}, where {file} is to go")
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")  # which lets nothing lie outside the folder
    if not (folder / "index.html").is_file():
        sys.exit(f"{file} has no index.html at its top; pack it with: tar -C _build/html -czf … .")


def pages(folder: Path, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the names of a site's pages, but of those in some of its folders."""
    names = (path.relative_to(folder) for path in folder.rglob("*.html"))
    return frozenset(name.as_posix() for name in names if name.parts[0] not in without)


def link(here: str, there: str, text: str, attributes: str = "") -> str:
    """Return a link from one page to another, both named from the top of the whole."""
    up = "../" * (len(PurePosixPath(here).parts) - 1)
    return f'<a href="{html.escape(quote(up + there))}"{attributes}>{html.escape(text)}</a>'


def menu(version: Version, name: str, versions: list[Version]) -> str:
    """Return the links from a page to all versions of it."""
    here = version.folder + name
    current = ' aria-current="true"'
    items = [
        f"<li>{link(here, v.page(name), v.label, current if v == version else '')}</li>"
        for v in versions
    ]
    return (
        '<nav class="book-versions" aria-label="版"><details>'
        f"<summary>版: {version.label}</summary><ul>{''.join(items)}</ul></details></nav>"
    )


def notice(version: Version, name: str, newest: Version) -> str:
    """Return what an old page says of itself."""
    here, there = version.folder + name, newest.page(name)
    if name in newest.pages:
        where = f"{link(here, there, '最新の版のこのページ')}をご覧ください。"
    else:
        where = (
            f"このページは、最新の版にはありません。{link(here, there, '最新の版')}をご覧ください。"
        )
    return (
        '<div class="admonition warning book-old"><p class="admonition-title">これは古い版です</p>'
        f"<p>{version.label}の内容です。{where}</p></div>"
    )


def canonical(version: Version, name: str, newest: Version, address: str) -> str:
    """Return which page search engines should show: the newest one, if there is one."""
    here = version.folder + name
    there = name if name in newest.pages else here
    up = address or "../" * (len(PurePosixPath(here).parts) - 1)
    return f'<link rel="canonical" href="{html.escape(up + quote(there))}">\n'


def rewrite(site: Path, version: Version, versions: list[Version], address: str) -> None:
    """Tell a version's pages of the others."""
    newest, *tagged = versions
    for name in sorted(version.pages):
        path = site / version.folder / name
        text = path.read_text(encoding="utf-8")
        text = text.replace(MENU, menu(version, name, versions), 1)
        if version in tagged:
            text = CANONICAL.sub("", text)
            found = canonical(version, name, newest, address)
            text = text.replace("</head>", f"{found}</head>", 1)
        if version in tagged[1:]:
            text = text.replace(NOTICE, notice(version, name, newest), 1)
        path.write_text(text, encoding="utf-8", newline="")


def replace(old: Path, new: Path) -> None:
    """Put a folder in the place of another."""
    away = old.with_name(f"{old.name}.old")
    shutil.rmtree(away, ignore_errors=True)
    if old.exists():
        old.rename(away)
    new.rename(old)
    shutil.rmtree(away, ignore_errors=True)


def main(newest: Path, kept: Path, site: Path, address: str) -> None:
    """Make the whole beside the old one, then put it in its place."""
    if address and not re.fullmatch(r"https?://\S+/", address):
        sys.exit(f"BOOK_URL is {address!r}, but must be like https://example.org/book/")
    made = site.with_name(f"{site.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(newest, made)
    found = find_versions(kept)
    for name, file in found:
        unpack(file, made / name)
    folders = frozenset(name for name, _ in found)
    versions = [Version(NEWEST, "", pages(made, folders))]
    versions += [Version(name, f"{name}/", pages(made / name)) for name, _ in found]
    for version in versions if found else ():  # one alone needs no menu
        rewrite(made, version, versions, address)
    listed = [{"version": v.label, "folder": v.folder or "./"} for v in versions]
    text = json.dumps(listed, ensure_ascii=False, indent=2) + "\n"
    (made / "versions.json").write_text(text, encoding="utf-8", newline="")
    replace(site, made)
    print(f"{site}: {', '.join(version.label for version in versions)}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]), os.environ.get("BOOK_URL", ""))
