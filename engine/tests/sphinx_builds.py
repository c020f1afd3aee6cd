"""Sphinx in this process, as a process of its own would build."""

from __future__ import annotations

import contextlib
import copy
import io
import sys
import tempfile
import warnings
from functools import partial
from unittest.mock import patch

from jinja2 import FileSystemBytecodeCache
from jinja2.sandbox import SandboxedEnvironment
from sphinx import jinja2glue, locale
from sphinx.cmd.build import build_main
from sphinx.config import Config

# The templates of themes, compiled once: Sphinx compiles them anew for each build.
COMPILED = tempfile.TemporaryDirectory()
TEMPLATES = partial(SandboxedEnvironment, bytecode_cache=FileSystemBytecodeCache(COMPILED.name))


def sphinx_build(*arguments: str) -> tuple[int, str, str]:
    """Do what `python -m sphinx` does; return the exit status and what it wrote."""
    said, messages, path = io.StringIO(), io.StringIO(), sys.path.copy()
    locale.translators.clear()
    defaults = copy.deepcopy(Config.config_values)  # lists, to which themes append
    with (
        patch.object(Config, "config_values", defaults),
        patch.object(jinja2glue, "SandboxedEnvironment", TEMPLATES),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(messages),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # as a process of its own would
        try:
            status = build_main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
    sys.path[:] = path
    return status, said.getvalue(), messages.getvalue()
