"""What a notebook needs besides the mechanisms: exercise checks, quizzes, scales, metrics, the runner.

A notebook imports everything from here:

    from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.course.checks import check
    from medattn_lite.course.commands import run_medattn, turned_copy
    from medattn_lite.course.environment import environment_line
    from medattn_lite.course.finer_heads import finer_head, row_to_show
    from medattn_lite.course.fusion_steps import open_fusion_task, score_answers
    from medattn_lite.course.letters import letters_right, practice_words, train_backwards
    from medattn_lite.course.masked_slices import show_masked_slices, slice_with_most
    from medattn_lite.course.memory import measure_cost, without_numbers
    from medattn_lite.course.metrics import record
    from medattn_lite.course.own_folder import make_own_folder
    from medattn_lite.course.own_recipe import choose_recipe
    from medattn_lite.course.quizzes import Question, quiz
    from medattn_lite.course.scales import scale_numbers
    from medattn_lite.course.strides_or_resizing import print_two_ways, score_two_ways
    from medattn_lite.course.survival_records import recorded_c_indices, trained_c_indices
    from medattn_lite.course.survival_steps import boxed_patients, cohorts_that_leave, true_log_risks
else:
    __getattr__, __dir__ = attach(__name__, __file__)

__all__ = [
    "finer_head",
    "row_to_show",
    "letters_right",
    "practice_words",
    "train_backwards",
    "Question",
    "boxed_patients",
    "check",
    "choose_recipe",
    "cohorts_that_leave",
    "environment_line",
    "make_own_folder",
    "measure_cost",
    "open_fusion_task",
    "print_two_ways",
    "quiz",
    "record",
    "recorded_c_indices",
    "run_medattn",
    "scale_numbers",
    "score_answers",
    "score_two_ways",
    "show_masked_slices",
    "slice_with_most",
    "trained_c_indices",
    "true_log_risks",
    "turned_copy",
    "without_numbers",
]
