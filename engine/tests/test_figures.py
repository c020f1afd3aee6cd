"""A figure's text holds on every computer, and changes with what the figure shows."""

from __future__ import annotations

import pickle
import random
import runpy
from datetime import date
from pathlib import Path

import pytest
from book_project import CONF, cell, needs, page

from bookproof.__main__ import main

pytestmark = needs("matplotlib")
READER = Path(__file__).parents[1] / "examples" / "figures.py"
SEEDS = 200


@pytest.fixture(scope="module")
def described():
    return runpy.run_path(str(READER))["described"]


def figure():
    """Draw one of each kind."""
    np = pytest.importorskip("numpy")
    made = pytest.importorskip("matplotlib.figure").Figure()
    axes = made.subplots(2, 2).flat
    x = np.linspace(0, 6, 100)
    axes[0].plot(x, np.sin(x), label="sine")
    axes[0].set(xlabel="time", ylabel="potential", title="curve")
    axes[0].legend()
    axes[1].scatter(x, np.cos(x))
    axes[2].imshow(np.outer(x[:20], x[:20]))
    axes[3].bar(["a", "b", "c"], [1, 2, 3])
    axes[3].text(0, 1, "here")
    return made, np


def change(made, np, chance):
    """Change one thing that a reader would see."""
    curve, points, picture, bars = made.axes
    line, dots, image = curve.lines[0], points.collections[0], picture.images[0]
    place = chance.randrange(100)

    def move():
        y = line.get_ydata().copy()
        y[place] += chance.choice([-0.2, 0.2])
        line.set_ydata(y)

    def move_dot():
        offsets = dots.get_offsets().copy()
        offsets[place, chance.randrange(2)] += 0.3
        dots.set_offsets(offsets)

    def change_pixel():
        pixels = image.get_array().copy()
        pixels[place % 20, place // 20] += 10
        image.set_data(pixels)

    return chance.choice([
        move, move_dot, change_pixel,
        lambda: line.set_ydata(line.get_ydata()[::-1]),
        lambda: line.set_color("C3"),
        lambda: line.set_linewidth(line.get_linewidth() + 1),
        lambda: line.set_linestyle("--"),
        lambda: dots.set_facecolor("red"),
        lambda: image.set_cmap("gray"),
        lambda: image.set_clim(0, chance.uniform(1, 30)),
        lambda: curve.set_xlabel("t"),
        lambda: curve.set_title("other"),
        lambda: curve.set_ylim(-1, 2),
        lambda: bars.set_yscale("log"),
        lambda: bars.patches[place % 3].set_height(chance.uniform(4, 5)),
        lambda: bars.texts[0].set_text("there"),
        lambda: curve.get_legend().get_texts()[0].set_text("cosine"),
        line.remove,
        lambda: points.plot([0, 1], [0, 1]),
        lambda: dots.set_offsets(dots.get_offsets()[1:]),
    ])()  # fmt: skip


@pytest.mark.slow
def test_nearly_every_change_of_what_is_seen_is_noticed(described):
    made, np = figure()
    before, kept, missed = described(made), pickle.dumps(made), []
    assert described(pickle.loads(kept)) == before
    for seed in range(SEEDS):
        made = pickle.loads(kept)  # which takes half the time of drawing it again
        change(made, np, random.Random(seed))
        missed += [seed] if described(made) == before else []
    assert len(missed) <= SEEDS // 20, missed


def test_fonts_sizes_and_last_digits_change_nothing(described):
    before = described(figure()[0])
    with pytest.importorskip("matplotlib").rc_context(
        {"font.family": "serif", "font.size": 17, "figure.dpi": 50}
    ):
        assert described(figure()[0]) == before
    made, np = figure()
    curve = made.axes[0].lines[0]
    noise = np.random.default_rng(0).uniform(-1, 1, 100)
    curve.set_ydata(curve.get_ydata() * (1 + 1e-9 * noise))
    assert described(made) == before


def drawing(draw, **axes):
    made = pytest.importorskip("matplotlib.figure").Figure()
    draw(made.subplots(subplot_kw=axes))
    return made


@pytest.mark.parametrize("numbers", [[0.0] * 9, [1 / 3] * 9, range(9), [12345.0, 0.0005, -2.5]])
def test_noise_changes_nothing_whatever_the_numbers(described, numbers):
    np = pytest.importorskip("numpy")
    draws = np.random.default_rng(0).uniform(-1, 1, (50, len(numbers)))
    noisy = [np.array(numbers) * (1 + 1e-13 * noise) + 1e-17 * noise for noise in draws]
    told = {described(drawing(lambda a, y=y: (a.plot(y), a.bar(range(len(y)), y)))) for y in noisy}
    assert len(told) == 1


DAYS = [date(2024, 1, day) for day in (1, 2, 3)]
GRID = [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("one", "other", "axes"),
    [
        (lambda a: a.plot(["a", "b"], [1, 2]), lambda a: a.plot(["a", "c"], [1, 2]), {}),
        (lambda a: a.plot(DAYS, DAYS), lambda a: a.plot(DAYS, DAYS[::-1]), {}),
        (lambda a: a.text(DAYS[0], 1, "x"), lambda a: a.text(DAYS[1], 1, "x"), {}),
        (lambda a: a.scatter(DAYS, [1, 2, 3]), lambda a: a.scatter(DAYS, [1, 2.1, 3]), {}),
        (lambda a: a.pcolormesh(GRID), lambda a: a.pcolormesh(GRID[::-1]), {}),
        (lambda a: a.figure.colorbar(a.imshow(GRID), label="m"),
         lambda a: a.figure.colorbar(a.imshow(GRID), label="s"), {}),
        (lambda a: a.plot([1, 2], [1, 2], [1, 2]), lambda a: a.plot([1, 2], [1, 2], [1, 3]),
         {"projection": "3d"}),
        (lambda a: a.scatter([1, 2], [1, 2], [1, 2]), lambda a: a.scatter([1, 2], [1, 2], [1, 3]),
         {"projection": "3d"}),
        (lambda a: a.set_zlabel("up"), lambda a: a.set_zlabel("down"), {"projection": "3d"}),
    ],
)  # fmt: skip
def test_texts_dates_colours_and_a_third_axis_are_seen(described, one, other, axes):
    assert described(drawing(one, **axes)) == described(drawing(one, **axes))
    assert described(drawing(one, **axes)) != described(drawing(other, **axes))


DRAWING = "import matplotlib.pyplot as plt\nplt.plot([0, 1], [0, {}]);"
WANTED = """\
axes '': x '' linear; y '' linear
line rgb1f77b4ff - None 1.5: x 2 from 0 to 1, -0.294; y 2 from 0 to 1, -0.294\
"""


@pytest.fixture
def reader(book):
    book.write("figures.py", READER.read_text())
    conf = 'from pathlib import Path\nbook_start = Path("figures.py").read_text()\n'
    book.write("conf.py", CONF + conf + 'exclude_patterns += ["*.py"]\n')
    return book


def test_a_figure_is_compared_where_the_book_has_a_reader(reader, capsys):
    reader.write("page.md", page(cell(DRAWING.format(1))))
    assert main(["accept", "."]) == 0
    assert Path("page.md").read_text() == page(cell(DRAWING.format(1), WANTED))
    reader.edit("page.md", DRAWING.format(1), DRAWING.format(2))
    capsys.readouterr()
    assert main(["check", "."]) == 1
    assert "+line rgb1f77b4ff - None 1.5: " in capsys.readouterr().out


def test_what_the_reader_cannot_read_is_an_error_and_never_expected(reader, capsys):
    text = page(cell("print(1)"), cell(f"{DRAWING.format(1)}"
                                       "\nplt.gcf().get_suptitle = None"))  # fmt: skip
    reader.write("page.md", text)
    assert main(["accept", "."]) == 1
    told = capsys.readouterr().out
    assert "the reader of figures failed: TypeError: 'NoneType' object is not callable" in told
    assert Path("page.md").read_text().count("{testoutput}") == 1
    assert told.endswith("\n1 of 2 cells checked; 1 not, because it or one before it fails (1)\n")
    assert main(["check", "."]) == 1


def test_the_page_shows_the_figure_and_not_its_text(reader):
    reader.write("page.md", page(cell(DRAWING.format(1), WANTED)))
    built = reader.build()
    assert built.status == 0
    assert "<img" in built.html()
    assert "rgb1f77b4ff" not in built.html()
