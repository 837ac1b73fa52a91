"""`medattn explain`: what a trained network looks at in an image of yours, as a NIfTI map that lies on it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn_lite.cli_faults import path as a_path
from medattn_lite.cli_faults import whole
from medattn_lite.cli_map_facts import map_facts, write_facts
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable

if TYPE_CHECKING:
    from medattn_lite.data.dataset import Sample
    from medattn_lite.explain import SampleMap

SUFFIX = re.compile(r"\.nii(\.gz)?$")
_TAKEN = ("run", "sample", "method", "target", "at", "layer", "progress", "model", "image", "extra_inputs")
METHODS = "Grad-CAM, Grad-CAM++, LayerCAM, HiResCAM, fused LayerCAM, integrated gradients, occlusion or attention"


def explain_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn explain` to its parser."""
    parser.add_argument("run_folder", type=a_path, metavar="RUN",
                        help="folder that medattn train or medattn export wrote, or a network that ships, "
                             "such as grade_p3d_iam")
    parser.add_argument("--image", nargs="+", action="extend", required=True, metavar="FILE",
                        help="NIfTI: NAME=FILE for each channel, files in the run's order, or one 4-D file")
    parser.add_argument("--channels", metavar="A,B,…", help="order of the channels in a 4-D file, such as "
                        "flair,t1,t1ce,t2; not needed beside the dataset.json of the Decathlon")
    parser.add_argument("--out", type=a_path, required=True, metavar="FILE",
                        help="map.nii.gz; map.png, map.html and map.json (what the map is of) go beside it")
    parser.add_argument("--mask", type=a_path, metavar="FILE",
                        help="of the tumour, for a run that looks at a crop of it")
    parser.add_argument("--at", metavar="X,Y,Z", help="a point in mm (RAS, as viewers show it): the crop's middle "
                                                     "instead of a mask, or the one voxel to explain")
    parser.add_argument("--variant", metavar="V", help="the first trained one if left out")
    parser.add_argument("--fold", type=whole(0, 100_000), metavar="K", help="the first trained one if left out")
    parser.add_argument("--method", default="Grad-CAM", metavar="M", help=f"{METHODS} (default: Grad-CAM)")
    parser.add_argument("--layer", metavar="L", help="name of a layer; a default that is named if left out")
    parser.add_argument("--target", metavar="T", help="class or region, by name or number; what is predicted if left "
                                                      "out")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="an option of the method, such as relu=true, head_only=true, steps=64, window=8 or "
                             "stride=4,8,8")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.set_defaults(run=_explain)  # fmt: skip


def _explain(options: argparse.Namespace) -> int:
    out, picture, page, labels = _outputs(options.out, force=options.force, inputs=_inputs(options))
    at = None if options.at is None else _point(options.at)
    method_options = _method_options(options.set)

    from medattn_lite.data import save_volume
    from medattn_lite.explain import explain_sample, find_method, open_run, open_shipped, read_image
    from medattn_lite.networks.bundle import is_bundle
    from medattn_lite.networks.trained import trained_names
    from medattn_lite.training.device import pick_device

    chosen = find_method(_method_name(options.method))
    unknown = next((name for name in method_options if name not in chosen.options), None)
    if unknown is not None:
        raise UserError(f"{chosen.name} has no option {unknown!r}: use {', '.join(chosen.options) or 'none'}")
    method = chosen.name
    name, device = str(options.run_folder), pick_device(options.device)
    if is_bundle(options.run_folder) or name in trained_names() and not options.run_folder.is_dir():
        if options.variant or options.fold is not None:
            raise UserError(f"{name} is one network: leave --variant and --fold out")
        run = open_shipped(name, device=device)
    else:
        run = open_run(options.run_folder, variant=options.variant, fold=options.fold, device=device)
    order = None if options.channels is None else options.channels.split(",")
    sample = read_image(options.image, run.task.channels, mask=options.mask, order=order)
    if run.choice:
        print(run.choice)
    result = explain_sample(run, sample, method=method, target=options.target, at=at, layer=options.layer,
                            progress=True, **method_options)  # fmt: skip
    save_volume(result.values, out, grid=sample["grid"], overwrite=options.force)
    title = f"{run.recipe.name}, {run.variant.name}"
    _draw(result, sample, title, picture, force=options.force)
    page_line = _write_page(result, sample, title, page, force=options.force)
    write_facts(map_facts(result, run, sample["channels"], out), labels, force=options.force)
    notes = [*sample["meta"]["notes"], *result.notes]
    print(printable("\n".join([f"prediction: {result.prediction}", map_title(result),
                               *(f"note: {note}" for note in notes),
                               str(out), str(picture), page_line, str(labels)])))  # fmt: skip
    return 0


def map_title(result: SampleMap) -> str:
    """The map in a line: method, target, layer and its size."""
    words = result.method + (f" of {result.target}" if result.target else "")
    return words + (f" at {result.layer}, {'×'.join(map(str, result.grid))}" if result.layer else "")


def _draw(result: SampleMap, sample: Sample, title: str, path: Path, *, force: bool) -> None:
    """Three planes through the place in the head where the map is highest."""
    from medattn_lite.data import new_file
    from medattn_lite.explain import place_to_show
    from medattn_lite.plots import render_png, three_planes

    place = place_to_show(result, sample)
    image, values, affine, step = _thinned(result, sample)
    figure = three_planes(
        image, position=tuple(index // step for index in place), affine=affine, overlay=values,
        overlay_title=map_title(result), title=title,
    )  # fmt: skip
    with new_file(path, overwrite=force) as part:
        part.write_bytes(render_png(figure))


def _thinned(result: SampleMap, sample: Sample) -> tuple[Any, Any, Any, int]:
    """Image, map and affine, of a large image at every second voxel: a picture shows no more; and the step."""
    import numpy as np
    from torch import Tensor

    channels = [name.lower() for name in sample["channels"]]
    shown, step = channels.index("flair") if "flair" in channels else 0, 1 if isinstance(sample["image"], Tensor) else 2
    every = (slice(None, None, step),) * 3
    affine = sample["affine"] @ np.diag([step, step, step, 1])
    return sample["image"][shown][every], result.values[every], affine, step


def _write_page(result: SampleMap, sample: Sample, title: str, path: Path, *, force: bool) -> str:
    """The map over the image in three linked planes, as a page; returns its name and size, or why there is none."""
    from medattn_lite.widgets.viewer import view_volume

    image, values, affine, _ = _thinned(result, sample)
    try:
        view = view_volume(image, {map_title(result): values}, affine=affine, title=f"{title}: {map_title(result)}")
    except UserError as error:  # a map without a value above 0, an image with a hole: the files above are written
        return f"note: no {path.name}: {error}"
    size = view.save_as_html(path, overwrite=force)
    return f"{path} ({size / 1e6:.1f} MB: three linked planes, opens in any browser)"


def _inputs(options: argparse.Namespace) -> list[Path]:
    """The files that the command reads, as they were named."""
    words = [word if Path(word).exists() else word.partition("=")[2] or word for word in options.image]
    return [*(Path(word).expanduser() for word in words), *([options.mask.expanduser()] if options.mask else [])]


def _outputs(out: Path, *, force: bool, inputs: Sequence[Path]) -> tuple[Path, Path, Path, Path]:
    """Names map, picture, page and labels; checks these paths before the slow part."""
    out = out.expanduser()
    if not SUFFIX.search(out.name):
        raise UserError(f"--out {out} is not a NIfTI file: the name must end in .nii or .nii.gz")
    if not out.parent.is_dir():
        raise UserError(f"no folder {out.parent}: make it first, or choose another --out")
    picture, page, labels = (out.with_name(SUFFIX.sub("", out.name) + ending) for ending in (".png", ".html", ".json"))
    for path in (out, picture, page, labels):
        same = next(
            (
                input_path
                for input_path in inputs
                if input_path.exists() and path.exists() and path.samefile(input_path)
            ),
            None,
        )
        if same is not None:
            raise UserError(f"{path} is the input {same} itself, which --force does not replace: choose another --out")
        if path.is_dir():
            raise UserError(f"{path} is a folder: name a file for the map, as in --out {path}/map.nii.gz")
        if os.path.lexists(path) and not force:
            raise UserError(f"{path} exists already: choose another --out, or replace it with --force")
    return out, picture, page, labels


def _point(word: str) -> tuple[float, ...]:
    try:
        point = tuple(float(part) for part in word.split(","))
    except ValueError:
        point = ()
    if len(point) != 3:
        raise UserError(f"--at {word} is not a point: give three numbers of millimetres, as in --at=-32,10.5,18")
    return point


def _method_name(word: str) -> str:
    """Spelling does not matter: `gradcam++`, `grad-cam++` and `Grad-CAM++` are one; `ig` is integrated gradients."""
    from medattn_lite.explain import METHODS as KNOWN

    plain = {re.sub(r"[^a-z+]", "", name.lower()): name for name in KNOWN}
    plain["ig"] = "integrated gradients"
    return plain.get(re.sub(r"[^a-z+]", "", word.lower()), word)


def _method_options(words: list[str]) -> dict[str, Any]:
    """Options of a method: whole numbers, one or several, true and false, and the word of `fusion`."""
    from medattn_lite.cli_values import options_of

    options = options_of(words, "--set", "window=8", taken=_TAKEN)
    for name, value in options.items():
        numbers = all(isinstance(part, int) for part in (value if isinstance(value, tuple) else (value,)))
        if not numbers and not (name == "fusion" and isinstance(value, str)):
            raise UserError(f"--set {name}: give whole numbers or true, as in window=8")
    return options
