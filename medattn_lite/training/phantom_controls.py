"""Controls of the phantom cohort: what single facts, the declared signal, a network and the oracle can tell.

The label must be in the signal and in nothing else. For grade, presence and source, each with an interval:
the AUC of facts that must tell nothing (tumour volume, share of oedema, mass effect, age; near 0.5), of the
declared signal (near 1), and of a small 3-D residual network trained on other subjects; and the C-index of
the true log hazard against the censored times. `medattn audit phantom` looks for more.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.data.phantom import PhantomCohort
from medattn_lite.data.transforms import normalise
from medattn_lite.errors import UserError
from medattn_lite.evaluation.auc_intervals import auc_interval
from medattn_lite.survival.c_index_intervals import c_index_interval
from medattn_lite.training.device import pick_device
from medattn_lite.training.loop import fit

# scale → training subjects, test subjects, iterations, grid, subjects for the oracle
SCALES = {
    "smoke": (12, 12, 8, (28, 32, 28), 200),
    "laptop": (240, 120, 800, (56, 64, 56), 500),
    "paper": (1000, 300, 3000, (96, 112, 96), 2000),
}
_EVERYWHERE = {"mass_effect": "shift_mm", "age": "age_years"}
# task → fact that must tell nothing → its name in `meta`
ALONE = {
    "grade": {"volume": "whole_ml", "oedema_share": "oedema_share", **_EVERYWHERE},
    "presence": _EVERYWHERE,
    "source": {"volume": "whole_ml", "oedema_share": "oedema_share", **_EVERYWHERE},
}


class SmallResNet(nn.Module):
    """A 3-D residual network of about 0.2 million parameters: stem of stride 2, three stages, two poolings.

    Args:
        in_channels: Sequences.
        num_classes: Outputs.
        width: Channels of the first stage.
    """

    def __init__(self, in_channels: int = 4, num_classes: int = 2, width: int = 16) -> None:
        super().__init__()
        self.stem = _conv(in_channels, width, stride=2)
        stages = (_Residual(width, width), _Residual(width, 2 * width), _Residual(2 * width, 3 * width))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(6 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)  # (B, width, D/2, H/2, W/2)
        x = self.stages(x)  # (B, 3 width, D/16, H/16, W/16)
        pooled = torch.cat([x.mean(dim=(2, 3, 4)), x.amax(dim=(2, 3, 4))], dim=1)  # (B, 6 width)
        return self.head(pooled)


class _Residual(nn.Module):
    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.first = _conv(in_channels, channels, stride=2)
        self.second = nn.Sequential(nn.Conv3d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm3d(channels))
        self.skip = nn.Conv3d(in_channels, channels, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(x)) + self.skip(x))


def _conv(in_channels: int, channels: int, *, stride: int) -> nn.Sequential:
    convolution = nn.Conv3d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(channels), nn.ReLU(inplace=True))


def phantom_controls(
    scale: str = "smoke", seed: int = 0, *, task: str = "grade", realism: str = "matched", n: int | None = None,
    device: str = "auto", progress: bool = True,
) -> dict:  # fmt: skip
    """Measure the controls.

    Args:
        scale: "smoke", "laptop" (under ten minutes on two cores) or "paper".
        seed: Of both cohorts and of the training.
        task: "grade", "presence" or "source".
        realism: "matched" or "clinical", see `PhantomCohort`.
        n: Test subjects, if not the scale's.
        device: Where subjects are rendered and the network is trained.
        progress: Show bars.

    Returns:
        Per control its `value`, `low`, `high`; and what was run.
    """
    if scale not in SCALES:
        raise UserError(f"scale={scale!r}: choose from {', '.join(SCALES)}")
    if task not in ALONE:
        raise UserError(f"task={task!r}: choose from {', '.join(ALONE)}")
    training, test, iterations, shape, for_oracle = SCALES[scale]
    test = n or test
    place = pick_device(device)
    cohorts = (PhantomCohort(count, task=task, realism=realism, shape=shape, seed=2 * seed + k, device=place)
               for k, count in enumerate((training, test)))  # fmt: skip
    (images, labels, _), (unseen, truth, facts) = (_render(cohort, progress) for cohort in cohorts)
    torch.manual_seed(seed)
    model = SmallResNet(in_channels=images.shape[1])
    history = fit(model, images, labels, iterations=iterations, batch_size=8, learning_rate=2e-3, seed=seed,
                  device=place, progress=progress)  # fmt: skip
    scores = {f"auc_{name}_alone": np.array([row[key] for row in facts]) for name, key in ALONE[task].items()}
    scores["auc_true_signal"] = np.array([_declared(task, row) for row in facts])
    scores["auc_network"] = _probabilities(model, unseen, place)
    outcome = PhantomCohort(for_oracle, task="survival", seed=2 * seed + 1).table()
    oracle = c_index_interval(outcome["event"], outcome["time"], outcome["oracle_risk"])
    return {name: auc_interval(truth.numpy(), score).as_dict() for name, score in scores.items()} | {
        "c_index_oracle": oracle.as_dict(),
        "events_oracle": float(np.mean(outcome["event"])),
        "loss_first_and_last": [history.loss[0], float(np.mean(history.loss[-10:]))],
        "task": task,
        "realism": realism,
        "scale": scale,
        "seed": seed,
        "training_subjects": training,
        "test_subjects": test,
        "oracle_subjects": for_oracle,
        "shape": list(shape),
        "iterations": iterations,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def _declared(task: str, facts: dict) -> float:
    """The declared signal as one number: for grade the share that enhances or is dead, for source the roundness."""
    if task == "grade":
        return (facts["enhancing_ml"] + facts["necrosis_ml"]) / facts["whole_ml"]
    return facts["whole_ml"] if task == "presence" else facts["roundness"]


def _render(cohort: PhantomCohort, progress: bool) -> tuple[Tensor, Tensor, list[dict]]:
    """Normalised images, labels, and the facts of each subject."""
    from tqdm.auto import tqdm

    images, labels, facts = [], [], []
    for index in tqdm(range(len(cohort)), desc="phantoms", disable=not progress, leave=False):
        sample = cohort[index]
        images.append(normalise(sample["image"]).cpu().to(torch.float16))
        labels.append(sample["label"])
        facts.append(sample["meta"])
    return torch.stack(images).float(), torch.tensor(labels), facts


@torch.no_grad()
def _probabilities(model: nn.Module, images: Tensor, device: torch.device) -> np.ndarray:
    model.eval()
    parts = [model(batch.to(device)).softmax(dim=1)[:, 1].cpu() for batch in images.split(8)]
    return torch.cat(parts).numpy()
