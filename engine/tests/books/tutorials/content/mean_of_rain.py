def mean(values):
    """Return the mean of some values."""
    return float(sum(values) / len(values))
