"""The parsers of the studies, which each make one of their own, and bad words for every option of each."""

from __future__ import annotations

import argparse
import runpy
from collections.abc import Iterator
from functools import cache
from typing import Any
from unittest import mock

from medattn_lite.cli_study import STUDIES
from tests.hostile.attack import Accepted

NO_NUMBERS = ("abc", "", " ", "1.5.2", "\x1b[2J", "1,2", "0x10")


class _Made(BaseException):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def parse_only(module: str, **_: Any) -> None:
    """In place of `run_module`: the study's words are read as it reads them, and no study begins."""
    real = argparse.ArgumentParser.parse_args

    def parse(parser: argparse.ArgumentParser, *arguments: Any, **named: Any) -> None:
        real(parser, *arguments, **named)
        raise Accepted

    with mock.patch.object(argparse.ArgumentParser, "parse_args", parse):
        if any(study.module == module and study.options for study in STUDIES.values()):
            runpy.run_module(module, run_name="__main__")
    raise Accepted


@cache
def study_parser(name: str) -> argparse.ArgumentParser:
    """The parser that a study makes."""

    def made(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        raise _Made(parser)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", made):
        try:
            runpy.run_module(STUDIES[name].module, run_name="__main__")
        except _Made as found:
            return found.parser
    raise AssertionError(f"the study {name} makes no parser")


def study_words() -> Iterator[tuple[tuple[str, ...], str]]:
    """Commands that each study must refuse, and the option that is wrong."""
    for name, study in STUDIES.items():
        yield ("study", name, "--no-such-option"), ""
        if not study.options:
            continue
        actions = study_parser(name)._actions
        needed = ["x" for action in actions if not action.option_strings and action.nargs in (None, "+")]
        for action in actions:
            if isinstance(action, argparse._HelpAction) or not action.option_strings:
                continue
            option = action.option_strings[0]
            bad = ["=yes"] if action.nargs == 0 else []
            bad += [f"={text}" for text in NO_NUMBERS] if action.type in (int, float) else []
            bad += ["=no-such-choice"] if action.choices else []
            bad += [""] if action.nargs != 0 and action.nargs not in ("?", "*") else []
            for text in bad:
                yield ("study", name, *needed, f"{option}{text}"), option
