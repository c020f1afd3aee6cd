"""Serves a built book to this machine: beside the editor, or with cells that run."""
