"""A helper module that lies beside the pages which import it."""


def iterate(update, value, tolerance=1e-9):
    """Apply `update` until the value stays where it is; return it and the number of steps."""
    steps, previous = 0, float("inf")
    while abs(value - previous) >= tolerance:
        steps, previous, value = steps + 1, value, update(value)
    return value, steps
