"""Drawings of data flow: boxes apart, arrows that cross none, and an alt text that names every box and shape."""

from __future__ import annotations

import pytest
from matplotlib.transforms import Bbox

from medattn_lite import plots
from medattn_lite.plots.data_flows import _FLOWS, _plain


def boxes(kind: str) -> dict[str, Bbox]:
    figure = plots.data_flow(kind)
    texts = [text for text in figure.axes[0].texts if text.get_bbox_patch() is not None]
    assert len(texts) == len(_FLOWS[kind].steps)
    return {
        name: text.get_bbox_patch().get_window_extent() for name, text in zip(_FLOWS[kind].steps, texts, strict=True)
    }


def passes_through(box: Bbox, start: Bbox, end: Bbox) -> bool:
    (x0, y0), (x1, y1) = (((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in (start, end))
    return any(box.contains(x0 + (x1 - x0) * step / 500, y0 + (y1 - y0) * step / 500) for step in range(501))


@pytest.mark.parametrize("kind", list(_FLOWS))
def test_no_box_covers_another_and_no_arrow_runs_through_one(kind: str) -> None:
    by_name, figure = boxes(kind), plots.data_flow(kind)
    for name, box in by_name.items():
        assert [other for other, one in by_name.items() if other != name and box.overlaps(one)] == []
        assert figure.bbox.containsx(box.x0) and figure.bbox.containsx(box.x1), f"{name} leaves the picture"
    for arrow in _FLOWS[kind].arrows:
        start, end = arrow.split()
        crossed = [name for name, box in by_name.items() if name not in (start, end)
                   and passes_through(box, by_name[start], by_name[end])]  # fmt: skip
        assert crossed == [], f"{arrow} runs through {crossed}"


@pytest.mark.parametrize("kind", list(_FLOWS))
def test_the_alt_text_names_every_box_with_its_shape_and_every_arrow(kind: str) -> None:
    alt, flow = plots.alt_text(plots.data_flow(kind)), _FLOWS[kind]
    for step in flow.steps.values():
        assert f"{_plain(step.text)} {_plain(step.shape)}" in alt
    assert alt.count(" goes to ") + alt.count(", and to ") == len(flow.arrows)
    assert "$" not in alt and "\\" not in alt
    ends = {arrow.split()[1] for arrow in flow.arrows}
    assert set(flow.steps) - ends == {name for name in flow.steps if name in ("word", "written", "x", "f1", "f2")}


def test_an_unknown_drawing_is_named() -> None:
    with pytest.raises(ValueError, match="encoder-decoder"):
        plots.data_flow("transformer")
