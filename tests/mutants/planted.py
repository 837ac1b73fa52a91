"""The mutants: one mistake each, planted by its text, and the tests that are asked whether they see it.

A mutant is found by the text that it replaces, wherever in the package the text stands, so files may move; text that is
missing or stands twice is an error. Tests are named by file and, where a file is slow, by words of their names.
"""

from __future__ import annotations

from tests.mutants.mutant import Mutant
from tests.mutants.planted_data import DATA
from tests.mutants.planted_models import MODELS
from tests.mutants.planted_scores import SCORES
from tests.mutants.planted_training import TRAINING
from tests.mutants.planted_views import VIEWS

MUTANTS: tuple[Mutant, ...] = (*MODELS, *TRAINING, *DATA, *SCORES, *VIEWS)
