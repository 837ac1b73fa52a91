"""A trained run explained on the user's own image files."""

from __future__ import annotations

from medattn_lite.explain.user_images.image_files import read_image
from medattn_lite.explain.user_images.run_maps import SampleMap, explain_sample, place_to_show
from medattn_lite.explain.user_images.runs import TrainedRun, open_run, open_shipped

__all__ = [
    "SampleMap",
    "TrainedRun",
    "explain_sample",
    "open_run",
    "open_shipped",
    "place_to_show",
    "read_image",
]
