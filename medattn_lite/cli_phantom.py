"""The command `medattn phantom`: synthetic patients as files, next to real ones, measured and timed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from medattn_lite.cli_faults import LARGEST_SEED, folder, path, whole
from medattn_lite.errors import UserError

SMALLEST = 8  # voxels along an axis of a phantom written as files


def phantom_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn phantom` to its parser."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--patients", "--beside", type=folder, metavar="ROOT",
                      help="a picture: phantoms next to the real patients of this folder")
    what.add_argument("--controls", action="store_true", help="what tumour size, the signal and a network can tell")
    what.add_argument("--sharpness", action="store_true", help="does the presence network call blurred heads tumours?")
    what.add_argument("--timings", action="store_true", help="seconds per subject at three sizes")
    parser.add_argument("--n", type=_count, help="how many subjects")
    parser.add_argument("--out", type=path, help="a new folder for the files; a new file with --patients or --controls")
    parser.add_argument("--task", default="grade", help="grade, presence, source, type, segmentation, ms or survival")
    parser.add_argument("--realism", default="matched", help="matched (classes differ in the signal alone) or clinical")
    parser.add_argument("--shape", type=_shape, default=(96, 112, 96), metavar="D,H,W", help="default: 96,112,96")
    parser.add_argument("--scale", default="smoke", metavar="S", help="for --controls: smoke, laptop or paper")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps")
    parser.add_argument("--seed", type=whole(0, LARGEST_SEED), default=0)
    parser.set_defaults(run=_phantom)


def _count(word: str) -> int:
    try:
        return whole(1, 100_000)(word)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of subjects, 1 to 100000") from None


def _shape(word: str) -> tuple[int, ...]:
    parts = word.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and 0 < int(part) <= 1024 for part in parts):
        raise argparse.ArgumentTypeError(f"{word!r} is not three sizes such as 96,112,96")
    if min(int(part) for part in parts) < SMALLEST:
        raise argparse.ArgumentTypeError(f"{word!r}: a head of under {SMALLEST} voxels along an axis shows nothing")
    return tuple(int(part) for part in parts)


def _phantom(options: argparse.Namespace) -> int:
    if not (options.patients or options.controls or options.sharpness or options.timings or options.out):
        raise UserError("phantoms are written as files: add --out DIR (or ask for --patients, --controls, "
                        "--sharpness or --timings)")  # fmt: skip
    if options.patients:
        return _phantoms_and_patients(options)
    if options.controls:
        return _phantom_controls(options)
    if options.sharpness:
        return _phantom_sharpness(options)
    if options.timings:
        return _phantom_timings(options)
    from medattn_lite.data.cache import cache_folder
    from medattn_lite.data.phantom import PhantomCohort
    from medattn_lite.data.phantom.export import export_cohort
    from medattn_lite.training.device import pick_device

    cache_folder()  # which may be named by mistake: said before anything is written
    n = 4 if options.n is None else options.n
    cohort = PhantomCohort(n, task=options.task, realism=options.realism, shape=options.shape,
                           seed=options.seed, device=pick_device(options.device))
    export_cohort(cohort, options.out)
    print(f"{n} synthetic subjects in {options.out}")
    return 0


def _phantoms_and_patients(options: argparse.Namespace) -> int:
    from medattn_lite.data.phantom.phantoms_and_patients import draw_phantoms_and_patients

    picture = options.out or Path("runs/phantom/patients.png")
    draw_phantoms_and_patients(options.patients, picture, n=options.n or 4, seed=options.seed)
    print(f"{picture} (it shows real patients: keep it to yourself)")
    return 0


def _phantom_controls(options: argparse.Namespace) -> int:
    from medattn_lite.evaluation import Interval
    from medattn_lite.training.phantom_controls import phantom_controls

    if options.out and options.out.exists():
        raise UserError(f"{options.out} is there already: name another file for the figures")
    values = phantom_controls(options.scale, options.seed, task=options.task, realism=options.realism, n=options.n,
                              device=options.device)
    for name, value in values.items():
        shown = Interval.from_dict(value).text() if isinstance(value, dict) else value
        print(f"{name:<24} {shown}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        command = (f"medattn phantom --controls --task {options.task} --realism {options.realism} "
                   f"--scale {options.scale}")  # fmt: skip
        record = {"command": f"{command} --out {options.out}", "synthetic": True, **values}
        options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


def _phantom_sharpness(options: argparse.Namespace) -> int:
    from medattn_lite.training.sharpness_control import sharpness_control

    if options.out and options.out.exists():
        raise UserError(f"{options.out} is there already: name another file for the figures")
    result = sharpness_control(**({"subjects": options.n} if options.n else {}))
    print(f"{result['network']}: {result['called_tumour_sharp']:.1%} of {result['slices']} healthy slices called "
          f"tumour, {result['called_tumour_blurred']:.1%} of the same slices blurred; AUC of blurred against sharp "
          f"{result['auc_blurred_against_sharp']:.3f}")  # fmt: skip
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        record = {"command": f"medattn phantom --sharpness --out {options.out}", "synthetic": True, **result}
        options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


def _phantom_timings(options: argparse.Namespace) -> int:
    from medattn_lite.data.phantom.export import timings

    for what, seconds in timings(device=options.device, n=options.n or 3).items():
        print(f"{what:<28} {seconds:.3f} s per subject")
    return 0
