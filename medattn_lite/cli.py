"""The command `medattn`.

A mistake of the user's is one line on stderr and exit code 2. What a command needs is imported when it runs,
so that `medattn --help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from medattn_lite import __version__
from medattn_lite.cli_audit import audit_options
from medattn_lite.cli_compare import compare_options
from medattn_lite.cli_controls import controls_options
from medattn_lite.cli_explain import explain_options
from medattn_lite.cli_explore import explore_options
from medattn_lite.cli_export import export_options, hub_options
from medattn_lite.cli_faults import (
    LARGEST_SEED,
    folder,
    give_up_output,
    in_options,
    outside_fault,
    path,
    take_any_text,
    whole,
)
from medattn_lite.cli_gpu import gpu_options
from medattn_lite.cli_import import import_options
from medattn_lite.cli_phantom import phantom_options
from medattn_lite.cli_start import start_options
from medattn_lite.cli_study import study_options
from medattn_lite.cli_train import results_options, train_options
from medattn_lite.course.scales import SCALES
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable

USER_MISTAKE = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code.

    Args:
        arguments: the words after `medattn`; those of this process if None.
    """
    take_any_text()
    parser = _parser()
    for word in sys.argv[1:] if arguments is None else arguments:
        if word.startswith("--") and word.endswith("=--"):  # which argparse takes for no word at all
            parser.error(f"{word} names no value")
    options = parser.parse_args(arguments)
    try:
        code = options.run(options)
        sys.stdout.flush()  # a full disk behind `medattn … > file` is noticed here, and not after the end
        return code
    except UserError as error:
        if options.debug:
            raise
        print(f"medattn: {in_options(str(error), options)}", file=sys.stderr)
        return USER_MISTAKE
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        sys.stderr.close()
        return 0
    except Exception as error:
        fault = None if options.debug else outside_fault(error)
        if fault is None:
            raise
        print(f"medattn: {fault}", file=sys.stderr)
        give_up_output()
        return USER_MISTAKE
    except KeyboardInterrupt:
        print("medattn: interrupted", file=sys.stderr)
        return INTERRUPTED


class _OneLineParser(argparse.ArgumentParser):
    """An ArgumentParser that reports a usage error in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"medattn: {printable(message)} (see `{self.prog} --help`)", file=sys.stderr)
        raise SystemExit(USER_MISTAKE)


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="medattn", description="Learn, teach and explore attention in medical imaging.")
    parser.add_argument("--version", action="version", version=f"medattn_lite {__version__}")
    parser.add_argument("--debug", action="store_true", help="show where a mistake was noticed (a traceback)")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _doctor_options(commands.add_parser("doctor", help="what is installed, which device, do widgets show"))
    start_options(commands.add_parser("start", help="copy the course into a folder of yours and open JupyterLab"))
    explore_options(commands.add_parser("explore", help="the explorers alone as one page in a browser"))
    _course_options(commands.add_parser("course", help="run the notebooks in order and write a report"))
    _notebooks_options(commands.add_parser("notebooks", help="make the notebooks from their sources"))
    _check_data_options(commands.add_parser("check-data", help="is a data set's folder usable?"))
    _fetch_options(commands.add_parser("fetch", help="download a data set, or weights, free to download"))
    import_options(commands.add_parser("import", help="a study of DICOM files as NIfTI files, without names"))
    phantom_options(commands.add_parser("phantom", help="write synthetic patients, or measure them"))
    audit_options(commands.add_parser("audit", help="what gives the label away? phantoms, or a folder of yours"))
    controls_options(commands.add_parser("controls", help="small tasks that each mechanism must win, trained"))
    _networks_options(commands.add_parser("networks", help="the papers' networks: parameters, shapes in and out"))
    train_options(commands.add_parser("train", help="run a paper's recipe: train, test and compare its networks"))
    compare_options(commands.add_parser("compare", help="each attention mechanism in one and the same network"))
    explain_options(commands.add_parser("explain", help="what a trained network looks at in an image of yours"))
    export_options(commands.add_parser("export", help="a trained network as a MONAI Bundle"))
    hub_options(commands.add_parser("hub", help="trained networks to and from a hub of models"))
    results_options(commands.add_parser("results", help="one page of results from finished runs"))
    gpu_options(commands.add_parser("gpu-check", help="ten minutes of one GPU: correct? how fast? a first training"))
    _cache_options(commands.add_parser("cache", help="what is kept on disk, so that phantoms are rendered once"))
    study_options(commands.add_parser("study", help="what makes the figures of the project: faithfulness, parity, …"))
    return parser


def _doctor_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps")
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from medattn_lite.course.doctor import doctor

    diagnosis = doctor(device=options.device)
    print(diagnosis)
    return diagnosis.exit_code


def _course_options(parser: argparse.ArgumentParser) -> None:
    from medattn_lite.course.start import own_notebooks

    parser.add_argument("--scale", default="smoke", metavar="S", help="; ".join(f"{s}: {t}" for s, t in SCALES.items()))
    parser.add_argument("--only", default="", metavar="03,05", help="numbers or names of notebooks; all if left out")
    parser.add_argument("--data", default="phantom", metavar="NAME", help="phantom (made on the fly), lgg, brats, …")
    parser.add_argument("--root", type=folder, metavar="DIR", help="folder of the real data set named by --data")
    parser.add_argument("--out", type=path, default=Path("runs/course"), metavar="DIR", help="for the executed copies")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps")
    parser.add_argument("--seed", type=whole(0, LARGEST_SEED), default=0)
    parser.add_argument("--jobs", type=whole(1, 1000), default=1, metavar="N",
                        help="notebooks at a time; they share the cores")
    parser.add_argument("--notebooks", type=path, default=own_notebooks(), metavar="DIR", help="folder of notebooks to "
                        "run; in a folder that `medattn start` made, your copies; elsewhere the course's own")
    parser.set_defaults(run=_course)


def _course(options: argparse.Namespace) -> int:
    from medattn_lite.course.run_course import run_course

    with _sigterm_as_ctrl_c():  # kernels stop, and the report is written
        runs = run_course(
            notebooks=options.notebooks,
            out=options.out,
            only=[word.strip() for word in options.only.split(",") if word.strip()],
            scale=options.scale,
            device=options.device,
            seed=options.seed,
            data=options.data,
            root=options.root,
            jobs=options.jobs,
        )
    for run in runs:
        state = "ran" if run.ok else "FAILED"
        print(f"{printable(run.name)}: {state} in {run.seconds:.1f} s, {run.peak_memory_mb:.0f} MB")
    failed = [run for run in runs if not run.ok]
    for run in failed:
        more = f" (and {len(run.errors) - 1} more)" if len(run.errors) > 1 else ""
        print(printable(f"medattn: {run.name}: {run.errors[0]}{more}"), file=sys.stderr)
    print(printable(f"report: {options.out / 'report.html'}"))
    return int(bool(failed))


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Treats SIGTERM like Ctrl-C inside the block, in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _notebooks_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if anything is stale")
    parser.set_defaults(run=_notebooks)


def _notebooks(options: argparse.Namespace) -> int:
    from medattn_lite.course import generate

    return generate.main(["--check"] if options.check else [])


def _check_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="brats, msd, lgg, open-ms, images, nifti, bids or medmnist3d")
    parser.add_argument("--root", type=folder, required=True, metavar="DIR", help="its folder")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE",
                        help="an option of the data set, such as csv=table.csv, channels=t1,flair or "
                             "label_map=1:4,2:1; may be repeated")
    parser.set_defaults(run=_check_data)


def _check_data(options: argparse.Namespace) -> int:
    from medattn_lite.cli_values import TAKEN, options_of
    from medattn_lite.data import check_dataset

    reader_options = options_of(options.option, "--option", "csv=table.csv", taken=TAKEN)
    report = check_dataset(options.dataset, options.root, **reader_options)
    if report.exit_code == USER_MISTAKE:
        print(printable("medattn: " + "\n".join(report.lines)), file=sys.stderr)
    else:
        print(printable("\n".join(report.lines)))
    return report.exit_code


def _fetch_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", nargs="?", help="open-ms, msd or medmnist3d; resnest50 for ImageNet weights; brats, "
                                                   "lgg and ucsf-pdgm give the steps to get them; left out: list all")
    parser.add_argument("--out", type=path, default=Path("data"), metavar="DIR", help="the data folder (default: data)")
    parser.add_argument("--layout", help="for open-ms MNI, coregistered or raw; for medmnist3d nodule, vessel, "
                                           "adrenal, fracture or organ, or nodule-64, …")
    parser.add_argument("--mirror", action="append", metavar="NAME", help="use this mirror; may be repeated")
    parser.add_argument("--accept-licence", action="store_true", help="you have read the licence, which is shown first")
    parser.add_argument("--overwrite", action="store_true", help="replace files whose checksum differs")
    parser.set_defaults(run=_fetch)


def _fetch(options: argparse.Namespace) -> int:
    from medattn_lite.data import SOURCES, fetch

    if options.dataset is None:
        for source in SOURCES.values():
            how = "by hand: `medattn fetch` gives the steps" if source.steps else "free to download"
            print(f"{source.name:<10} {source.title}\n{'':<10} {source.licence}; {source.size}; {how}")
        return 0
    fetch(options.dataset, options.out, accept_licence=options.accept_licence, layout=options.layout,
          mirrors=options.mirror, overwrite=options.overwrite)
    return 0


def _networks_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks to list (also p3d+eca); all if left out")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=_networks)


def _networks(options: argparse.Namespace) -> int:
    from medattn_lite.networks.description import published, published_mechanisms, table

    descriptions = published(options.names)
    if descriptions is None:  # such as p3d+eca: measured now
        from medattn_lite.networks.registry import describe

        descriptions = [describe(name) for name in options.names]
    if options.json:
        print(json.dumps([item.as_dict() for item in descriptions], indent=2, ensure_ascii=False))
    else:
        print("\n".join([*table(descriptions), *([] if options.names else ["", *published_mechanisms()])]))
    return 0


def _cache_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Prints the folder, what it holds and its limit (MEDATTN_CACHE, MEDATTN_CACHE_MB)."
    parser.add_argument("--clear", action="store_true", help="delete the rendered phantoms, not the atlas")
    parser.set_defaults(run=_cache)


def _cache(options: argparse.Namespace) -> int:
    from medattn_lite.data.cache import cache_content, clear_rendered, rendered_limit_mb

    limit = rendered_limit_mb()  # which may not be a number: said before anything is deleted
    if options.clear:
        print(f"deleted {clear_rendered()} rendered phantoms")
    content = cache_content()
    if content.folder is None:
        print("nothing is kept on disk (MEDATTN_CACHE is empty, or there is no home folder)")
        return 0
    print(f"{content.folder}\nrendered phantoms: {content.heads:,}, {content.rendered:,.0f} MB of at most "
          f"{limit:,.0f} MB (MEDATTN_CACHE_MB)\natlas {content.atlases:,.0f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
