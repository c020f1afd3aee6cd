"""What several parts ask of the nodes of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes


def around(node: nodes.Node) -> Iterator[nodes.Element]:
    """Yield what a node lies in, from the inside."""
    while node.parent is not None:
        node = node.parent
        yield node
