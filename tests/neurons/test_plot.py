"""`plot`: what is drawn is what was given, in Japanese, and without colours, too."""

import io

import matplotlib as mpl
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from snn_docs import plot


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

    def test_several_runs_on_the_same_axes_are_told_apart_in_grey(self, ax):
        lines = [plot.learning_curve(ax, RECORDS, "loss")[0] for _ in range(12)]
        are_told_apart_in_grey(ax, lines)

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
    plot.raster(ax, torch.eye(3))
    assert ax.xaxis.label.get_fontname() == "IPAexGothic"
    assert mpl.rcParams["font.family"] == ["IPAexGothic"]
