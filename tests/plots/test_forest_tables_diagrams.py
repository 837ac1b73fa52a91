"""Forest plots, tables of pictures and drawings of wiring: what they draw is what they were given."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import torch

from medattn_lite import plots
from medattn_lite.evaluation import Interval
from medattn_lite.plots.style import MAP

RESULTS = {"with": Interval(0.9, 0.8, 0.95), "without": Interval(0.6, 0.5, 0.72)}


def test_a_forest_draws_each_interval_at_its_ends() -> None:
    axes = plots.forest(RESULTS, label="AUC", reference=0.5, reference_label="chance").axes[0]
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 3]
    assert [tuple(bar.get_xdata()) for bar in bars] == [(0.8, 0.95), (0.5, 0.72)]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["with", "without"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first name on top


def test_a_forest_says_its_figures_in_words() -> None:
    text = plots.alt_text(plots.forest(RESULTS, label="AUC", reference=0.5, reference_label="chance"))
    assert "with 0.90, from 0.80 to 0.95" in text and "0.5 means chance" in text


@pytest.mark.parametrize(("width", "words"), [(0.4, "0.00, from"), (0.04, "0.000, from"), (0.001, "0.0002, from")])
def test_a_forest_of_close_figures_has_more_decimals(width: float, words: str) -> None:
    figure = plots.forest({"off": Interval(0.0002, 0.0, width)}, label="Dice", reference=0.0)
    assert f"off {words}" in plots.alt_text(figure)


@pytest.mark.parametrize(
    ("units", "words"), [((43, 43), "n = 43"), ((43, 12), "n = 12 to 43"), ((0, 43), "n = 43"), ((0, 0), "")]
)
@pytest.mark.parametrize("missing", ["", "too few for an interval"])
def test_a_forest_says_how_many_units_it_rests_on_and_why_an_interval_is_missing(
    units: tuple[int, int], words: str, missing: str
) -> None:
    whole = Interval(0.9, 0.8, 0.95, units=units[0])
    lacking = Interval(0.6, 0.5, 0.72, units=units[1], missing=missing)
    figure = plots.forest({"with": whole, "without": lacking}, label="AUC")
    under = "; ".join(part for part in (words, missing) if part)
    assert figure.axes[0].get_xlabel() == (f"AUC\n{under}" if under else "AUC")
    text = plots.alt_text(figure)
    end = f" {under[0].upper()}{under[1:]}." if under else " from 0.50 to 0.72."
    assert text.endswith(end)
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 3]
    assert len(bars) == (1 if missing else 2) and ("without 0.60, no interval" in text) == bool(missing)


def test_a_forest_without_results_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        plots.forest({}, label="AUC")


def _pictures(axes: list) -> list:
    return [axis.images[0] for axis in axes if axis.images]


def test_maps_of_a_table_share_one_colour_scale_and_images_are_grey() -> None:
    rows = [[torch.rand(6, 5), torch.full((6, 5), 0.2), torch.full((3, 3), 0.9)] for _ in range(2)]
    figure = plots.picture_table(rows, alt="two rows", columns=["slice", "a", "b"], maps_from=1, map_label="map")
    pictures = _pictures([axis for axis in figure.axes if axis.get_label() != "<colorbar>"])
    maps = [picture for picture in pictures if picture.get_cmap().name == MAP]
    assert len(pictures) == 6 and len(maps) == 4
    assert all(picture.get_clim() == pytest.approx((0.2, 0.9)) for picture in maps)
    assert {picture.origin for picture in pictures} == {"lower"}  # anterior up


def test_an_outline_lies_on_its_mask_on_a_coarser_picture_too() -> None:
    mask = np.zeros((1, 8, 8))
    mask[0, 4:8, 0:4] = 1
    figure = plots.picture_table([[np.random.rand(8, 8), np.random.rand(2, 2)]], alt="outlined", outlines=[mask])
    fine, coarse = (axis.collections[0].get_paths()[0].vertices for axis in figure.axes[:2])
    assert fine[:, 1].min() == pytest.approx(3.5) and fine[:, 0].max() == pytest.approx(3.5)
    assert coarse[:, 1].min() == pytest.approx(0.5) and coarse[:, 0].max() == pytest.approx(0.5)


def test_an_empty_mask_draws_no_outline() -> None:
    figure = plots.picture_table([[np.random.rand(8, 8)]], alt="healthy", outlines=[np.zeros((8, 8))])
    assert not figure.axes[0].collections


@pytest.mark.parametrize("rows", [[[np.zeros((4, 4))], []], [[np.zeros((1, 4, 4))]]])
def test_a_table_refuses_ragged_rows_and_volumes(rows: list) -> None:
    with pytest.raises(ValueError, match="rows of one length"):
        plots.picture_table(rows, alt="wrong")


@pytest.mark.parametrize(
    ("kind", "words"),
    [("squeeze-excitation", "excitation: C → C/r → C"), ("cbam", "conv 7×7"), ("plain", "x, untouched")],
)
def test_a_residual_block_adds_after_its_gates(kind: str, words: str) -> None:
    text = plots.alt_text(plots.residual_block(kind))
    assert words in text
    assert "multiplied" not in text or text.index("multiplied") < text.index("is added")


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(ValueError, match="squeeze-excitation"):
        plots.residual_block("transformer")


def test_a_grouped_convolution_draws_as_many_links_as_weights() -> None:
    figure = plots.grouped_convolution((1, 4), channels=8)
    conv = [torch.nn.Conv2d(8, 8, 1, groups=groups, bias=False).weight.numel() for groups in (1, 4)]
    assert [len(axes.lines) for axes in figure.axes] == conv


def test_drawings_are_legible() -> None:
    for figure in (plots.residual_block("cbam"), plots.grouped_convolution()):
        assert all(text.get_fontsize() >= 10 for text in figure.findobj(mpl.text.Text) if text.get_text())


@pytest.mark.parametrize("radix", [2, 4])
def test_split_attention_is_drawn_with_one_product_and_one_convolution_a_split(radix: int) -> None:
    figure = plots.split_attention(radix)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("×") == radix and sum("conv 3×3" in text for text in texts) == radix
    assert f"softmax over the {radix} splits" in plots.alt_text(figure)


def test_split_attention_is_not_drawn_for_an_odd_radix() -> None:
    with pytest.raises(ValueError, match="radix is 3"):
        plots.split_attention(3)


def test_a_kernels_voxels_are_the_ones_it_reads() -> None:
    figure = plots.kernel_voxels({"1×3×3": (1, 3, 3), "3×1×1": (3, 1, 1)})
    filled = [sum(patch.get_facecolor()[2] < 0.5 for patch in axes.patches) for axes in figure.axes]
    assert filled == [9, 3] and all(len(axes.patches) == 27 for axes in figure.axes)
    assert "1×3×3 reads 9 of 27 voxels, in 1 slice" in plots.alt_text(figure)


def test_a_kernel_larger_than_the_neighbourhood_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="1 to 3 voxels"):
        plots.kernel_voxels({"5×3×3": (5, 3, 3)})
