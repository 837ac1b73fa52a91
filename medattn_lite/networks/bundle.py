"""A trained network as a MONAI Bundle: a folder that MONAI's tools, MONAI Label and a hub take as it is.

    write_bundle(load_trained("grade_p3d_iam"), "grade_p3d_iam")
    load_bundle("grade_p3d_iam").network                                   the same, bit by bit
    monai.bundle.load("grade_p3d_iam", bundle_dir=".", workflow_type="inference")   by MONAI, this package installed

    configs/metadata.json     what MONAI wants to know: versions, inputs, outputs, classes
    configs/inference.json    `network_def`, from which MONAI builds the network
    configs/medattn.json      how it was made and what it scores, as `load_trained` has it
    models/model.pt           the state dict
    docs/README.md, LICENSE

`load_bundle` builds the network by its name in this package's registry and reads tensors only, so that a bundle from
elsewhere runs no code. Names of patients are left out of what is written.

Format: docs.monai.io, MONAI Bundle Specification.
"""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medattn_lite import __version__
from medattn_lite.errors import UserError
from medattn_lite.networks.registry import build
from medattn_lite.networks.trained import Trained

FACTS, WEIGHTS = Path("configs") / "medattn.json", Path("models") / "model.pt"
_PRIVATE = ("subjects", "environment")  # whose images it was trained on, and on which machine
_LICENCE = Path(__file__).resolve().parents[2] / "LICENSE"


def write_bundle(trained: Trained, folder: str | Path) -> Path:
    """Writes a trained network as a MONAI Bundle.

    Args:
        trained: of `load_trained`, or of `medattn export` from a run.
        folder: of the bundle; it must not exist yet, and appears whole or not at all.

    Raises:
        UserError: something is there already, or its parent folder is not.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from medattn_lite.networks import load_bundle, load_trained, write_bundle
        >>> with tempfile.TemporaryDirectory() as place:
        ...     folder = write_bundle(load_trained("lesions_rsa"), Path(place) / "bundle")
        ...     load_bundle(folder).name
        'lesions_rsa'
    """
    folder = Path(folder).expanduser()
    if folder.exists():
        raise UserError(f"{folder} exists already and is not replaced: name another folder")
    if not folder.parent.is_dir():
        raise UserError(f"no folder {folder.parent}: make it first, or name another one")
    facts = {name: value for name, value in trained.facts.items() if name not in _PRIVATE}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as place:
        made = Path(place) / folder.name
        for name in ("configs", "models", "docs"):
            (made / name).mkdir(parents=True)
        _write(made / "configs" / "metadata.json", _metadata(trained, facts))
        _write(made / "configs" / "inference.json", _inference(facts))
        _write(made / FACTS, facts)
        torch.save({name: value.cpu() for name, value in trained.network.state_dict().items()}, made / WEIGHTS)
        (made / "docs" / "README.md").write_text(_card(trained, facts), encoding="utf-8")
        (made / "LICENSE").write_text(_licence(), encoding="utf-8")
        made.rename(folder)
    return folder


def _licence() -> str:
    """The package's licence, from the checkout or from what pip keeps beside an installed package."""
    if _LICENCE.is_file():
        return _LICENCE.read_text(encoding="utf-8")
    from importlib.metadata import files

    kept = next((path for path in files("medattn-lite") or [] if path.name == "LICENSE"), None)
    return "Apache License 2.0\n" if kept is None else kept.read_text(encoding="utf-8")


def is_bundle(folder: str | Path) -> bool:
    """Whether a folder is a bundle that `write_bundle` wrote."""
    return (Path(folder).expanduser() / FACTS).is_file()


def load_bundle(folder: str | Path) -> Trained:
    """Loads a trained network from a bundle that `write_bundle` wrote.

    Raises:
        UserError: it is no such bundle, or its weights are damaged or of another network.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from medattn_lite.networks import load_bundle, load_trained, write_bundle
        >>> with tempfile.TemporaryDirectory() as place:
        ...     folder = write_bundle(load_trained("lesions_rsa"), Path(place) / "bundle")
        ...     load_bundle(folder).name
        'lesions_rsa'
    """
    folder = Path(folder).expanduser()
    if not is_bundle(folder):
        raise UserError(f"{folder} is not a bundle of medattn export: it has no {FACTS}")
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        name, options = str(facts["network"]), dict(facts["options"])
        _ = tuple(facts["channels"]), tuple(facts["settings"]["size"])  # what everything that takes images asks for
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{folder / FACTS} is damaged: get the bundle again") from error
    try:
        network = build(name, **options)
        network.load_state_dict(torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise UserError(f"{folder} has no {WEIGHTS}: get the bundle again") from error
    except (RuntimeError, ValueError, TypeError, OSError, EOFError, pickle.UnpicklingError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder / WEIGHTS} is damaged or of another network than {name}: get the bundle again") \
            from error
    return Trained(str(facts.get("name", folder.name)), network.eval(), facts)


def from_network(network: nn.Module, name: str, facts: Mapping[str, Any]) -> Trained:
    """A network of this package's registry with what is known of it, ready for `write_bundle`.

    Raises:
        UserError: the network was not built by the registry, so that nobody could build it again.
    """
    built = getattr(network, "built_from", None)
    if built is None:
        raise UserError(f"{name} was not built by medattn_lite.networks.registry.build and cannot be exported")
    plain = json.loads(json.dumps({**facts, **built, "name": name}, default=_plain))
    return Trained(name, network.cpu().eval(), plain)


def _metadata(trained: Trained, facts: Mapping[str, Any]) -> dict[str, Any]:
    channels = {str(number): name for number, name in enumerate(trained.channels)}
    outputs = {str(number): name for number, name in enumerate(trained.classes)}
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
                  "meta_schema_20240725.json",
        "version": __version__,
        "changelog": {__version__: "exported by medattn_lite"},
        "monai_version": version("monai"), "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"medattn-lite": __version__, "einops": version("einops")},
        "task": f"{facts.get('recipe', 'image')} ({facts['network']})",
        "description": f"{facts.get('variant', trained.name)}, trained on {facts.get('data', 'unknown data')} at "
                       f"{facts.get('scale', 'unknown')} scale by medattn_lite",
        "authors": "the user of medattn_lite who exported it", "copyright": "see LICENSE",
        "intended_use": "for learning and research; not for patients",
        "network_data_format": {
            "inputs": {"image": {
                "type": "image", "format": "magnitude", "modality": "MR", "num_channels": len(channels),
                "spatial_shape": list(trained.size), "dtype": "float32", "value_range": [],
                "is_patch_data": False, "channel_def": channels,
            }},
            "outputs": {"pred": {
                "type": "probabilities", "format": "classes", "num_channels": len(outputs), "spatial_shape": [],
                "dtype": "float32", "value_range": [], "is_patch_data": False, "channel_def": outputs,
            }},
        },
    }  # fmt: skip


def _inference(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "network_def": {
            "_target_": "medattn_lite.networks.registry.build", "name": facts["network"], **facts["options"],
        },
        "network": "$@network_def.eval()",
        "load": "$@network.load_state_dict(torch.load(@bundle_root + '/models/model.pt', weights_only=True))",
        "initialize": [],
        "run": [],
    }  # fmt: skip


def _card(trained: Trained, facts: Mapping[str, Any]) -> str:
    scores = "\n".join(f"- {name}: {_score(value)}" for name, value in dict(facts.get("scores") or {}).items())
    command = facts.get("command")
    return (
        f"# {trained.name}\n\n`{facts['network']}` with {facts['options']}, trained by medattn_lite on "
        f"{facts.get('data', 'unknown data')}: recipe `{facts.get('recipe')}`, variant {facts.get('variant')!r}. "
        "For learning and research, not for patients.\n\n"
        f"Input: channels {', '.join(trained.channels)}, (B, C, {', '.join(map(str, trained.size))}), each normalised "
        "by `medattn_lite.data.normalise`. "
        f"Outputs, in order: {', '.join(trained.classes)} (logits).\n\n"
        "```python\nfrom medattn_lite.networks.bundle import load_bundle\n\nload_bundle(\"FOLDER\").network\n```\n"
        + (f"\n## Scores on subjects it was not trained on\n\n{scores}\n" if scores else "")
        + (f"\n## Made by\n\n```\n{command}\n```\n" if command else "")
    )


def _score(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    ends = [value.get(name) for name in ("value", "low", "high")]
    return f"{ends[0]} [{ends[1]}, {ends[2]}]"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (tuple, set)) else str(value)
