"""One frame, every mechanism: the same network with its attention exchanged, on the same tasks, from several seeds."""

from __future__ import annotations

from medattn_lite.mechanism_comparison.plans import PLANS, TaskPlan, find_plan
from medattn_lite.mechanism_comparison.run import compare_mechanisms
from medattn_lite.mechanism_comparison.small_networks import make_network

__all__ = ["PLANS", "TaskPlan", "compare_mechanisms", "find_plan", "make_network"]
