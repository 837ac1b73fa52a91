"""Claims about every figure function at once: described, legible, uncut, tidy."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from medattn_lite import plots
from medattn_lite.audit.verdicts import Finding, corrected
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.plots.show import render_png
from medattn_lite.plots.style import CLASS_COLOURS, FIGURES, MAP, MASK_COLOURS, figure_function, new_figure, styled
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier
from medattn_lite.survival.predictions import Predicted
from medattn_lite.training import History

RANDOM = np.random.default_rng(0)
VOLUME = RANDOM.normal(size=(12, 16, 14)).astype(np.float32)
FINE, COARSE = RANDOM.random((16, 14)), RANDOM.random((4, 4))
MASK = np.zeros((12, 16, 14), np.uint8)
MASK[3:9, 4:12, 2:9], MASK[5:8, 6:10, 4:7], MASK[6, 8, 5] = 2, 4, 1
GATES = {f"layer{i}.0.se.gate": torch.rand(6, 8 * i, generator=torch.Generator().manual_seed(i)) for i in (1, 2, 3)}
LABELS = np.array([0, 1, 1, 0, 1, 0, 1, 0])
SCORES = np.array([0.1, 0.9, 0.7, 0.4, 0.35, 0.2, 0.8, 0.5])
QUERY, KEYS = np.array([1.5, 0.5]), np.array([[1.0, 1.0], [-1.0, 1.5], [0.5, -1.5], [1.8, -0.3]])
DAYS, RISK = np.array([100.0, 300.0, 600.0]), np.linspace(-1.5, 1.5, 24)
PREDICTED = Predicted(FollowUp(40 + 37 * ((np.arange(24) * 11) % 24), np.arange(24) % 3 > 0), DAYS,
                      np.exp(-DAYS / 500 * np.exp(RISK[:, None])), RISK)  # fmt: skip
INTERVALS = {"with SE": Interval(0.91, 0.85, 0.96), "without": Interval(0.84, 0.76, 0.9)}

SLICE_GATES = np.linspace(0.1, 0.9, 16 * 4).reshape(16, 4)
SHARES = np.stack([np.linspace(0.1, 0.9, 8), np.linspace(0.9, 0.1, 8)])
SPLITS = np.linspace(0.0, 2.0, 2 * 8 * 4 * 4).reshape(2, 8, 4, 4)
AFFINITY = np.eye(12) * 0.5 + 0.5 / 12
FINDINGS = corrected([
    Finding("slice count", "factor", "grade", value=0.91, low=0.86, high=0.95, n=120, p=1e-6,
            direction="higher in HGG"),
    Finding("the background and the frame (gradient boosting)", "model", "grade", value=0.52, low=0.42, high=0.62,
            n=120, p=0.4, null=(0.49, 0.06)),
    Finding("enhancing_ml", "declared", "grade", value=0.99, low=0.97, high=1.0, n=120, p=1e-9),
    Finding("age", "factor", "grade", why="known of 3 patients only"),
])  # fmt: skip
EXAMPLES = {
    "affinity_view": lambda: plots.affinity_view(
        VOLUME, (6, 8, 5), [plots.AffinityRow("RSA", AFFINITY, "axial", np.abs(VOLUME), "all paths"),
                            plots.AffinityRow("non-local", AFFINITY, "axial", np.zeros_like(VOLUME))],
        spacing=(5, 1, 1), outline=MASK, title="phantom 1 (flair)",
    ),
    "attention_matrix": lambda: plots.attention_matrix(
        np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]), rows=["le", "chat"], columns=["the", "black", "cat"]
    ),
    "audit_view": lambda: plots.audit_view(FINDINGS, title="What gives grade away?"),
    "contrasts_row": lambda: plots.contrasts_row(
        np.stack([VOLUME] * 4), names=["t1", "t1ce", "t2", "flair"], overlay=MASK, title="Phantom 3, high grade"
    ),
    "counterfactual_view": lambda: plots.counterfactual_view(
        VOLUME, (6, 8, 5), {"P3D + IAM": 0.91, "P3D + IAM, scanner mark": 0.12}, overlay=np.abs(VOLUME), outline=MASK,
        before={"P3D + IAM": 0.4, "P3D + IAM, scanner mark": 0.1}, overlay_title="Grad-CAM of P3D + IAM",
        survival=(DAYS, np.array([0.9, 0.6, 0.2])), survival_before=(DAYS, np.array([0.95, 0.8, 0.5])),
        chosen="P3D + IAM", title="synthetic head, t1ce",
    ),
    "data_flow": lambda: plots.data_flow("slice attention"),
    "explanation_rows": lambda: plots.explanation_rows(
        VOLUME, [plots.MapRow("P3D + IAM, shuffled labels", np.abs(VOLUME), "at layer4\nAUC 0.91 (chance 0.50)"),
                 plots.MapRow("re-initialised network", np.zeros_like(VOLUME), "all values are zero")],
        position=(6, 8, 5), outline=MASK, title="Grad-CAM",
    ),
    "explanation_grid": lambda: plots.explanation_grid(
        [plots.MapRow(name, np.abs(VOLUME), "squeeze-and-excitation\nAUC 0.89", image=VOLUME, outline=MASK)
         for name in ("SE-ResNeXt-50", "ResNet-50-CBAM", "P3D", "P3D + IAM")],
        plane="coronal", title="Grad-CAM beside each other",
    ),
    "follow_up_lines": lambda: plots.follow_up_lines(
        [6, 9, 2, 4, 7], [1, 0, 1, 0, 1], names=list("ABCDE"), unit="months", mark=(5, "asked at month 5")
    ),
    "control_tasks": lambda: plots.control_tasks(
        [plots.TaskPanel(name, VOLUME[4], MASK[4] % 3, MASK[5] > 0,
                         {"mechanism": [0.98, 1.0, 0.99], "plain": [0.5, 0.49, 0.52], "another": []})
         for name in ("sequence (SE)", "mirror (RSA)")]
    ),
    "forest": lambda: plots.forest(INTERVALS, label="AUC on test patients", reference=0.5, reference_label="chance"),
    "gate_view": lambda: plots.gate_view(
        VOLUME[5], gates={name: values[0] for name, values in GATES.items()}, layer="layer2.0.se.gate", off=[1, 5],
        before=[0.2, 0.8], after=[0.6, 0.4], spatial=FINE, spatial_name="spatial map, layer1",
        class_names=["healthy", "tumour"], caption="image 3: tumour",
    ),
    "gates_by_layer": lambda: plots.gates_by_layer(GATES, labels=[0, 1, 0, 1, 0, 1], class_names=["healthy", "tumour"]),
    "grouped_convolution": lambda: plots.grouped_convolution((1, 4)),
    "image_grid": lambda: plots.image_grid(
        VOLUME[:8], titles=[f"healthy\np = 0.{i}" for i in range(8)], overlays=MASK[:8], title="What the model said"
    ),
    "inter_slice_view": lambda: plots.inter_slice_view(
        VOLUME, 6, gates={"layer1.0.iam.channel": SLICE_GATES, "layer2.0.iam.channel": SLICE_GATES[:, ::2]},
        layer="layer1.0.iam.channel", spatial=np.abs(VOLUME), before=[0.2, 0.8], after=[0.6, 0.4], mask=MASK,
        extents={"layer1.0.iam.channel": (-1.5, 10.5), "layer2.0.iam.channel": (-3.5, 8.5)}, closed=2,
        towards_mean=0.25, class_names=["low grade", "high grade"], caption="volume 3 (t1ce): high grade",
    ),
    "kernel_voxels": lambda: plots.kernel_voxels({"3×3×3": (3, 3, 3), "then 3×1×1": (3, 1, 1)}),
    "lines": lambda: plots.lines(range(3), {"with": [0.1, 0.5, 0.9], "without": [0.1, 0.2, 0.3]},
                                 xlabel="steps", ylabel="share right"),
    "mechanism_panels": lambda: plots.mechanism_panels(
        {"grade: AUC": {**INTERVALS, "iam": "not defined in 2-D", "rsa": None}, "lesions: Dice": INTERVALS}
    ),
    "patch_weights": lambda: plots.patch_weights(
        VOLUME[5], [(1, 1), (2, 0)], side=4, weights=[COARSE[:, :3], COARSE[:, 1:]]
    ),
    "patient_curves": lambda: plots.patient_curves(
        DAYS, PREDICTED.survival, chosen={"patient 3": 3, "patient 20": 20}, cohort=kaplan_meier(PREDICTED.patients),
        outcome=(PREDICTED.patients.time, PREDICTED.patients.event), title="predicted",
    ),
    "picture_table": lambda: plots.picture_table(
        [[VOLUME[5], VOLUME[6]], [VOLUME[7], VOLUME[8]]], alt="Two slices of two people, with a map beside each slice",
        columns=["slice", "map"], names=["ada", "bob"], maps_from=1, map_label="gate",
    ),
    "playground": lambda: plots.playground(
        QUERY, KEYS, KEYS, scores=KEYS @ QUERY, weights=np.array([0.34, 0.02, 0.05, 0.59]), context=np.array([1.4, 0.1])
    ),
    "reliability": lambda: plots.reliability(LABELS, SCORES, bins=4),
    "residual_block": lambda: plots.residual_block("cbam"),
    "roc": lambda: plots.roc(LABELS, {"with SE": SCORES, "without": SCORES[::-1]}, intervals=INTERVALS),
    "slice_affinity": lambda: plots.slice_affinity([AFFINITY, np.eye(16)], ["axial", "coronal"], chosen=[3, 0]),
    "slice_montage": lambda: plots.slice_montage(VOLUME, slices=8, overlay=MASK, spacing=(5, 1, 1), title="A phantom"),
    "spatial_map_overlay": lambda: plots.spatial_map_overlay(
        VOLUME[5], {"layer1.0.cbam.spatial": FINE, "layer2.0.cbam.spatial": FINE[::-1]},
        mask=MASK[5],
    ),
    "split_attention": lambda: plots.split_attention(2),
    "split_view": lambda: plots.split_view(
        VOLUME[5], splits=SPLITS, mixture=SPLITS.mean(0),
        shares={"layer1.0.conv2.rsoftmax": SHARES, "layer2.0.conv2.rsoftmax": SHARES[:, ::-1]},
        layer="layer1.0.conv2.rsoftmax", channel=3, before=[0.2, 0.8], after=[0.6, 0.4], towards_uniform=0.5,
        spatial=FINE, class_names=["healthy", "tumour"], caption="image 3: tumour",
    ),
    "survival_calibration": lambda: plots.survival_calibration(
        {"hazards": PREDICTED.calibration(300), "Cox": PREDICTED.calibration(365, groups=3)}
    ),
    "survival_curves": lambda: plots.survival_curves(
        PREDICTED.split(0.2).curves, mark=(365, "one year"), title="by predicted risk"
    ),
    "survival_view": lambda: plots.survival_view(
        PREDICTED.split(0.2).curves, risk=RISK, threshold=0.2, test="log-rank test: p = 0.012", days=DAYS,
        survival=PREDICTED.survival, patient=("patient 7", 7), cohort=kaplan_meier(PREDICTED.patients), day=300.0,
        outcome=(PREDICTED.patients.time, PREDICTED.patients.event), scored_days=[100, 300, 500],
        brier=[0.1, 0.2, 0.15], brier_of_all_alike=[0.12, 0.25, 0.2], calibration=PREDICTED.calibration(300),
    ),
    "three_planes": lambda: plots.three_planes(
        VOLUME, position=(6, 8, 5), spacing=(5, 1, 1), overlay=MASK, title="phantom t1ce"
    ),
    "training_curve": lambda: plots.training_curve({
        "with SE": History([1, 2, 3], [0.9, 0.5, 0.4], [2, 3], [0.7, 0.8]),
        "without SE": History([1, 2, 3], [0.9, 0.6, 0.5], [2, 3], [0.6, 0.7]),
    }),
    "weights_bars": lambda: plots.weights_bars({"T = 0.5": [0.7, 0.2, 0.1], "T = 4": [0.4, 0.3, 0.3]}),
}  # fmt: skip


@pytest.fixture(scope="module")
def figures():
    return {name: make() for name, make in EXAMPLES.items()}


@pytest.fixture(scope="module")
def texts(figures):
    return {name: drawn_texts(figure) for name, figure in figures.items()}


def drawn_texts(figure):
    """Every text that a drawing pass really writes, with its box in pixels (idle ticks exist, but are not drawn)."""
    drawn, draw = [], Text.draw

    def note(text, *args, **kwargs):
        drawn.append(text)
        return draw(text, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, styled():
        figure.canvas.draw()  # the first pass settles the layout
        patch.setattr(Text, "draw", note)
        figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    filled = [text for text in dict.fromkeys(drawn) if text.get_visible() and text.get_text().strip()]
    return [(text, Text.get_window_extent(text, renderer)) for text in filled]


def test_every_public_figure_function_has_an_example_here():
    assert set(FIGURES) == set(EXAMPLES)
    assert set(FIGURES) <= set(plots.__all__)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_figure_is_described_in_a_sentence_of_its_own(name, figures):
    alt = plots.alt_text(figures[name])
    assert len(alt.split()) >= 8, alt
    assert sum(plots.alt_text(other) == alt for other in figures.values()) == 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_text_is_at_least_ten_points(name, texts):
    small = {text.get_text(): text.get_fontsize() for text, _ in texts[name] if text.get_fontsize() < 10}
    assert not small


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_text_is_cut_by_the_edge_of_the_picture(name, figures, texts):
    width, height = figures[name].bbox.width, figures[name].bbox.height
    cut = [
        (text.get_text(), box.extents.round(1))
        for text, box in texts[name]
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    assert not cut


@pytest.mark.parametrize("name", EXAMPLES)
def test_titles_and_axis_labels_do_not_lie_on_one_another(name, figures, texts):
    figure = figures[name]
    heads = {text for a in figure.axes for text in (a.title, a._left_title, a.xaxis.label, a.yaxis.label)}
    heads |= {text for a in figure.axes for text in (*a.get_xticklabels(), *a.get_yticklabels())}
    placed = [(text, box) for text, box in texts[name] if text in heads]
    overlapping = [
        (one.get_text(), two.get_text())
        for i, (one, box) in enumerate(placed)
        for two, other in placed[i + 1 :]
        if min(box.x1, other.x1) - max(box.x0, other.x0) > 1 and min(box.y1, other.y1) - max(box.y0, other.y0) > 1
        and not (one.get_rotation() % 90 or two.get_rotation() % 90)  # a slanted label's box is larger than it
    ]  # fmt: skip
    assert not overlapping


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_same_arrays_give_the_same_bytes(name):
    before = VOLUME.copy(), MASK.copy()
    assert render_png(EXAMPLES[name]()) == render_png(EXAMPLES[name]())
    assert np.array_equal(VOLUME, before[0]) and np.array_equal(MASK, before[1])


def test_figures_leave_pyplot_and_the_readers_settings_alone():
    with mpl.rc_context({"font.size": 7, "axes.facecolor": "red"}):
        figure = EXAMPLES["weights_bars"]()
        assert mpl.rcParams["font.size"] == 7
        assert to_rgb(figure.axes[0].get_facecolor()) == (1.0, 1.0, 1.0)
    assert plt.get_fignums() == []


def test_a_figure_without_description_is_a_bug_that_shows_at_once():
    def silent():
        return new_figure(2, 2)

    with pytest.raises(RuntimeError, match="silent made a figure without alt text"):
        figure_function(silent)()
    del FIGURES["silent"]


def luminance(colour):
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def test_maps_are_cividis_and_class_colours_come_from_okabe_and_ito():
    okabe_ito = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000"}
    assert MAP == "cividis"
    assert set(CLASS_COLOURS) <= okabe_ito and set(MASK_COLOURS.values()) <= okabe_ito
    assert len(set(CLASS_COLOURS)) == len(CLASS_COLOURS) >= 6


def test_the_legend_of_many_training_runs_lies_beside_the_curves():
    figure = plots.training_curve({f"run {n}": History([1, 2, 3], [0.9, 0.5, 0.1 * n], [], []) for n in range(6)})
    figure.canvas.draw()
    assert figure.axes[0].get_legend().get_window_extent().x0 >= figure.axes[0].get_window_extent().x1


def test_numbers_in_a_matrix_stand_out_from_their_cells():
    figure = plots.attention_matrix(np.linspace(0, 1, 16).reshape(4, 4))
    picture = figure.axes[0].get_images()[0]
    for text in figure.axes[0].texts:
        column, row = text.get_position()
        cell = luminance(picture.to_rgba(picture.get_array())[int(row), int(column)][:3])
        ink = luminance(text.get_color())
        contrast = (max(cell, ink) + 0.05) / (min(cell, ink) + 0.05)
        assert contrast >= 4.5, (text.get_text(), contrast)
