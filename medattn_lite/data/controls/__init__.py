"""Positive controls: small synthetic tasks, each of which one attention mechanism must win.

    CONTROLS["sequence"].draw(8, seed=0).images        (8, 1, 36, 36)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from medattn_lite.data.controls.control import LESION, LOOK_ALIKE, Control, Drawn
from medattn_lite.data.controls.places import fill_central_vein, fill_mirror, fill_reference, fill_two_scans
from medattn_lite.data.controls.reading import fill_reading
from medattn_lite.data.controls.states import fill_sequence, fill_slice_above, fill_zoom
from medattn_lite.errors import UserError

_ALL = (
    Control(
        "sequence", "Which sequence is it?",
        "Fluid is bright in one MR sequence and dark in the other. Where the ventricle is bright, bright spots are "
        "lesions; where it is dark, dark spots are.",
        "se", 2, 1, (36, 36), 11, 1, fill_sequence,
    ),
    Control(
        "central-vein", "Is there a vein in the middle?",
        "A ring is a lesion of multiple sclerosis only if a small dark vein lies in its middle. Veins elsewhere count "
        "for nothing.",
        "cbam", 2, 1, (40, 40), 7, 2, fill_central_vein,
    ),
    Control(
        "zoom", "How far is it zoomed in?",
        "A scale bar says whether the image is zoomed in. Zoomed out, small blobs are lesions; zoomed in, large ones "
        "are.",
        "split", 2, 1, (36, 36), 11, 3, fill_zoom,
    ),
    Control(
        "slice-above", "What does the slice above show?",
        "A spot is a lesion only if the slice above it shows no large vessel; otherwise it is the vessel's branch.",
        "iam", 3, 1, (8, 24, 24), 11, 4, fill_slice_above,
    ),
    Control(
        "reference", "Does it resemble the known primary?",
        "The known primary tumour has a ring around it. Patches whose fibres run in the same direction are its "
        "metastases, wherever they are.",
        "non_local", 2, 1, (32, 32), 11, 5, fill_reference,
    ),
    Control(
        "mirror", "Is the other side the same?",
        "A bright spot is a lesion only if the mirror place in the other half is not bright. Spots at mirror places "
        "are normal anatomy.",
        "rsa", 2, 1, (32, 36), 9, 6, fill_mirror,
    ),
    Control(
        "two-scans", "Is it on the other scan, too?",
        "Two scans of one patient are not aligned. A patch on scan A is a lesion if scan B shows patches whose fibres "
        "run in the same direction, wherever they are.",
        "dual_fusion", 2, 2, (32, 32), 13, 7, fill_two_scans,
    ),
    Control(
        "reading-order", "What was found at this level?",
        "A spine is scanned in one order of levels and reported in another. Each line of the report needs the finding "
        "of its own level, to be looked up in the scan by the level's mark.",
        "seq2seq", 2, 1, (12, 72), 1, 8, fill_reading,
    ),
)  # fmt: skip
CONTROLS: Mapping[str, Control] = MappingProxyType({control.name: control for control in _ALL})

__all__ = ["CONTROLS", "LESION", "LOOK_ALIKE", "Control", "Drawn", "find_control"]


def find_control(name: str) -> Control:
    """Looks up a control by its name.

    Raises:
        UserError: there is no such control.
    """
    if name not in CONTROLS:
        raise UserError(f"there is no control called {name!r}: use one of {', '.join(CONTROLS)}")
    return CONTROLS[name]
