"""A quiz in plain ipywidgets: every answer gets its own feedback, and it can be read without a kernel.

Each option is a button, so Tab, Enter and the space bar are enough. The same output carries a text: where
no widget can be shown (a printed page, a web preview), the questions stand there with the answers folded away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets

from medattn_lite.course.checks import code_html

_LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Question:
    """One question with one right answer.

    Attributes:
        text: the question.
        options: what can be answered, two to eight.
        answer: the right option, or its position from 0.
        feedback: for each option, why it is right or what it misses.

    Raises:
        ValueError: a question that cannot be answered: too few or equal options, feedback that does not
            go with them, or an answer that is none of them.
    """

    text: str
    options: Sequence[str]
    answer: int | str
    feedback: Sequence[str]

    def __post_init__(self) -> None:
        if not 2 <= len(self.options) <= len(_LETTERS) or len(set(self.options)) < len(self.options):
            raise ValueError(f"{self.text!r} needs two to eight different options")
        if len(self.feedback) != len(self.options) or not all(self.feedback):
            raise ValueError(f"{self.text!r} has {len(self.options)} options and needs as many feedbacks")
        if self.answer not in (self.options if isinstance(self.answer, str) else range(len(self.options))):
            raise ValueError(f"{self.text!r}: the answer {self.answer!r} is none of the options")

    @property
    def right(self) -> int:
        """Position of the right option, from 0."""
        return list(self.options).index(self.answer) if isinstance(self.answer, str) else self.answer

    def verdict(self, choice: int) -> str:
        """What a learner reads after choosing."""
        return f"{'✓' if choice == self.right else '✗'} {_LETTERS[choice]}. {self.feedback[choice]}"


class Quiz(ipywidgets.VBox):
    """The questions of a notebook, one under another.

    Attributes:
        questions: what is asked.
        chosen: what has been chosen last, by question; None before.
        status: the line that counts the right answers.
    """

    def __init__(self, questions: Sequence[Question], *, title: str = "Quiz") -> None:
        if not questions:
            raise ValueError("a quiz needs a question")
        self.questions = tuple(questions)
        self.chosen: list[int | None] = [None] * len(self.questions)
        self.title = title
        self.status = ipywidgets.HTML()
        self.feedback = [ipywidgets.HTML() for _ in self.questions]
        self.buttons = [self._buttons(number) for number in range(len(self.questions))]
        parts: list[ipywidgets.Widget] = [ipywidgets.HTML(f"<b>{escape(title)}</b>")]
        for number, question in enumerate(self.questions):
            parts.append(_html(f"<p style='margin: 0.8em 0 0.2em'><b>{number + 1}.</b> {code_html(question.text)}</p>"))
            for button, option in zip(self.buttons[number], question.options, strict=True):
                parts.append(ipywidgets.HBox([button, _html(code_html(option))]))
            parts.append(self.feedback[number])
        self._count()
        super().__init__([*parts, self.status], layout=ipywidgets.Layout(max_width="50em"))

    def choose(self, question: int, option: int) -> None:
        """Answer a question (both counted from 0), as a click on its button does."""
        entry = self.questions[question]
        if not 0 <= option < len(entry.options):
            raise ValueError(f"question {question + 1} has no option {option + 1}")
        self.chosen[question] = option
        colour = "#1a8a5a" if option == entry.right else "#c4560c"
        self.feedback[question].value = (
            f'<div role="status" style="border-left: 5px solid {colour}; padding: 0.2em 0.8em">'
            f"{code_html(entry.verdict(option))}</div>"
        )
        for position, button in enumerate(self.buttons[question]):
            button.button_style = (
                "" if position != option else "success" if option == entry.right else "warning"
            )
        self._count()

    def text(self) -> str:
        """The quiz without widgets: questions, options, and the answers at the end."""
        lines = [self.title]
        for number, question in enumerate(self.questions, start=1):
            lines.append(f"{number}. {question.text}")
            lines += [f"   {letter}. {option}" for letter, option in zip(_LETTERS, question.options, strict=False)]
        lines.append("Answers")
        lines += [f"{number}. {q.verdict(q.right)}" for number, q in enumerate(self.questions, start=1)]
        return "\n".join(lines)

    def html(self) -> str:
        """The quiz as a page without a kernel shows it, each answer folded away."""
        items = []
        for question in self.questions:
            options = "".join(f"<li>{code_html(option)}</li>" for option in question.options)
            answers = "".join(f"<li>{code_html(question.verdict(i))}</li>" for i in range(len(question.options)))
            items.append(f'<li>{code_html(question.text)}<ol type="A">{options}</ol>'
                         f"<details><summary>Answer</summary><ul>{answers}</ul></details></li>")
        return f"<div><b>{escape(self.title)}</b><ol>{''.join(items)}</ol></div>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:  # no front end that draws widgets
            bundle = {}
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data.update({"text/plain": self.text(), "text/html": self.html()})
        return bundle

    def _buttons(self, number: int) -> list[ipywidgets.Button]:
        made = []
        for position, option in enumerate(self.questions[number].options):
            button = ipywidgets.Button(
                description=_LETTERS[position],
                tooltip=f"Question {number + 1}, {_LETTERS[position]}: {option}",
                layout=ipywidgets.Layout(width="3em", flex="0 0 auto"),
            )
            button.on_click(lambda _, question=number, option=position: self.choose(question, option))
            made.append(button)
        return made

    def _count(self) -> None:
        right = sum(c == q.right for c, q in zip(self.chosen, self.questions, strict=True))
        self.status.value = f'<p role="status">{right} of {len(self.questions)} right.</p>'


def quiz(questions: Sequence[Question], *, title: str = "Quiz") -> Quiz:
    """Makes a quiz, shown when it is the last line of a cell.

    Args:
        questions: what to ask, in order.
        title: the line above the first question.
    """
    return Quiz(questions, title=title)


def _html(text: str) -> ipywidgets.HTML:
    # Long options wrap instead of running out of the page.
    return ipywidgets.HTML(text, layout=ipywidgets.Layout(flex="1 1 auto", width="auto"))
