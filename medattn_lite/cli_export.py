"""`medattn export`: a trained network as a MONAI Bundle. `medattn hub`: bundles to and from a hub of models."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from medattn_lite.cli_faults import path, whole
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable

if TYPE_CHECKING:
    from medattn_lite.networks.trained import Trained

_NETWORK = "a network that ships, such as grade_p3d_iam, a folder that medattn train wrote, or a bundle"


def export_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn export` to its parser."""
    _network_options(parser)
    parser.add_argument("out", type=path, metavar="DIR", help="folder of the bundle; it must not exist yet")
    parser.set_defaults(run=_export)


def hub_options(parser: argparse.ArgumentParser) -> None:
    """Adds `medattn hub push` and `medattn hub pull` to their parser."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    push = actions.add_parser("push", help="upload a network as a bundle; HF_TOKEN holds your token")
    _network_options(push)
    push.add_argument("repository", metavar="OWNER/NAME", help="made, private, if it is not there")
    push.add_argument("--public", action="store_true", help="a new repository is seen by everyone")
    push.set_defaults(run=_push)
    pull = actions.add_parser("pull", help="download a bundle into a new folder")
    pull.add_argument("repository", metavar="OWNER/NAME")
    pull.add_argument("out", type=path, metavar="DIR", help="it must not exist yet")
    pull.add_argument("--revision", metavar="R", help="branch, tag or commit; the newest if left out")
    pull.set_defaults(run=_pull)


def _network_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help=_NETWORK)
    parser.add_argument("--variant", metavar="V", help="of a run; the first trained one if left out")
    parser.add_argument("--fold", type=whole(0, 100_000), metavar="K", help="of a run; the first if left out")


def _export(options: argparse.Namespace) -> int:
    from medattn_lite.networks.bundle import write_bundle

    source, out = Path(options.network).expanduser(), options.out.expanduser().resolve()
    if source.is_dir() and out.is_relative_to(source.resolve()):
        raise UserError(f"{options.out} lies in {options.network}, which is exported: name a folder outside of it")
    trained = trained_network(options.network, variant=options.variant, fold=options.fold)
    print(printable(str(write_bundle(trained, options.out))))
    _warn(trained)
    return 0


def _push(options: argparse.Namespace) -> int:
    from medattn_lite.networks.bundle import write_bundle
    from medattn_lite.networks.hub import push

    trained = trained_network(options.network, variant=options.variant, fold=options.fold)
    _warn(trained)
    with tempfile.TemporaryDirectory() as place:
        bundle = write_bundle(trained, Path(place) / "bundle")
        print(printable(push(bundle, options.repository, private=not options.public)))
    return 0


def _pull(options: argparse.Namespace) -> int:
    from medattn_lite.networks.hub import pull

    print(printable(str(pull(options.repository, options.out, revision=options.revision))))
    return 0


def _warn(trained: Trained) -> None:
    if trained.facts.get("data") != "phantom":
        print("trained on patients: weights may hold more of their images than anyone can say; names are left out")


def trained_network(word: str, *, variant: str | None = None, fold: int | None = None) -> Trained:
    """A trained network that ships, of a run, or of a bundle.

    Raises:
        UserError: there is none of that name, variant or fold.
    """
    from medattn_lite.networks.bundle import is_bundle, load_bundle
    from medattn_lite.networks.trained import load_trained, trained_names

    ships = word in trained_names() and not Path(word).is_dir()
    if ships or is_bundle(word):
        if variant is not None or fold is not None:
            raise UserError(f"{word} is one network: leave --variant and --fold out")
        return load_trained(word) if ships else load_bundle(word)
    return _of_run(Path(word).expanduser(), variant, fold)


def _of_run(folder: Path, variant: str | None, fold: int | None) -> Trained:
    from medattn_lite.explain import open_run
    from medattn_lite.networks.bundle import from_network
    from medattn_lite.training.recipes.recipe import as_json
    from medattn_lite.training.run import Run

    run = open_run(folder, variant=variant, fold=fold)
    if run.choice:
        print(printable(run.choice))
    opened = Run(folder)
    predictions = opened.fold(run.variant.name, run.fold).record()["predictions"]
    facts = {
        "recipe": run.recipe.name, "variant": run.variant.name, "scale": opened.plan.scale, "data": opened.plan.data,
        "fold": run.fold, "seed": opened.plan.seed, "settings": as_json(run.task.settings),
        "outputs": {name: opened.metrics["data_facts"][name] for name in ("channels", "classes", "regions")
                  if name in opened.metrics["data_facts"]},
        "channels": list(run.task.channels), "classes": run.task.output_names(run.network),
        "scores": {key: value.as_dict() for key, value in run.task.score(predictions).items()},
    }  # fmt: skip
    return from_network(run.network, folder.resolve().name, facts)
