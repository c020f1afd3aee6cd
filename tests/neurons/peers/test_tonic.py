"""The bins of the page on events are tonic's `ToFrame`."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tonic.transforms import ToFrame
from torch_checks import reproducible

PAGE = Path(__file__).parents[3] / "docs" / "events.md"
HEIGHT, WIDTH = 12, 20  # pixels of the sensor
EVENT = np.dtype([("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.int8)])

columns, rows = st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1)


@pytest.fixture(scope="module")
def binned():
    """The function that the page shows."""
    text = PAGE.read_text(encoding="utf-8")
    (source,) = re.findall(r"^def binned\(.*?\n(?=\n)", text, re.DOTALL | re.MULTILINE)
    names = {"torch": torch}
    exec(source, names)
    return names["binned"]


def frames_of(events, bins, width):
    """Their channel 0 counts what has got darker, p = 0."""
    told = np.array([(t, x, y, p > 0) for t, x, y, p in events], EVENT)
    sensor = (WIDTH, HEIGHT, 2)
    to_frame = ToFrame(sensor, time_window=width, start_time=0, end_time=bins * width)
    return torch.from_numpy(to_frame(told)).flip(1).float()


@reproducible
@given(st.data(), st.integers(1, 6), st.integers(1, 5))
def test_bins_of_a_list_of_events(binned, data, bins, width):
    times = st.integers(0, bins * width - 1)
    event = st.tuples(times, columns, rows, st.sampled_from([1, -1]))
    events = sorted(data.draw(st.lists(event, min_size=1, max_size=40)))
    t, x, y, p = torch.tensor(events).T
    frames = binned(t, x, y, p, bins, width, (HEIGHT, WIDTH))
    assert torch.equal(frames, frames_of(events, bins, width))


def test_events_of_one_pixel_in_one_bin_are_added(binned):
    events = [(0, 3, 7, 1), (1, 3, 7, 1), (1, 3, 7, -1), (2, 3, 7, 1)]
    frames = frames_of(events, bins=2, width=2)
    assert [frames[0, 0, 7, 3], frames[0, 1, 7, 3], frames[1, 0, 7, 3]] == [2, 1, 1]
    assert torch.equal(binned(*torch.tensor(events).T, 2, 2, (HEIGHT, WIDTH)), frames)
