"""What the interactive figures compute, without a browser."""

from __future__ import annotations

import json

from book import interactive
from py_mini_racer import MiniRacer

WORK = """
settings.map((setting) => {
  const first = figure.controls.map(({ name, value }) => [name, value]);
  const result = figure.compute({ ...Object.fromEntries(first), ...setting });
  return { table: figure.table(result).rows, summary: figure.summary(result) };
})
"""


def worked(name: str, settings: list[dict]) -> list[dict]:
    """Return a figure's table and its sentence for each setting of some of its controls."""
    racer = MiniRacer()
    racer.eval(interactive.definitions(name))
    return json.loads(
        racer.eval(f"const settings = {json.dumps(settings)}; JSON.stringify({WORK})")
    )


def tables(name: str, settings: list[dict]) -> list[list[list[str]]]:
    """Return a figure's table for each setting."""
    return [each["table"] for each in worked(name, settings)]
