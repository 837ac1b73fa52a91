"""Learn, teach and explore attention in medical imaging.

The package is thin: it backs the notebooks. Rooms, in the order in which data flows:
`data → networks → training → evaluation → explain → plots → widgets`; `attention` holds the
mechanisms, `survival` losses, curves and scores of survival, `course` runs the notebooks, `cli` is the
command `medattn`. Each room lists its public names; they are looked up on first use, so that
`import medattn_lite` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.data import PhantomCohort, Subject, open_dataset
    from medattn_lite.errors import UserError
    from medattn_lite.explain import capture_attention
else:
    __getattr__, __dir__ = attach(__name__, __file__)

__version__ = "0.1.0"
__all__ = ["PhantomCohort", "Subject", "UserError", "__version__", "capture_attention", "open_dataset"]
