"""What a notebook needs besides the mechanisms: exercise checks, quizzes, scales, metrics, the runner.

A notebook imports everything from here:

    from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.course.commands import run_medattn, turned_copy
    from medattn_lite.course.environment import environment_line
    from medattn_lite.course.finer_heads import finer_head, row_to_show
    from medattn_lite.course.fusion_steps import (
        compare_answers,
        compare_on_cubes,
        open_fusion_task,
        print_symptoms,
        score_answers,
    )
    from medattn_lite.course.lesion_steps import dice_per_head, dice_per_patient, open_lesion_task, train_on_windows
    from medattn_lite.course.masked_slices import show_masked_slices, slice_with_most
    from medattn_lite.course.memory import measure_cost, without_numbers
    from medattn_lite.course.metrics import record
    from medattn_lite.course.own_folder import make_own_folder
    from medattn_lite.course.own_recipe import choose_recipe
    from medattn_lite.course.quizzes import Question, quiz
    from medattn_lite.course.reverse_words import letters_right, practice_words, train_backwards
    from medattn_lite.course.run_check import check
    from medattn_lite.course.scales import scale_numbers
    from medattn_lite.course.slice_steps import labelled_heads, open_slices, split_by_patient
    from medattn_lite.course.strides_or_resizing import (
        cube_of_light,
        print_two_ways,
        score_two_ways,
        three_strided_convolutions,
    )
    from medattn_lite.course.survival_records import recorded_c_indices, trained_c_indices
    from medattn_lite.course.survival_steps import (
        boxed_patients,
        cohorts_that_leave,
        refusal,
        train_mirrored,
        true_log_risks,
        uno_and_brier,
    )
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
    "compare_answers",
    "compare_on_cubes",
    "cube_of_light",
    "dice_per_head",
    "dice_per_patient",
    "environment_line",
    "labelled_heads",
    "make_own_folder",
    "measure_cost",
    "open_fusion_task",
    "open_lesion_task",
    "open_slices",
    "print_symptoms",
    "print_two_ways",
    "quiz",
    "record",
    "recorded_c_indices",
    "refusal",
    "run_medattn",
    "scale_numbers",
    "score_answers",
    "score_two_ways",
    "show_masked_slices",
    "slice_with_most",
    "split_by_patient",
    "three_strided_convolutions",
    "train_mirrored",
    "train_on_windows",
    "trained_c_indices",
    "true_log_risks",
    "turned_copy",
    "uno_and_brier",
    "without_numbers",
]
