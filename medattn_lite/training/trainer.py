"""One training loop for every recipe: any device, precision and number of processes, and exact after a stop.

Which images a step sees and how they are changed is a function of the seed and of the step's number; so is the
learning rate, and the random numbers inside the network. A state saved after a step therefore needs no more
than weights and optimiser, and a run that was killed ends with the weights it would have had (on one device;
many GPU kernels add in no fixed order). Hugging Face accelerate brings device, precision and processes.

The batch of a recipe is the batch of all processes together: each takes its share of it.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from medattn_lite.errors import UserError
from medattn_lite.training.checkpoint import (
    load_state,
    load_weights,
    read_facts,
    save_state,
    save_weights,
)
from medattn_lite.training.device import put_channels_last
from medattn_lite.training.inference import evaluating
from medattn_lite.training.log import read_log, write_log
from medattn_lite.training.optimisers import learning_rate, make_optimiser, sam_ascent
from medattn_lite.training.processes import one_batch
from medattn_lite.training.recipes.recipe import Settings
from medattn_lite.training.run import BEST, LAST, LOG, STATE, FoldFiles, remedy_for
from medattn_lite.training.tasks.task import Prediction, Rows, Task
from medattn_lite.training.trackers import tracked, values_of

if TYPE_CHECKING:
    from accelerate import Accelerator
    from accelerate.optimizer import AcceleratedOptimizer

SAVE_EVERY = 50  # steps from one saved state to the next, unless said otherwise


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        iteration: steps done.
        best: best validation score so far.
        best_iteration: where it was reached.
        validations_without_improvement: validations since then that were not better.
        seconds: training time, over all starts.
        log: one row per step: iteration, epoch, loss, learning rate, validation score or None.
    """

    iteration: int = 0
    best: float = -math.inf
    best_iteration: int = 0
    validations_without_improvement: int = 0
    seconds: float = 0.0
    log: list[list] = field(default_factory=list)


@contextmanager
def _collecting_what_is_new() -> Iterator[None]:
    """Inside, the garbage collector looks at new objects alone.

    accelerate calls it after each fold; to look through all that torch and others have imported takes a fifth of a
    second, an eighth of a training at smoke scale.
    """
    if gc.get_freeze_count():  # somebody else's choice
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Trainer:
    """Trains one network on one split.

    Args:
        task: images, loss and scores.
        settings: numbers of the recipe, with the variant's changes.
        folder: of this run: `last.safetensors`, `best.safetensors`, `log.csv`, and `state.safetensors` until it ends.
        accelerator: accelerate's.
        seed: of the order of the images, their changes and dropout.
        save_every: steps from one saved state to the next.
        progress: show a bar.
    """

    def __init__(
        self,
        task: Task,
        settings: Settings,
        folder: Path,
        accelerator: Accelerator,
        *,
        seed: int = 0,
        save_every: int = SAVE_EVERY,
        progress: bool = True,
    ) -> None:
        self.task, self.settings, self.folder, self.accelerator = task, settings, folder, accelerator
        self.seed, self.save_every, self.show = seed, save_every, progress and accelerator.is_main_process
        if save_every < 1:
            raise UserError(f"--save-every {save_every}: give how many steps lie between two saved states, 1 or more")
        processes = accelerator.num_processes
        if settings.batch_size % processes:
            raise UserError(
                f"a batch of {settings.batch_size} cannot be shared by {processes} processes: use a number of "
                "processes that divides it"
            )

    @_collecting_what_is_new()
    def fit(self, model: nn.Module, train: Rows, valid: Rows = ()) -> Progress:
        """Trains `model` in place, going on from a saved state if there is one.

        Args:
            model: on the CPU; it ends there, in eval mode, with its best weights if `valid` chose some, else its last.
            train: rows to train on.
            valid: rows to choose the best state by; none keeps the last.

        Returns:
            how it went.
        """
        train_rows = np.asarray(train)
        if self.settings.channels_last:
            put_channels_last(model)
        steps = max(1, len(train_rows) // self.settings.batch_size)
        iterations = self.settings.iterations or steps * (self.settings.epochs or 0)  # one of the two is given
        optimiser = make_optimiser(model, self.settings)
        model, optimiser = self.accelerator.prepare(model, optimiser)
        done = self._resume(model, optimiser)
        # A run that had stopped early, and was killed before its predictions were written, has nothing left to train.
        left = range(0) if self._has_stopped(done) else range(done.iteration, iterations)
        if len(valid) and self.task.validates_start and not done.iteration:
            self._validate(model, valid, done)
        bar = tqdm(left, initial=done.iteration, total=iterations, desc="training", disable=not self.show, leave=False)
        began = time.monotonic()
        with tracked(self.accelerator, self.folder, self.settings, done=done.iteration):
            for iteration in bar:
                rate = learning_rate(self.settings, iteration, steps, iterations)
                loss = self._step(model, optimiser, self._rows(train_rows, iteration, steps), iteration, rate)
                done.iteration, score = iteration + 1, None
                if len(valid) and self._is_due(done.iteration, steps, iterations):
                    score = self._validate(model, valid, done)
                done.log.append([done.iteration, iteration // steps, loss, rate, score])
                self.accelerator.log(values_of(done.log[-1]), step=done.iteration)
                ended = done.iteration == iterations or self._has_stopped(done)
                if ended or done.iteration % self.save_every == 0:
                    now = time.monotonic()
                    done.seconds, began = done.seconds + now - began, now
                    self._save(model, optimiser, done)
                if ended:
                    break
        return self._finish(model, done, chosen=bool(len(valid)))

    def _rows(self, train: np.ndarray, iteration: int, steps: int) -> np.ndarray:
        """The rows of one step that belong to this process: a fresh order each epoch, the short last batch left out."""
        epoch, place = divmod(iteration, steps)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(train))
        size = self.settings.batch_size
        if len(train) < size:  # fewer images than a batch holds: some are seen twice
            order = np.resize(order, size)
        batch = train[order[place * size : (place + 1) * size]]
        share = size // self.accelerator.num_processes
        first = self.accelerator.process_index * share
        return batch[first : first + share]

    def _step(
        self, model: nn.Module, optimiser: torch.optim.Optimizer, rows: np.ndarray, iteration: int, rate: float
    ) -> float:
        # A generator for each place in the batch, so that the processes' shares change as one batch would.
        process = self.accelerator.process_index
        places = range(process * len(rows), (process + 1) * len(rows))
        generators = [torch.Generator().manual_seed(_mixed(self.seed, iteration, place)) for place in places]
        self._set_seed(_mixed(self.seed, iteration, 0, 1))  # of dropout, drawn for the batch of all processes
        batch = self.task.batch(rows.tolist(), generators)
        batch = {name: tensor.to(self.accelerator.device, non_blocking=True) for name, tensor in batch.items()}
        for group in optimiser.param_groups:
            group["lr"] = rate
        model.train()
        optimiser.zero_grad(set_to_none=True)
        loss = self._backward(model, batch)
        if self.settings.sharpness > 0:
            with sam_ascent(model.parameters(), self.settings.sharpness):
                self._backward(model, batch)
        optimiser.step()
        value = float(self.accelerator.reduce(loss.detach().float(), reduction="mean"))
        if not math.isfinite(value):
            raise UserError(f"the loss became {value} at step {iteration + 1}: lower the learning rate, or use fp32")
        return value

    def _set_seed(self, seed: int) -> None:
        if self.accelerator.device.type == "cpu":  # the same numbers; `torch.manual_seed` takes notes for absent GPUs
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def _backward(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        processes, process = self.accelerator.num_processes, self.accelerator.process_index
        with self.accelerator.autocast(), one_batch(model, processes=processes, process=process):
            output = self.task.forward(model, batch)
        loss = self.task.loss(output.float(), batch)
        self.accelerator.backward(loss)
        return loss

    def _is_due(self, iteration: int, steps: int, iterations: int) -> bool:
        every = steps * self.settings.valid_every
        return iteration % every == 0 or iteration == iterations

    def _validate(self, model: nn.Module, valid: Rows, done: Progress) -> float:
        score = self.task.quick_score(predict_rows(self.task, model, valid, self.accelerator, quick=True))
        if score > done.best:
            done.best, done.best_iteration, done.validations_without_improvement = score, done.iteration, 0
            if self.accelerator.is_main_process:
                weights = self.accelerator.unwrap_model(model)
                save_weights(weights, self.folder / BEST, iteration=done.iteration, score=score)
        else:
            done.validations_without_improvement += 1
        return score

    def _has_stopped(self, done: Progress) -> bool:
        patience = self.settings.patience
        return patience is not None and done.validations_without_improvement >= patience

    def _save(self, model: nn.Module, optimiser: AcceleratedOptimizer, done: Progress) -> None:
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            facts = {name: value for name, value in vars(done).items() if name != "log"}
            facts["best"] = done.best if math.isfinite(done.best) else None
            facts["scaler"] = scaler.state_dict() if scaler is not None else None
            # The log first: a state without its log could not go on, a log too long is cut.
            write_log(self.folder / LOG, done.log)
            path = self.folder / STATE
            save_state(self.accelerator.unwrap_model(model), optimiser.optimizer, path, **facts)
        self.accelerator.wait_for_everyone()

    def _resume(self, model: nn.Module, optimiser: AcceleratedOptimizer) -> Progress:
        path = self.folder / STATE
        if not path.exists():
            return Progress()
        plain, remedy = self.accelerator.unwrap_model(model), remedy_for(path)
        facts = load_state(plain, optimiser.optimizer, path, remedy=remedy)
        scaler = facts.pop("scaler", None)
        if scaler and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(scaler)
        facts["best"] = -math.inf if facts["best"] is None else facts["best"]
        if "without_better" in facts:  # of a run that was begun with an earlier version
            facts["validations_without_improvement"] = facts.pop("without_better")
        steps, best = facts["iteration"], self.folder / BEST
        log = read_log(self.folder / LOG, steps)
        if math.isfinite(facts["best"]) and read_facts(best, remedy=remedy)["iteration"] < facts["best_iteration"]:
            raise UserError(f"{best} is older than the state beside it: {FoldFiles(self.folder).remedy}")
        self.accelerator.wait_for_everyone()
        return Progress(**facts, log=log)

    def _finish(self, model: nn.Module, done: Progress, *, chosen: bool) -> Progress:
        plain = self.accelerator.unwrap_model(model)
        if self.accelerator.is_main_process:
            save_weights(plain, self.folder / LAST, iteration=done.iteration)
        self.accelerator.wait_for_everyone()
        plain.to("cpu").eval()
        if chosen and math.isfinite(done.best):
            load_weights(plain, self.folder / BEST, remedy=remedy_for(self.folder / BEST))
        self.accelerator.free_memory()
        return done


def predict_rows(
    task: Task, model: nn.Module, rows: Rows, accelerator: Accelerator, *, quick: bool = False
) -> list[Prediction]:
    """The task's prediction of each row, in order, shared by all processes; every process gets all of them.

    Args:
        task: predicts.
        model: what with.
        rows: of the task.
        accelerator: accelerate's.
        quick: leave out what `quick_score` does not need.
    """
    predict = task.quick_predict if quick else task.predict
    plain = accelerator.unwrap_model(model)
    plain.to(accelerator.device)
    rows = [int(row) for row in rows]
    share = math.ceil(len(rows) / accelerator.num_processes)
    share_of_rows = rows[accelerator.process_index * share : (accelerator.process_index + 1) * share]
    with evaluating(plain), torch.no_grad(), accelerator.autocast():
        predictions = [predict(plain, row, accelerator.device) for row in share_of_rows]
    _require_numbers(predictions)
    if accelerator.num_processes == 1:
        return predictions
    from accelerate.utils import gather_object

    return gather_object(predictions)


def _require_numbers(predictions: Sequence[Prediction]) -> None:
    """A network that answers NaN has no score; a distance that cannot be measured lies deeper, and is null."""
    for row in predictions:
        wrong = [name for name, value in row.items() if isinstance(value, float) and not math.isfinite(value)]
        if wrong:
            raise UserError(f"the network's {wrong[0].replace('_', ' ')} for {row.get('subject', 'a patient')} is no "
                            "number: lower the learning rate, or use fp32")


def _mixed(*numbers: int) -> int:
    """One seed from several."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
