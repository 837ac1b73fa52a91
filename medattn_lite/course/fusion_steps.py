"""What notebook 07 needs around its subject: the task of the recipe `fusion` at a scale, answers scored alike, and
ways of attention compared: by cost, and by what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from medattn_lite.course.memory import Cost, measure_cost

if TYPE_CHECKING:
    from medattn_lite.evaluation import Interval
    from medattn_lite.training.tasks import Task

HEAD_MM = (155, 190, 160)  # (D, H, W) of the box that holds a head


def open_fusion_task(numbers: Mapping[str, Any], *, scale: str, data: str, root: str | None, seed: int) -> Task:
    """Opens the task of the recipe `fusion`, with the images read or made.

    Args:
        numbers: of the notebook at this scale: "window" and "n", and "spacing_mm" of a voxel.
        scale: "smoke", "laptop" or "paper".
        data: name of the data set.
        root: its folder.
        seed: of phantoms and folds.
    """
    from medattn_lite.training.recipes import find_recipe, with_changes
    from medattn_lite.training.tasks import open_task

    recipe, mm = find_recipe("fusion"), numbers["spacing_mm"]
    settings = with_changes(recipe.at(scale), {
        "size": (numbers["window"],) * 3, "subjects": numbers["n"], "batch_size": 2,
        "phantom": {"shape": tuple(round(side / mm) for side in HEAD_MM), "spacing_mm": mm},
        "options": {"spacing_mm": mm, "train_share": 0.67, "overlap": 0.25,
                    "lesion_share": 0.0 if scale == "paper" else 1.0},  # windows to train on that must hold tumour
    })  # fmt: skip
    return open_task(recipe, settings, data=data, root=root, seed=seed, progress=False)


def score_answers(
    task: Any, answers: Mapping[str, Callable[[int], Tensor]], rows: Sequence[int], *, draws: int = 500
) -> tuple[dict[str, list[Any]], dict[str, dict[str, Any]]]:
    """Scores answers on the same patients and prints one line for each.

    Args:
        task: of `open_fusion_task`.
        answers: name → function of a row that gives its regions (R, D, H, W), bool.
        rows: of the patients.
        draws: of the bootstrap.

    Returns:
        what `task.compare` takes, by name; and the scores, name → "WT Dice", … → value with its interval.
    """
    distances = None not in task.spacings  # some files do not know how large their voxels are
    measured, scores = {}, {}
    print(f"{'':20}" + "".join(f"{score:>14}" for score in task.measures))
    for name, answer in answers.items():
        with torch.no_grad():
            measured[name] = [task.measured(answer(row), row, distances=distances) for row in rows]
        scores[name] = task.score(measured[name], draws=draws)
        print(f"{name:20}" + "".join(f"{scores[name][score].value:14.2f}" for score in task.measures))
    return measured, scores


def compare_answers(
    task: Any, measured: Mapping[str, list[Any]], pairs: Sequence[tuple[str, str]]
) -> dict[str, Interval]:  # fmt: skip
    """Compares answers two by two, in the Dice of each region on the same patients.

    Args:
        task: of `open_fusion_task`.
        measured: by name, of `score_answers`.
        pairs: names of one answer, and of that which is subtracted.

    Returns:
        "WT: one − other", … → mean difference with its interval; all pairs of the first region come first.
    """
    compared = {f"{one} − {other}": task.compare(measured[one], measured[other]) for one, other in pairs}
    return {f"{region}: {pair}": difference[f"{region} Dice"]
            for region in task.regions for pair, difference in compared.items()}  # fmt: skip


def compare_on_cubes(
    ways: Mapping[str, Callable[..., Tensor]], sides: Sequence[int], *, channels: int
) -> dict[str, list[Cost]]:  # fmt: skip
    """Measures ways to compute one function on cubes of random numbers; prints a line for each on the largest.

    The lines: MiB at the highest point without and with a backward pass, seconds, and how far the result is from that
    of the first way, as a share of its size.

    Args:
        ways: name → function of three tensors (1, C, side, side, side); the first is exact.
        sides: in voxels, rising.
        channels: C.

    Returns:
        name → its cost at each side.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for side in sides:
        inputs = [torch.randn(1, channels, side, side, side) for _ in range(3)]
        for name, way in ways.items():
            costs[name].append(measure_cost(way, *inputs))
    exact, with_gradient = next(iter(ways.values()))(*inputs), [x.clone().requires_grad_() for x in inputs]
    print(f"{side}×{side}×{side}{'MiB':>20}{'with gradient':>15}{'seconds':>9}{'gap ÷ size of exact':>20}")
    for name, way in ways.items():
        cost, backward = costs[name][-1], measure_cost(lambda *x, way=way: way(*x).sum().backward(), *with_gradient)
        gap = (way(*inputs) - exact).norm() / exact.norm()
        print(f"{name:22}{cost.mebibytes:8.1f}{backward.mebibytes:15.1f}{cost.seconds:9.3f}{gap:20.1e}")
    return costs


def print_symptoms(
    attend: Callable[..., tuple[Tensor, Tensor]], variants: Mapping[str, Mapping[str, Any]],
    *, q: Tensor, k: Tensor, v: Tensor,
) -> None:  # fmt: skip
    """Prints a line for each variant of attention, by which a wrong one is known.

    The lines: the lowest and the highest sum of a query's weights; how many places it looks at, e to the entropy of
    its weights; how far the result is from following shuffled slices, as a share of its size; its spread ÷ that of v.

    Args:
        attend: of q, k, v and options; gives the weights (B, N, N) and the result, of the shape of v.
        variants: name → options, and inputs "q", "k" and "v" in place of these.
        q: queries (B, f, D, H, W).
        k: keys.
        v: values.
    """
    order = torch.randperm(v.shape[2])
    print(f"{'variant':26}{'sums':>14}{'looks at':>10}{'follows':>9}{'size ÷ V':>10}")
    for name, changes in variants.items():
        inputs: dict[str, Any] = {"q": q, "k": k, "v": v, **changes}
        options = {option: inputs.pop(option) for option in changes if option not in ("q", "k", "v")}
        weights, out = attend(*inputs.values(), **options)
        shuffled = attend(*(x[:, :, order] for x in inputs.values()), **options)[1]
        sums, places = weights.sum(-1), torch.special.entr(weights).sum(-1).exp().mean()
        follows = (shuffled - out[:, :, order]).norm() / out.norm()
        size = out.std() / inputs["v"].std()
        print(f"{name:26}{sums.min():7.2f}{sums.max():7.2f}{places:10.0f}{follows:9.1e}{size:10.2f}")
