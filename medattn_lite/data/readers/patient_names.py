"""Whose scan is it? The patient that a name of a public data set, of BIDS, or of a visit tells.

Two visits on two sides of a split leak: what looks like a visit (`week-033`, `ses-2`, `_baseline`, a date) is therefore
never counted as a patient of its own. A name of no known pattern may still hide one; `named` says whether it is known,
and the check of a data set says so where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# name → patient in the first group; the rest is a scan or a visit
_KNOWN = tuple(re.compile(pattern, re.IGNORECASE) for pattern in (
    r"(BraTS-[A-Za-z]+-\d+)(?:-\d{3})?",
    r"(BraTS-MEN-RT-\d+)(?:-\d+)?",
    r"(Brats(?:1[5789]|_TCGA|_2013).*?)_\d",  # the last number is the time point
    r"(BraTS20_(?:Training|Validation|Testing)_\d+)",
    r"(BraTS20\d\d_\d+)",
    r"(UPENN-GBM-\d+)(?:_\d+)?",
    r"(UCSF-PDGM-\d+)(?:[_-]FU\w*)?(?:_nifti)?",
    r"(TCGA[_-][A-Z0-9]{2}[_-][A-Z0-9]{4}).*",
))
_VISIT = (r"(?:ses|sess|session|visit|week|wk|day|month|mo|year|tp|timepoint|time|fu|followup|follow-up|scan|exam|"
          r"study|acq|run|date)[-_ ]?\w*\d[\w-]*|(?:baseline|bl|pre-?op\w*|post-?op\w*|pre|post|intra-?op\w*|screening|"
          r"follow-?up|fu|initial|first|second|third|last)(?:[-_ ]?\d+)?|v\d+|t\d|m\d{1,2}|"
          r"(?:19|20)\d\d[-_]?[01]\d[-_]?[0-3]\d(?:[-_T]?\d{4,6})?")
_IS_VISIT = re.compile(_VISIT, re.IGNORECASE)
_ENDS_IN_VISIT = re.compile(rf"(.*?[A-Za-z0-9])[-_. ]+(?:{_VISIT})", re.IGNORECASE)
_BIDS = re.compile(r"(sub-[A-Za-z0-9]+)(?:_.*)?", re.IGNORECASE)
_INNER = re.compile(r"anat|func|dwi|perf|fmap|pet|nifti|nii|mri?|images?|scans?|preprocessed|processed|raw|native",
                    re.IGNORECASE)  # a folder that holds a scan's files and names nobody


def named(parts: Sequence[str]) -> tuple[str, bool]:
    """The patient of a case.

    Args:
        parts: the folders below the data set's root and, last, the case's own name, such as
            `("Patient-004", "week-033")`, `("sub-01", "ses-2", "anat")` or `("UPENN-GBM-00001_21",)`.

    Returns:
        The patient, and whether the name follows a pattern that tells patients from visits.
    """
    words = [part for part in parts if part]
    for place, part in enumerate(words):
        bids = _BIDS.fullmatch(part)
        if bids:  # two sites may have a sub-01 each
            return "/".join([*words[:place], bids.group(1)]), True
    kept = [part for part in words if not (_IS_VISIT.fullmatch(part) or _INNER.fullmatch(part))] or words
    for pattern in _KNOWN:
        match = pattern.fullmatch(kept[-1])
        if match:
            return match.group(1), True
    timed = _ENDS_IN_VISIT.fullmatch(kept[-1])
    # MR_20200101 and MR_20200102 are not visits of a patient called MR
    last = timed.group(1) if timed and re.search(r"\d", timed.group(1)) else kept[-1]
    return "/".join([*kept[:-1], last]), False
