"""What torch and numpy print is compared as numbers, with its shape and dtype exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compare import LAW, near

torch = pytest.importorskip("torch")

shapes = st.sampled_from([(), (1,), (3,), (20,), (2, 3), (3, 9), (2, 2, 2), (1, 1001)])


def same_floats(shape, seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.rand(shape, generator=generator, dtype=dtype) - 2


@LAW
@given(shapes, st.integers(0, 99))
def test_a_printed_array_may_be_off_by_the_tolerance_and_no_more(shape, seed):
    for dtype in (torch.float64, torch.complex128):
        want = same_floats(shape, seed, dtype).numpy()
        far = want.copy()
        far.flat[0] += 1
        for show in (str, repr):
            assert near(show(want), show(np.asarray(want + 0.01)), atol=0.02)
            assert not near(show(want), show(far), atol=0.9)


@pytest.mark.parametrize(
    "other",
    [
        torch.zeros(6),
        torch.zeros(3, 2),
        torch.zeros(1, 2, 3),
        torch.zeros(2, 3, dtype=torch.float64),
        torch.zeros(2, 3, dtype=torch.int64),
        torch.zeros(2, 3, dtype=torch.bool),
        torch.zeros(2, 3, requires_grad=True),
        torch.zeros(2, 3).tolist(),
        torch.zeros(2, 3).numpy(),
    ],
    ids=str,
)
def test_shape_and_dtype_are_exact(other):
    assert near(torch.zeros(2, 3), torch.full((2, 3), -0.125), atol=1)
    assert not near(torch.zeros(2, 3), other, atol=1, rtol=1)
