"""What a learner hears of an exception in their code: which, where, on what input, and what to try."""

from __future__ import annotations

import re
import traceback

CASE = "medattn_case"  # the attribute of an exception that holds the input, in words

_ADVICE = {
    "return_types": "`x.max(dim=…)` gives two things, the values and where they are: `x.amax(dim=…)` gives the values "
    "alone.",
    "must match the size of tensor": "Was an axis lost on the way? `keepdim=True` leaves an axis of length 1 where you "
    "summed or averaged.",
    "mat1 and mat2 shapes cannot be multiplied": "A product of matrices (a, b) @ (b, c) needs the same b twice: print "
    "both shapes; is one of them to be turned, `.T` or `.transpose(1, 2)`?",
    "truth value of a": "`if` and `and` want one truth value, and this is a row of them: use `&`, `|`, `~`, "
    "`torch.where` or `.any()`.",
    "Boolean value of Tensor": "`if` and `and` want one truth value, and this is a tensor of them: use `&`, `|`, `~`, "
    "`torch.where` or `.any()`.",
    "can't be converted to numpy": "`tensor.detach().cpu().numpy()`",
    "Can't call numpy() on Tensor": "`tensor.detach().cpu().numpy()`",
    "division by zero": "For some inputs the number below the line is 0: which answer does the exercise want then?",
    "object is not subscriptable": "Brackets `[…]` after a function or a number? A call has round ones.",
    "object is not callable": "Round brackets after something that is not a function: is a name used twice?",
    "only integer tensors of a single element": "A tensor stands where a whole number is wanted: `int(…)`.",
    "out of range": "Count from 0: the last of n places is n − 1.",
    "out of bounds": "Count from 0: the last of n places is n − 1.",
}


def one_line(error: BaseException) -> str:
    """Type and message, short enough to read."""
    text = " ".join(str(error).split())
    text = text if len(text) <= 200 else text[:197] + "…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def where(error: BaseException) -> str:
    """The line of the learner's cell in which it went wrong, and the input, if they can be told."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_cell(frame.filename)]
    case = getattr(error, CASE, "")
    on = f", with {case}" if case else ""
    if not frames:
        return on
    line = (frames[-1].line or "").strip()
    return f", in line {frames[-1].lineno} of your cell" + (f" (`{line}`)" if line else "") + on


def _is_cell(filename: str) -> bool:
    return filename.startswith("<") or "ipykernel" in filename


def advice(error: BaseException) -> str:
    """What to try, from what the exception says."""
    text = str(error)
    if isinstance(error, NameError):
        return "Has every cell above been run? Is the name spelt as it was defined?"
    for part, help_with_it in _ADVICE.items():
        if part in text:
            return help_with_it
    if re.search(r"missing \d+ required|takes \d+ positional|unexpected keyword", text):
        return "Keep the names and the number of arguments that the cell came with."
    if isinstance(error, RecursionError):
        return "Your function calls itself without an end."
    if isinstance(error, (RuntimeError, IndexError, ValueError)):
        return "Print the shapes just before that line, and compare them with what you expect."
    if isinstance(error, TypeError):
        return "Compare the arguments and what you return with the text of the exercise."
    return ""
