"""What a page defines works on its readers' devices: `meta`, which is everywhere, stands in."""

import ast

import pytest
import torch

from bookproof.kernels.start import missing
from bookproof.page import read_page
from snn_docs import LIF

ELSEWHERE = torch.device("meta")


@pytest.fixture(scope="module")
def defined(root):
    """Return what the cells of a page define, as far as it needs no more than their imports."""

    def on(page):
        names = {}
        cells = read_page(root / "docs" / f"{page}.md").cells
        for cell in (cell for cell in cells if not missing(cell.requires)):
            lines = cell.source.splitlines()
            code = "\n".join("" if line.startswith(("%", "!")) else line for line in lines)
            for node in ast.parse(code).body:
                if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
                    try:
                        exec(ast.unparse(node), names)
                    except (NameError, ModuleNotFoundError):  # a default computed; an absent peer
                        continue
        return names

    return on


def there(*shape):
    return torch.rand(*shape, device=ELSEWHERE)


def lengths():
    return torch.full((2,), 5, device=ELSEWHERE)


CALLS = [
    ("first_network",
     lambda page: page["SpikingNetwork"](4, 3, 2, LIF(leak=0.1)).to(ELSEWHERE)(there(5, 2, 4))),
    ("experiments/online",
     lambda page: page["Online"](torch.nn.Linear(4, 3), 0.8, 0.8).to(ELSEWHERE)(there(2, 4))[0]),
    ("experiments/online",
     lambda page: page["Loop"](0.8).to(ELSEWHERE)(there(2, 20), (0.0, 0.0, there(2, 64)))[0]),
    ("spike_times", lambda page: page["Timed"]().to(ELSEWHERE)(there(2, 4))[1]),
    ("timing", lambda page: page["Spiking"](LIF(leak=0.1)).to(ELSEWHERE)(there(5, 2, 24))),
    ("experiments/parallel_neurons", lambda page: page["blockwise"](there(128, 2, 4), 0.9)),
    ("experiments/parallel_neurons",
     lambda page: page["Memory"](page["Parallel"](5, 0.8)).to(ELSEWHERE)(there(5, 2, 20))),
    ("chip_rules", lambda page: page["whole"](there(4, 3), 8)[0]),
    ("experiments/few_steps", lambda page: page["Stairs"](4).to(ELSEWHERE)(there(5, 3))),
    ("neurobench", lambda page: page["Reader"]().to(ELSEWHERE)(there(5, 64))),
    ("experiments/images", lambda page: page["Hand"]().to(ELSEWHERE)(there(2, 1, 28, 28))),
    ("events", lambda page: page["Eye"](page["lif"](0.1)).to(ELSEWHERE)(there(5, 2, 2, 20, 20))),
    ("events", lambda page: page["two_maps"](there(5, 2, 20, 20))),
    ("experiments/events", lambda page: page["surface"](there(5, 2, 20, 20))),
    ("deep",
     lambda page: page["forward"](page["build"]().to(ELSEWHERE), there(2, 64), LIF(leak=0.1))[0]),
    ("experiments/encoding", lambda page: page["delete"](there(4, 2), torch.Generator())),
    ("experiments/encoding", lambda page: page["insert"](there(4, 2), torch.Generator())),
    ("encoding", lambda page: page["decode_copies"](there(4, 3, 2, 5))),
    ("stdp", lambda page: page["learn"](there(4, 6))[1]),
    *[
        ("speech", lambda page, read=read: (
            page["Listener"](page[read]).to(ELSEWHERE)(there(5, 2, 12), lengths())
        ))
        for read in ("final", "end", "mean")
    ],
]  # fmt: skip


@pytest.mark.parametrize(("page", "call"), CALLS, ids=[page for page, _ in CALLS])
def test_what_a_page_defines(defined, page, call):
    assert call(defined(page)).device == ELSEWHERE
