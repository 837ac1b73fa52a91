"""Claims about the line figure."""

from __future__ import annotations

import pytest

from medattn_lite.plots.alt import alt_text
from medattn_lite.plots.lines import lines


def test_every_line_is_drawn_named_and_described():
    figure = lines(range(3), {"with": [0.1, 0.5, 0.9], "without": [0.1, 0.2, 0.3]}, xlabel="steps", ylabel="share")
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.get_lines()] == ["with", "without"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["with", "without"]
    for words in ("with, from 0.1 to 0.9", "without, from 0.1 to 0.3", "steps", "share"):
        assert words in alt_text(figure)


def test_lines_can_be_told_apart_without_colour():
    figure = lines([1, 2], {name: [1, 2] for name in "abcd"}, xlabel="x", ylabel="y")
    drawn = figure.axes[0].get_lines()
    assert len({line.get_linestyle() for line in drawn}) == 4
    assert len({line.get_marker() for line in drawn}) == 4


def test_the_description_follows_the_axis_when_positions_run_backwards():
    figure = lines(range(2, -1, -1), {"a": [5.0, 6.0, 7.0]}, xlabel="words ago", ylabel="y")
    assert "from 7 to 5" in alt_text(figure)


def test_a_line_of_another_length_is_refused_by_name():
    with pytest.raises(ValueError, match="'short'"):
        lines(range(3), {"short": [1.0, 2.0]}, xlabel="x", ylabel="y")
