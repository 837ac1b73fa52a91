"""Learn, teach and explore attention in medical imaging.

The package is thin: it backs the notebooks. Rooms, in the order in which data flows:
`data → networks → training → evaluation → explain → plots → widgets`; `attention` holds the
mechanisms, `survival` losses, curves and scores of survival, `course` runs the notebooks,
`cli` is the command `medattn`.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Looked up on first use, so that `import medattn_lite` stays fast.
_LAZY = {
    "UserError": "medattn_lite.errors",
    "capture_attention": "medattn_lite.explain",
    "open_dataset": "medattn_lite.data.readers.registry",
    "Subject": "medattn_lite.data.phantom",
    "PhantomCohort": "medattn_lite.data.phantom",
}
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
