"""Mistakes planted in figures, widgets, the course and the command."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, planted

VIEWS: tuple[Mutant, ...] = (
    # Plots
    planted(
        "plots",
        "overlay-upside-down",
        "every overlay lies upside down on its image",
        "axes.imshow(overlay[0].colours(overlay[1]), interpolation",
        "axes.imshow(overlay[0].colours(overlay[1])[::-1], interpolation",
        "test_overlay_pixels.py",
    ),
    planted(
        "plots",
        "aspect-swapped",
        "millimetres per row and per column are exchanged",
        "spacing=(edges[plane.rows], edges[plane.columns]),\n            window=window,\n            overlay=None if",
        "spacing=(edges[plane.columns], edges[plane.rows]),\n            window=window,\n            overlay=None if",
        "test_planes.py",
        "millimetre_is_as_long",
    ),
    planted(
        "plots",
        "weak-values-opaque",
        "weak values of a map hide the image",
        "rgba[..., 3] = self.opacity * np.clip(strength, 0.0, 1.0)",
        "rgba[..., 3] = self.opacity",
        "test_planes.py",
        "opaque or opacity or signed",
    ),
    planted(
        "plots",
        "forest-without-n",
        "a forest plot does not say how many patients",
        'return "; ".join(part for part in (units_text, *missing) if part)',
        'return "; ".join(missing)',
        "test_forest_tables_diagrams.py",
        "forest",
    ),
    # Widgets
    planted(
        "widgets",
        "readout-of-other-image",
        "the gate explorer predicts the first image whatever is chosen",
        "after = predict_probabilities(self._model, self._images[number : number + 1])[0]",
        "after = predict_probabilities(self._model, self._images[:1])[0]",
        "test_three_widgets.py",
        "switched_off",
    ),
    planted(
        "widgets",
        "reset-keeps-layer",
        "“start again” leaves the controls where they are",
        "self.set(**self._initial)",
        "self.set(**self.state)",
        "test_explorer.py",
        "start_again",
    ),
    planted(
        "widgets",
        "slice-map-of-middle",
        "the spatial map is the first slice's, whatever slice is shown",
        "map_ = None if map_ is None else map_[state.slice]",
        "map_ = None if map_ is None else map_[0]",
        "test_three_widgets.py",
        "volumes or spatial",
    ),
    # Course
    planted(
        "course",
        "solution-in-learner-copy",
        "the learner's notebook keeps the line after a solution's start",
        "elif not inside:\n            kept.append(line)",
        "else:\n            kept.append(line)",
        "test_generate.py",
        "solution_becomes",
    ),
    planted(
        "course",
        "verdict-always-right",
        "every choice of a quiz is called right",
        "{'✓' if choice == self.right else '✗'}",
        "{'✓' if True else '✗'}",
        "test_quizzes.py",
    ),
    planted(
        "course",
        "mistake-before-answer",
        "an answer that is right in one case passes",
        "if all(right):\n        return passed(praise)",
        "if any(right):\n        return passed(praise)",
        "test_exercises.py",
        "hears and 02",
    ),
    # Commands
    planted(
        "cli",
        "user-mistake-ends-with-one",
        "a user's mistake ends with exit code 1",
        'print(f"medattn: {in_options(str(error), options)}", file=sys.stderr)\n        return USER_MISTAKE',
        'print(f"medattn: {error}", file=sys.stderr)\n        return 1',
        "test_cli.py",
        "mistake_is_one_line",
    ),
    planted(
        "cli",
        "numbers-as-text",
        "a setting's whole number becomes a decimal one",
        "if _WHOLE.fullmatch(plain):\n        return int(plain)",
        "if _WHOLE.fullmatch(plain):\n        return float(plain)",
        "test_cli_values.py",
    ),
)
