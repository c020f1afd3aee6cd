"""Kernels: how they start, the template they are forked from, and what they tell of a page."""
