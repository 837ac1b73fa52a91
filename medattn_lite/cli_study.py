"""`medattn study NAME`: what makes a figure of the project, each with its own options and help.

    medattn study                          the list
    medattn study faithfulness --help      the options of one
    medattn study faithfulness --networks grade_p3d_iam --subjects 40
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from runpy import run_module
from types import MappingProxyType
from typing import Any, NoReturn, cast

from medattn_lite.errors import UserError


@dataclass(frozen=True)
class Study:
    """One line of the list.

    Attributes:
        module: that is run.
        writes: the page or file that comes out.
        summary: the question that it answers.
        options: whether it takes words of its own.
    """

    module: str
    writes: str
    summary: str
    options: bool = True


STUDIES: Mapping[str, Study] = MappingProxyType({
    "faithfulness": Study("medattn_lite.explain.faithfulness.benchmark", "figures/faithfulness.md",
                          "do maps of the shipped networks lie where the signal is, and do they depend on training?"),
    "slice-order": Study("medattn_lite.explain.faithfulness.slice_order", "figures/slice_order.md",
                         "what inter-slice attention's gates are worth: by slice, by channel, not at all"),
    "survival-planes": Study("medattn_lite.explain.faithfulness.survival_planes", "figures/survival_planes.md",
                             "Grad-CAM of survival networks: are coronal and sagittal maps better than axial ones?"),
    "transfer": Study("medattn_lite.training.transfer", "the run's folder",
                      "a finished run of any recipe tested on patients of another source"),
    "ablation": Study("medattn_lite.training.ablation", "figures/lesions_ablation.md",
                      "what each choice of a recipe brings: one taken back at a time, on training patients"),
    "learning-curve": Study("medattn_lite.training.learning_curve", "figures/learning_curve.md",
                            "what phantoms are worth in patients: 5 to 40 patients, from random weights and phantoms"),
    "cox-tables": Study("medattn_lite.survival.cox_tables", "figures/results/survival-tables.json",
                        "Cox regression on public clinical tables, without images"),
    "ship": Study("medattn_lite.training.ship_network", "medattn_lite/networks/weights",
                  "a finished run becomes a network that comes with the package"),
    "network-list": Study("medattn_lite.networks.network_list", "medattn_lite/networks/published.json",
                          "what `medattn networks` lists, measured anew", options=False),
    "interval-coverage": Study("medattn_lite.coverage.simulate", "figures/interval_coverage.md",
                               "how often the 95 % intervals hold the truth, for each kind of figure and n"),
    "phantom-pictures": Study("medattn_lite.data.phantom.montage", "figures/phantoms.png",
                              "one picture of every pathology"),
    "course-times": Study("medattn_lite.course.times", "figures/course_times.md", "seconds and memory per notebook"),
    "course-figures": Study("medattn_lite.course.measured", "figures/course_laptop.md",
                            "what the notebooks measured at a longer scale"),
    "reliability": Study("tests.hostile", "figures/reliability.md",
                         "bad words for every option, damaged files, kills: what is not one line, what is lost?"),
    "mutants": Study("tests.mutants", "figures/mutants.md",
                     "planted mistakes, one at a time: do the tests see them?"),
    "paper": Study("medattn_lite.cli_paper", "runs", "every recipe at its published size, on a GPU"),
    "book": Study("medattn_lite.course.book", "runs/book", "an executed course as pages: runs/course runs/book"),
    "teacher": Study("medattn_lite.course.teacher", "runs/teacher.zip",
                     "solutions, slides, syllabuses, assignments: runs/course/report.json runs/teacher.zip"),
    "slides": Study("medattn_lite.course.slides_pictures", "runs/slides", "decks with the pictures of a run"),
    "parity": Study("tests.parity.table", "figures/parity.md", "blocks and networks beside independent code",
                    options=False),
    "exercises": Study("tests.course.matrix", "figures/exercises.md",
                       "every wrong and unusual answer, and what it hears", options=False),
    "benchmarks": Study("tests.benchmarks.run", "figures/benchmarks.md",
                        "time, memory and growth beside MONAI, captum, pycox, lifelines, the authors' formulations"),
    "bf16-on-cpu": Study("tests.benchmarks.bf16_on_cpu", "figures/bf16_on_cpu.md",
                         "bf16 convolutions on this CPU: right? faster?", options=False),
    "slider-times": Study("tests.benchmarks.sliders", "figures/slider_times.md", "from moved slider to picture",
                          options=False),
    "gallery": Study("medattn_lite.widgets.gallery", "figures/gallery.md", "pictures of the explorers, README's too",
                     options=False),
    "widget-picture": Study("tests.browser.widget_picture", "figures/counterfactual_widget.png", "README's picture",
                            options=False),
})  # fmt: skip
ELSEWHERE = (
    ("medattn audit phantom --all", "figures/phantom_audit.md", "what gives the label away, by phantom task"),
    ("medattn phantom --controls", "figures/phantom_controls_*.json", "what a lesion's figures tell of the label"),
    ("medattn compare --page", "figures/mechanisms.md", "each attention mechanism in one and the same network"),
    ("medattn controls", "figures/positive_controls.md", "tasks that each mechanism must win, and do"),
    ("medattn results", "figures/results.md", "one page of results from finished runs"),
)


def study_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn study` to its parser."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the study; the list if left out")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="…", help="its options; NAME --help names them")
    parser.set_defaults(run=_study)


def _study(options: argparse.Namespace) -> int:
    if options.name is None:
        print("\n".join(listing()))
        return 0
    return run_study(options.name, options.words)


def listing() -> list[str]:
    """The studies, two lines each."""
    lines = []
    for name, study in STUDIES.items():
        lines += [f"{name:<20}{study.summary}", f"{'':<20}→ {study.writes}"]
    lines += ["", "with commands of their own:"]
    for command, writes, summary in ELSEWHERE:
        lines += [f"{command}", f"{'':<20}{summary} → {writes}"]
    return lines


def run_study(name: str, words: Sequence[str]) -> int:
    """Runs a study with its own words.

    Raises:
        UserError: no study of this name, or one that needs the checkout where there is none.
    """
    if name not in STUDIES:
        raise UserError(f"there is no study {name!r}: use one of {', '.join(STUDIES)}")
    study = STUDIES[name]
    if study.module.startswith("tests."):
        sys.path.insert(0, "")
        if importlib.util.find_spec("tests") is None or importlib.util.find_spec(study.module) is None:
            raise UserError(f"the study {name} runs in a checkout of the repository: change into its folder")
    if words and not study.options:
        if set(words) & {"-h", "--help"}:
            print(f"usage: medattn study {name}\n\n{study.summary}\nIt takes no options and writes {study.writes}.")
            return 0
        raise UserError(f"the study {name} takes no options, such as {words[0]}: leave them out")
    before = sys.argv
    sys.argv = [f"medattn study {name}", *words]
    try:
        with _wrong_words_in_one_line(name):
            run_module(study.module, run_name="__main__", alter_sys=False)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        raise UserError(str(ended.code)) from ended
    finally:
        sys.argv = before
    return 0


@contextlib.contextmanager
def _wrong_words_in_one_line(name: str) -> Iterator[None]:
    """While it lasts, a parser answers a wrong word by a UserError in place of its whole usage; studies run alone."""

    def error(parser: argparse.ArgumentParser, message: str) -> NoReturn:
        raise UserError(f"{message} (see `medattn study {name} --help`)")

    before, in_one_line = argparse.ArgumentParser.error, cast(Any, error)
    argparse.ArgumentParser.error = in_one_line  # type: ignore[method-assign]  # each study makes a parser of its own
    try:
        yield
    finally:
        argparse.ArgumentParser.error = before  # type: ignore[method-assign]  # see above
