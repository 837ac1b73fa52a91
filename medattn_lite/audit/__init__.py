"""What gives the label away? Single factors and models of everything but the lesion, for phantoms and real data.

Names are looked up on first use, so that `import medattn_lite.audit` costs nothing.
"""

from __future__ import annotations

import importlib

_LAZY = {
    "Audit": "run",
    "audit_dataset": "run",
    "audit_measured": "run",
    "Measured": "measuring",
    "measure": "measuring",
    "Finding": "verdicts",
    "holm": "verdicts",
    "audit_all": "phantoms",
    "audit_phantom": "phantoms",
    "declared_of": "phantoms",
    "given_of": "phantoms",
    "LEAKS": "planted",
    "PlantedLeak": "planted",
    "write_audit": "page",
}
__all__ = list(_LAZY)


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
