"""Versions of what a network is trained on: raised when the same seed or file gives other numbers than before.

A record keeps the versions that it was made with, and pages of results say where they are older than today's.

    phantom    1  the brain around a tumour was resampled, and so blurred; classes differed beyond their signal
               2  every head is rendered once; classes are matched; survival has both grades
    intensity  1  trimmed z-score over the head
               2  centre and scale from white matter
"""

from __future__ import annotations

PHANTOM = 2
INTENSITY = 2


def versions(data: str) -> dict[str, int]:
    """The versions that numbers from a data set depend on.

    Args:
        data: name of the data set; phantoms depend on both.
    """
    return {"phantom": PHANTOM, "intensity": INTENSITY} if data == "phantom" else {"intensity": INTENSITY}
