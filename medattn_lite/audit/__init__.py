"""What gives the label away? Single factors and models of everything but the lesion, for phantoms and real data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.audit.measuring import Measured, measure
    from medattn_lite.audit.page import write_audit
    from medattn_lite.audit.phantoms import audit_all, audit_phantom, declared_of, given_of
    from medattn_lite.audit.planted import LEAKS, PlantedLeak
    from medattn_lite.audit.run import Audit, audit_dataset, audit_measured
    from medattn_lite.audit.verdicts import Finding, holm
else:
    __getattr__, __dir__ = attach(__name__, __file__)

__all__ = [
    "Audit",
    "Finding",
    "LEAKS",
    "Measured",
    "PlantedLeak",
    "audit_all",
    "audit_dataset",
    "audit_measured",
    "audit_phantom",
    "declared_of",
    "given_of",
    "holm",
    "measure",
    "write_audit",
]
