"""`plot`: what is drawn is what was given, in Japanese, and without colours, too."""

import importlib
import io
import sys

import matplotlib as mpl
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from snn_docs import Heaviside, plot


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


def points(line):
    return line.get_xdata().tolist(), line.get_ydata().tolist()


def labels(lines):
    return [line.get_label() for line in lines]


def picture(ax, line):
    """Return one line's picture in black, without anything else."""
    line.set_color("black")
    for artist in ax.get_children():
        artist.set_visible(artist is line)
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return bytes(canvas.buffer_rgba())


def are_told_apart_in_grey(ax, lines):
    assert len({picture(ax, line) for line in lines}) == len(lines)


class ArcTan:
    """A surrogate as the package will have them."""

    def __init__(self, slope):
        self.slope = slope

    def __repr__(self):
        return f"ArcTan(slope={self.slope})"

    def __call__(self, x):
        return (x > 0).to(x.dtype)

    def derivative(self, x):
        return 1 / (1 + (self.slope * x) ** 2)


LOOKS = [plot.POTENTIAL, plot.SPIKE, plot.THRESHOLD, plot.INPUT, plot.GRADIENT]


def test_potential_spike_threshold_input_and_gradient_are_told_apart_without_colours(ax):
    lines = [ax.plot([0, 1, 2], [1, 0, 2], **look)[0] for look in LOOKS]
    are_told_apart_in_grey(ax, lines)


class TestRaster:
    def test_marks_every_spike_at_its_step_and_neuron(self, ax):
        spikes = torch.rand(20, 7, generator=torch.Generator().manual_seed(0)).round()
        marks = plot.raster(ax, spikes)
        by_hand = [(t + 1, n) for t in range(20) for n in range(7) if spikes[t, n]]
        assert list(zip(*points(marks), strict=True)) == by_hand
        assert marks.get_marker() == plot.SPIKE["marker"] == "|"
        assert marks.get_color() == plot.SPIKE["color"]
        assert marks.get_linestyle() == "None"
        assert marks in ax.lines

    @pytest.mark.parametrize(
        "dtype", [torch.bool, torch.int64, torch.float16, torch.bfloat16, torch.float64]
    )
    def test_any_dtype_and_a_gradient(self, ax, dtype):
        eye = torch.eye(2).to(dtype)
        spikes = eye.requires_grad_() if eye.is_floating_point() else eye
        assert points(plot.raster(ax, spikes)) == ([1, 2], [0, 1])

    def test_silent_steps_and_neurons_have_their_place(self, ax):
        plot.raster(ax, torch.zeros(5, 3))
        assert ax.get_xlim() == (0.5, 5.5)
        assert ax.get_ylim() == (-0.5, 2.5)


class TestPotential:
    def test_one_neuron(self, ax):
        (line,) = plot.potential(ax, torch.tensor([0.5, 1.25, 0.25]))
        assert points(line) == ([1, 2, 3], [0.5, 1.25, 0.25])
        assert line.get_label() == "膜電位"
        assert ax.get_legend() is None

    def test_several_neurons(self, ax):
        v = torch.arange(6.0).reshape(3, 2)
        lines = plot.potential(ax, v)
        assert [points(line) for line in lines] == [([1, 2, 3], [0, 2, 4]), ([1, 2, 3], [1, 3, 5])]
        assert labels(lines) == ["ニューロン0", "ニューロン1"]
        shown = [text.get_text() for text in ax.get_legend().get_texts()]
        assert shown == ["ニューロン0", "ニューロン1"]

    @pytest.mark.parametrize("v", [torch.zeros(4), torch.zeros(4, 2)])
    def test_the_threshold_is_a_dashed_line_across(self, ax, v):
        *_, threshold = plot.potential(ax, v, threshold=0.75)
        assert list(threshold.get_ydata()) == [0.75, 0.75]
        assert threshold.get_label() == "閾値"
        assert threshold.get_linestyle() == "--"
        assert ax.get_legend().get_texts()[-1].get_text() == "閾値"

    def test_a_threshold_of_zero_is_one(self, ax):
        assert len(plot.potential(ax, torch.zeros(4), threshold=0)) == 2

    @pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bfloat16, torch.float64])
    def test_any_dtype_and_a_gradient(self, ax, dtype):
        v = torch.tensor([1, 2]).to(dtype)
        (line,) = plot.potential(ax, v.requires_grad_() if v.is_floating_point() else v)
        assert points(line) == ([1, 2], [1, 2])

    def test_as_many_lines_as_are_allowed_are_told_apart_in_grey(self, ax):
        """All lie on one line, at the threshold: only their looks differ."""
        lines = plot.potential(ax, torch.ones(30, 15), threshold=1)
        are_told_apart_in_grey(ax, lines)

    def test_one_more_is_refused_and_nothing_is_drawn(self, ax):
        with pytest.raises(
            ValueError, match=r"at most 15 lines .* but 16 came for axes that have 0"
        ):
            plot.potential(ax, torch.ones(30, 16))
        assert not ax.lines


class TestSurrogates:
    def test_a_surrogate_is_asked_for_its_derivative(self, ax):
        (line,) = plot.surrogates(ax, [ArcTan(2.0)])
        x, y = map(torch.tensor, points(line))
        torch.testing.assert_close(y, 1 / (1 + (2 * x) ** 2))
        assert (x.min(), x.max()) == (-2, 2)
        assert 0 in x
        assert line.get_label() == "ArcTan(slope=2.0)"

    @pytest.mark.parametrize("gradients", [True, False])
    def test_autograd_differentiates_plain_functions(self, ax, gradients):
        functions = {"Heaviside": Heaviside.apply, "smooth": lambda x: torch.sigmoid(5 * x)}
        with torch.set_grad_enabled(gradients):
            heaviside, smooth = plot.surrogates(ax, functions)
        x, y = map(torch.tensor, points(heaviside))
        assert torch.equal(y, (x > 0).to(y.dtype))
        x, y = map(torch.tensor, points(smooth))
        sigmoid = torch.sigmoid(5 * x)
        torch.testing.assert_close(y, 5 * sigmoid * (1 - sigmoid), rtol=1e-4, atol=1e-6)

    def test_a_dictionary_names_the_curves(self, ax):
        lines = plot.surrogates(ax, {"急": ArcTan(4.0), "緩": ArcTan(1.0)})
        assert labels(lines) == ["急", "緩"]
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["急", "緩"]

    def test_a_learnable_slope(self, ax):
        (line,) = plot.surrogates(ax, {"slope": ArcTan(torch.tensor(1.0, requires_grad=True))})
        assert max(line.get_ydata()) == 1

    def test_they_are_told_apart_in_grey(self, ax):
        lines = plot.surrogates(ax, {str(n): ArcTan(1.0) for n in range(6)})
        are_told_apart_in_grey(ax, lines)


class TestTuningCurve:
    def test_draws_rates_against_currents(self, ax):
        currents = torch.tensor([0.25, 0.5, 1.5], dtype=torch.bfloat16)
        line = plot.tuning_curve(ax, currents, torch.tensor([0.25, 0.5, 1.0]).double())
        assert points(line) == ([0.25, 0.5, 1.5], [0.25, 0.5, 1.0])
        assert line.get_marker() not in {"", "None"}

    def test_as_many_curves_as_are_allowed_are_told_apart_in_grey(self, ax):
        currents = torch.linspace(0, 2, 20)
        lines = [plot.tuning_curve(ax, currents, currents) for _ in range(12)]
        are_told_apart_in_grey(ax, lines)
        with pytest.raises(
            ValueError, match=r"at most 12 lines .* but 1 came for axes that have 12"
        ):
            plot.tuning_curve(ax, currents, currents)


RECORDS = [
    {"epoch": 1, "train_loss": 2.0, "train_accuracy": 0.25, "test_accuracy": 0.2},
    {"epoch": 2, "train_loss": 1.0, "train_accuracy": 0.75, "test_accuracy": 0.5},
    {"epoch": 4, "train_loss": 0.5, "train_accuracy": 1.0, "test_accuracy": 0.9},
]


class TestLearningCurve:
    def test_accuracies_against_epochs(self, ax):
        lines = plot.learning_curve(ax, RECORDS)
        assert labels(lines) == ["訓練", "テスト"]
        assert [points(line) for line in lines] == [
            ([1, 2, 4], [0.25, 0.75, 1.0]),
            ([1, 2, 4], [0.2, 0.5, 0.9]),
        ]
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["訓練", "テスト"]

    def test_validation_stands_between_training_and_test(self, ax):
        lines = plot.learning_curve(ax, [{"validation_accuracy": 0.5} | each for each in RECORDS])
        assert labels(lines) == ["訓練", "検証", "テスト"]
        assert points(lines[1]) == ([1, 2, 4], [0.5, 0.5, 0.5])

    def test_losses_against_epochs(self, ax):
        (line,) = plot.learning_curve(ax, RECORDS, "loss")
        assert points(line) == ([1, 2, 4], [2.0, 1.0, 0.5])
        assert line.get_label() == "訓練"

    def test_the_two_are_told_apart_in_grey_by_dashes_and_by_markers(self, ax):
        train, test = plot.learning_curve(ax, [record | {"test_accuracy": 1} for record in RECORDS])
        assert train.get_linestyle() != test.get_linestyle()
        assert train.get_marker() != test.get_marker()
        train.set_ydata(test.get_ydata())
        are_told_apart_in_grey(ax, [train, test])

    def test_a_single_epoch_is_seen(self, ax):
        lines = plot.learning_curve(ax, RECORDS[:1])
        before = picture(ax, lines[0])
        lines[0].set_visible(False)
        canvas = FigureCanvasAgg(ax.figure)
        canvas.draw()
        assert bytes(canvas.buffer_rgba()) != before


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda ax: plot.raster(ax, torch.eye(3)), ("ステップ", "ニューロンの添字")),
        (lambda ax: plot.potential(ax, torch.zeros(3, 2), 1), ("ステップ", "膜電位")),
        (lambda ax: plot.surrogates(ax, [ArcTan(1.0)]), ("膜電位と閾値の差", "代理勾配")),
        (
            lambda ax: plot.tuning_curve(ax, torch.ones(2), torch.ones(2)),
            ("入力電流", "発火率（回/ステップ）"),
        ),
        (lambda ax: plot.learning_curve(ax, RECORDS), ("エポック", "正解率")),
        (lambda ax: plot.learning_curve(ax, RECORDS, "loss"), ("エポック", "損失")),
    ],
)
def test_words(ax, draw, words):
    """Warnings are errors here: a letter that the font lacks is one."""
    draw(ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == words
    ax.figure.savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize(
    ("draw", "axes"),
    [
        (lambda ax: plot.raster(ax, torch.eye(3)), "xy"),
        (lambda ax: plot.potential(ax, torch.ones(3)), "x"),
        (lambda ax: plot.learning_curve(ax, RECORDS), "x"),
    ],
)
def test_what_is_counted_has_ticks_at_whole_numbers(ax, draw, axes):
    draw(ax)
    for name in axes:
        ticks = getattr(ax, f"get_{name}ticks")()
        assert len(ticks) > 1
        assert all(tick == round(tick) for tick in ticks)


def test_labels_are_set_in_a_japanese_font(ax):
    plot.potential(ax, torch.ones(3))
    assert ax.xaxis.label.get_fontname() == "IPAexGothic"
    assert mpl.rcParams["font.family"] == ["IPAexGothic"]


def test_without_the_font_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib_fontja", None)
    monkeypatch.delitem(sys.modules, "snn_docs.plot")
    with pytest.raises(ImportError, match=r'pip install "snn-docs\[notebooks\]"'):
        importlib.import_module("snn_docs.plot")
