"""From a layer's grid to the image's: upsampling, the box that a layer covers, its cells, a transformer's tokens."""

from __future__ import annotations

from medattn_lite.explain.grids.layer_boxes import Box, layer_box
from medattn_lite.explain.grids.layer_cells import cell_of, count_in_cells, rows_on_image, summing_to_one
from medattn_lite.explain.grids.tokens import TokenGrid, token_grid, tokens_as_map, tokens_first
from medattn_lite.explain.grids.upsampling import to_file_grid, to_image_grid

__all__ = [
    "Box",
    "TokenGrid",
    "cell_of",
    "count_in_cells",
    "layer_box",
    "rows_on_image",
    "summing_to_one",
    "to_file_grid",
    "to_image_grid",
    "token_grid",
    "tokens_as_map",
    "tokens_first",
]
