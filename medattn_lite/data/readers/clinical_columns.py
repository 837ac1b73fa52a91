"""Follow-up and patient in a table, by the names that clinics, TCGA and cBioPortal give their columns.

What a column is taken for is always said (`Found.notes`), and so is a column that looks like one and is not taken: a
time without its event, or a word that means neither alive nor dead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medattn_lite.data.readers.csv_tables import number, text
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}
SUBJECT = ("subject", "patient", "patientid", "subjectid", "participantid", "participant", "bcrpatientbarcode",
           "casesubmitterid", "submitterid", "patientname", "patientidentifier")
_TIME = ("time", "ostime", "survival", "survivaltime", "overallsurvival", "overallsurvivaltime", "followup",
         "followuptime", "timetoevent", "timetodeath", "duration", "surv", "survtime", "osdays", "os")
_EVENT = ("event", "status", "vitalstatus", "osstatus", "osevent", "overallsurvivalstatus", "survivalstatus", "death",
          "dead", "died", "deceased", "deathevent", "eventobserved", "censored", "censoring", "os", "osindicator")
_UNIT = re.compile(r"(day|week|month|year)s?$|(?<=[a-z])(d|mo|mos|yr|yrs|wk|wks)$")
_SHORT = {"d": "day", "mo": "month", "mos": "month", "yr": "year", "yrs": "year", "wk": "week", "wks": "week"}
DEAD = {"1", "1.0", "true", "yes", "y", "dead", "deceased", "died", "death", "event", "1:deceased", "1:dead"}
ALIVE = {"0", "0.0", "false", "no", "n", "alive", "living", "censored", "0:living", "0:alive", "lost to follow-up"}
MONTHS_BELOW = 200.0  # a cohort whose longest follow-up in days is shorter is more likely written in months


@dataclass
class Found:
    """The columns of a table that say who and for how long.

    Attributes:
        subject: column of the patient.
        time: column of the follow-up.
        event: column that says whether death was seen.
        days: days per unit of `time`.
        inverted: 1 in `event` means censored.
        notes: what was taken for what, and what was not, to be printed.
    """

    subject: str | None = None
    time: str | None = None
    event: str | None = None
    days: float = 1.0
    inverted: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The columns taken."""
        return self.subject, self.time, self.event


def find_columns(frame: pd.DataFrame, *, used: Sequence[str | None] = ()) -> Found:
    """Which columns are patient, time and event, and in which unit the time is.

    Args:
        frame: the table, text cells.
        used: columns that are something else already (images, masks, labels).
    """
    plain = {name: re.sub(r"[^a-z0-9]", "", str(name).lower()) for name in frame.columns if name not in used}
    columns = Found(subject=_first(plain, SUBJECT))
    times = {name: word for name, word in plain.items() if name != columns.subject and _base(word) in _TIME}
    events = {name: word for name, word in plain.items() if name != columns.subject and word in _EVENT}
    both = set(times) & set(events)  # OS: the event beside OS.time, days where it stands alone
    for name in both:
        binary = all(_event_word(cell) is not None for cell in frame[name] if text(cell) is not None)
        (times if binary else events).pop(name)
    columns.time = _best(times, _TIME, base=True)
    columns.event = _usable_event(frame, events, columns)
    if columns.time is not None:
        unit = _unit(plain[columns.time])
        columns.days = DAYS[unit or "day"]
        _say_time(frame, columns, unit)
    if columns.event is not None:
        columns.inverted = plain[columns.event].startswith("censor")
        if plain[columns.event] != "event":
            columns.notes.append(f"event from the column {columns.event!r}"
                                 + (", in which 1 is censored" if columns.inverted else ""))
    if (columns.time is None) != (columns.event is None):
        lacking = "time" if columns.time is None else "event"
        columns.notes.append(f"{'event' if lacking == 'time' else 'time'} without a column of the {lacking}: survival "
                             "is not known")
    if columns.subject is not None and plain[columns.subject] != "subject":
        columns.notes.append(f"patient from the column {columns.subject!r}")
    taken = {columns.time, columns.event}
    for name in [*times, *events]:
        if name not in taken and not any(repr(name) in line for line in columns.notes):
            columns.notes.append(f"the column {name!r} was left in meta: another one was taken")
    return columns


def follow_up(cell: str | None, columns: Found, path: Path, line: int) -> float | None:
    """Days of follow-up.

    Raises:
        UserError: it is not a number, or below 0.
    """
    if cell is None:
        return None
    value = number(cell)
    if value is None or value < 0:
        raise UserError(f"{path}, line {line}: time {cell!r} is not a number of days; write days of follow-up")
    return value * columns.days


def event(cell: str | None, columns: Found, path: Path, line: int) -> bool | None:
    """Whether death was seen.

    Raises:
        UserError: the word is neither.
    """
    if cell is None:
        return None
    value = _event_word(cell)
    if value is None:
        raise UserError(f"{path}, line {line}: event {cell!r} is neither 1 (died) nor 0 (alive)")
    return value != columns.inverted if cell.strip().lower() not in ("event", "censored") else value


def similar_names(subjects: Sequence[str]) -> list[str]:
    """Remarks about patients whose names differ in zeros alone, as a spreadsheet leaves `001` and `1`."""
    groups: dict[str, set[str]] = {}
    for name in subjects:
        groups.setdefault(re.sub(r"(?<!\d)0+(?=\d)", "", name.lower()), set()).add(name)
    duplicates = [sorted(names) for names in groups.values() if len(names) > 1]
    return [f"{' and '.join(map(repr, names))} look like one patient and count as {len(names)}: write them alike"
            for names in duplicates]


def _say_time(frame: pd.DataFrame, columns: Found, unit: str | None) -> None:
    if re.sub(r"[^a-z]", "", str(columns.time).lower()) != "time" or unit:
        what = f"{unit}s, turned into days" if unit not in (None, "day") else "days"
        columns.notes.append(f"time from the column {columns.time!r}, in {what}")
    values = [value for cell in frame[columns.time] if (value := number(cell)) is not None]
    if unit is None and len(values) > 1 and max(values) < MONTHS_BELOW:
        columns.notes.append(f"the longest follow-up is {max(values):g} days: if these are months, call the column "
                             "time_months")


def _usable_event(frame: pd.DataFrame, events: dict[str, str], columns: Found) -> str | None:
    """The best column of an event; one of another name than `event` must hold words that are understood."""
    for word in _EVENT:
        for name in [column for column, plain in events.items() if plain == word]:
            odd = next((cell for cell in frame[name] if text(cell) is not None and _event_word(cell) is None), None)
            if odd is None or word == "event":
                return name
            columns.notes.append(f"the column {name!r} was not taken as the event: {odd!r} is neither alive nor dead")
    return None


def _event_word(cell: object) -> bool | None:
    word = str(cell).strip().lower()
    return True if word in DEAD else False if word in ALIVE else None


def _first(plain: dict[str, str], words: Sequence[str]) -> str | None:
    return next((name for word in words for name, plain_word in plain.items() if plain_word == word), None)


def _best(columns: dict[str, str], words: Sequence[str], *, base: bool) -> str | None:
    return next(
        (name for word in words for name, column in columns.items() if (_base(column) if base else column) == word),
        None,
    )


def _unit(word: str) -> str | None:
    match = _UNIT.search(word)
    if not match or word in _TIME:
        return None
    return match.group(1) or _SHORT[match.group(2)]


def _base(word: str) -> str:
    """A column's plain name without its unit: `survivalmonths` → `survival`; `days` alone stands for the time."""
    if word in _TIME:
        return word
    match = _UNIT.search(word)
    rest = word[: match.start()] if match else word
    rest = rest.removesuffix("in")
    return rest or "time"
