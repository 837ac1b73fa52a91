"""What a notebook needs besides the mechanisms: exercise checks, quizzes, scales, metrics, the runner.

A notebook imports everything from here:

    from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
"""

from __future__ import annotations

import importlib

# Looked up on first use: the command `medattn` imports this room and should start fast.
_LAZY = {
    "check": "medattn_lite.course.checks",
    "environment_line": "medattn_lite.course.environment",
    "Question": "medattn_lite.course.quizzes",
    "quiz": "medattn_lite.course.quizzes",
    "record": "medattn_lite.course.metrics",
    "scale_numbers": "medattn_lite.course.scales",
}
__all__ = list(_LAZY)


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
