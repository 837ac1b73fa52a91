"""`medattn train`: a paper's recipe, run whole; also under `accelerate launch -m medattn_lite.cli train …`.

`medattn results` writes the page of what the runs found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn_lite.cli_faults import LARGEST_SEED, folder, path, whole
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from medattn_lite.training.recipes import Recipe, Settings

PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def train_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn train` to its parser."""
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="its name; --list says which there are")
    parser.add_argument("--list", action="store_true", help="recipes, their variants and their scales")
    parser.add_argument("--scale", default="smoke", metavar="S", help="smoke, laptop or paper")
    parser.add_argument("--data", default="phantom", metavar="NAME", help="phantom (made on the fly), lgg, brats, …")
    parser.add_argument("--root", type=folder, metavar="DIR", help="folder of the real data set named by --data")
    parser.add_argument("--variants", nargs="+", default=[], metavar="NAME",
                        help="as --list gives them, each in quotes; or A,B; all if left out")  # fmt: skip
    parser.add_argument("--folds", type=whole(1, 1000), metavar="K",
                        help="parts of the cross-validation, or random splits")
    parser.add_argument("--first-folds", type=whole(1, 1000), metavar="N", help="run the first N folds only")
    parser.add_argument("--label", metavar="L", help="what to predict, where the data know several: grade or "
                        "idh of lgg, a column of participants.tsv of bids")
    parser.add_argument("--seed", type=whole(0, LARGEST_SEED), default=0, help="of phantoms, folds and training")
    parser.add_argument("--seeds", type=whole(1, 1000), default=1, metavar="N",
                        help="train each network N times, from N seeds, on the same patients and folds")  # fmt: skip
    parser.add_argument("--out", type=path, metavar="DIR", help="runs/RECIPE-DATA-SCALE-SEED if left out")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--precision", default="auto", help="auto or fp32; on a GPU also bf16 or fp16")
    parser.add_argument("--save-every", type=whole(1, 10_000_000), default=50, metavar="N",
                        help="steps between two saved states")
    parser.add_argument("--log", nargs="+", default=[], metavar="TRACKER",
                        help="tensorboard or wandb (offline unless WANDB_MODE says otherwise); log.csv is always kept")
    parser.add_argument("--quiet", action="store_true", help="no progress bars, for logs and notebooks")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="another value in the recipe, such as learning_rate=0.3; may be repeated")  # fmt: skip
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> int:
    from medattn_lite.training.recipes import find_recipe

    if options.list or options.recipe is None:
        print(list_recipes())
        return 0
    from medattn_lite.training.experiment import Plan, check_plan, run_experiment
    from medattn_lite.training.run import Run

    recipe = find_recipe(options.recipe)
    settings = recipe.at(options.scale, options.data)
    changes = _changes(options.set, options.label, recipe, settings)
    plan = Plan(
        recipe=options.recipe, scale=options.scale, data=options.data, root=options.root, seed=options.seed,
        seeds=options.seeds, variants=_variants(options.variants, recipe), folds=options.folds,
        first_folds=options.first_folds, changes=changes, out=options.out,
    )  # fmt: skip
    check_plan(plan)  # before the device is looked for and measured
    accelerator = _accelerator(options.device, options.precision, options.log)
    results = run_experiment(plan, accelerator=accelerator, save_every=options.save_every, progress=not options.quiet)
    if accelerator.is_main_process:
        print(summary(results))
        print(f"metrics: {Run(plan.folder).metrics_file}")
    return 0


def results_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn results` to its parser."""
    parser.add_argument("runs", nargs="*", type=path, metavar="RUN", help="finished runs; none writes the page anew")
    parser.add_argument("--keep", type=path, default=Path("figures/results"), metavar="DIR", help="folder of records")
    parser.add_argument("--out", type=path, default=Path("figures/results.md"), metavar="FILE")
    parser.add_argument("--readme", nargs="?", type=path, const=Path("README.md"), metavar="FILE",
                        help="also write the table of results into this file, between its two marks")  # fmt: skip
    parser.set_defaults(run=_results)


def _results(options: argparse.Namespace) -> int:
    from medattn_lite.cli_results import gather, require_replaceable
    from medattn_lite.data import new_file
    from medattn_lite.escaping import without_tags
    from medattn_lite.evaluation.results import keep, page

    for line in require_replaceable(options.runs, options.keep, options.out):
        print(line)
    new = gather(options.runs, options.keep)
    text = without_tags(page(options.keep, command="medattn results", new=new))
    readme = None if options.readme is None else _readme(options, new)
    for record in keep(new):
        print(record)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for place, written in ((options.out, text), (options.readme, readme)):
        if place is not None and written is not None:
            with new_file(place.resolve(), overwrite=True) as part:
                part.write_text(written, encoding="utf-8")
            print(place)
    return 0


def _readme(options: argparse.Namespace, new: dict[Path, dict[str, Any]]) -> str:
    from medattn_lite.evaluation.readme_table import readme_table, with_table
    from medattn_lite.training.recipes import NAMES

    return with_table(options.readme, readme_table(options.keep, recipes=NAMES, new=new))


def list_recipes() -> str:
    """Every recipe: what it compares, its variants, and its budget at each scale."""
    from medattn_lite.training.recipes import NAMES, find_recipe

    lines = []
    for name in NAMES:
        recipe = find_recipe(name)
        lines += [f"{name}: {recipe.summary}", f"  paper     {recipe.paper}"]
        lines.append("  variants  " + ", ".join(variant.name for variant in recipe.variants))
        for scale, settings in recipe.scales.items():
            budget = f"{settings.epochs} epochs" if settings.epochs else f"{settings.iterations} iterations"
            size = "×".join(map(str, settings.size))
            lines.append(f"  {scale:8}  {settings.folds} folds, {budget}, batch {settings.batch_size}, {size}, "
                         f"{settings.optimiser} {settings.learning_rate:g}")  # fmt: skip
    return "\n".join(lines)


def summary(results: dict[str, Any]) -> str:
    """A run's scores as lines of text."""
    facts = results["data_facts"]
    lines = [f"{results['recipe']} at {results['scale']} scale on {results['data']}: {facts['patients']} patients, "
             f"{results['folds']} folds, seed {results['seed']}; pooled scores with 95 % intervals"]  # fmt: skip
    for name, variant in results["variants"].items():
        scores = ", ".join(f"{score} {_written(value)}" for score, value in variant["pooled"].items())
        lines.append(f"{name} ({variant['parameters']:,} parameters): {scores}")
        lines += _seeds_line(variant)
    for pair in results["comparisons"]:
        scores = ", ".join(f"{score} {_written(value)}" for score, value in pair["difference"].items())
        lines.append(f"{pair['first']} minus {pair['second']}: {scores}")
        lines += _seeds_line(pair)
    return "\n".join(lines)


def _seeds_line(variant: dict[str, Any]) -> list[str]:
    means = [f"{score} {spread['mean']:.3f} (sd {spread['sd']:.3f})" for score, spread in
             variant.get("over_seeds", {}).items()]  # fmt: skip
    return ["  mean over seeds: " + ", ".join(means)] if means else []


def _written(interval: dict[str, Any]) -> str:
    ends = [interval[name] for name in ("value", "low", "high")]
    value, low, high = ("—" if end is None or end != end else f"{end:.3f}" for end in ends)
    return f"{value} [{low}, {high}]"


def _variants(words: list[str], recipe: Recipe) -> tuple[str, ...]:
    """Every name; a word that is not a name itself is several with commas between them."""
    known, names = {variant.name for variant in recipe.variants}, []
    if not all(word.strip(" ,") for word in words):
        raise UserError("--variants names no variant: is a variable of your shell not set? Leave it out to run all")
    for word in words:
        parts = [part.strip() for part in word.split(",") if part.strip()]
        if word.strip() not in known and len(parts) > 1 and not set(parts) <= known:
            quoted = ", ".join(f'"{name}"' for name in known if "," in name)
            hint = f"; names with a comma are words of their own: {quoted}" if quoted else ""
            raise UserError(f"recipe {recipe.name} has no variant {min(set(parts) - known)!r}: use names of "
                            f"medattn train --list{hint}")
        names += [word.strip()] if word.strip() in known else parts
    return tuple(dict.fromkeys(names))


def _changes(words: list[str], label: str | None, recipe: Recipe, settings: Settings) -> dict[str, Any]:
    """Every `--set NAME=VALUE`, and `--label`: fields of `Settings`, the recipe's own `options`, or its task's."""
    from medattn_lite.cli_values import settings_of
    from medattn_lite.training.tasks import find_task

    fields = {name: value for name, value in vars(settings).items() if name not in ("phantom", "network", "options")}
    assignments = [*words, *([f"label={label}"] if label is not None else [])]
    options = {**find_task(recipe).more_options, **settings.options}
    return settings_of(assignments, fields, options, ("label", "label_map"))


def _accelerator(device: str, precision: str, log: Sequence[str] = ()) -> Accelerator:
    from accelerate import Accelerator

    from medattn_lite.training.device import choose, require_precision
    from medattn_lite.training.trackers import find_trackers

    trackers = find_trackers(log)

    if precision not in ("auto", *PRECISIONS):
        raise UserError(f"unknown precision {precision!r}: use auto, {', '.join(PRECISIONS)}")
    chosen = choose(device)
    if chosen.device.type == "cuda" and chosen.device.index is not None:
        raise UserError(f"--device {device}: choose GPUs with CUDA_VISIBLE_DEVICES, and leave --device cuda")
    wanted = chosen.precision if precision == "auto" else precision
    require_precision(chosen.device, wanted)
    accelerator = Accelerator(cpu=chosen.device.type == "cpu", mixed_precision=PRECISIONS[wanted],
                              log_with=trackers or None, project_dir="runs" if trackers else None)
    if accelerator.is_main_process:
        print(f"device {accelerator.device}, {wanted}: {chosen.why}", file=sys.stderr)
    return accelerator
