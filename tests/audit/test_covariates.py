"""Facts that are taken as given: what the others tell beyond them, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medattn_lite import cli
from medattn_lite.audit import audit_dataset, run
from medattn_lite.audit.covariates import adjusted, given_columns
from medattn_lite.errors import UserError
from tests.audit.toys import toys
from tests.data.makers import brain, save, tumour

MODELS = {"groups": ("outside",), "repeats": 12, "progress": False}
RAW = "raw intensities"


@pytest.fixture(autouse=True)
def fewer_deals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CATEGORY_REPEATS", 50)


def aged(count: int = 60, *, beyond: float = 0.0) -> list[dict]:
    """Class 1 is older; age brightens all tissue and changes a fact and a word. `beyond` adds what age does not say."""
    samples, random = toys(count), np.random.default_rng(0)
    for sample in samples:
        age = 50 + 15 * sample["label"] + 8 * float(random.normal())
        shown = age + beyond * sample["label"]
        sample["image"] = sample["image"] * (shown / 50) ** 3
        sample["meta"] |= {"age": age, "atrophy": (shown / 50) ** 2 + 0.05 * float(random.normal()),
                           "ward": "old" if shown > 58 + 2 * float(random.normal()) else "young"}
    return samples


def leak_names(audit) -> set[str]:
    """Names of what tells the label; one name for both models of raw intensities."""
    return {RAW if finding.name.startswith(RAW) else finding.name for finding in audit.leaks}


def test_what_shows_age_alone_tells_the_label_and_nothing_once_age_is_given() -> None:
    plain, adjusted = (audit_dataset(aged(), label="g", given=facts, **MODELS) for facts in ((), ("age",)))
    assert {"age", "atrophy", "ward", RAW} <= leak_names(plain)
    assert not leak_names(adjusted) & {"atrophy", "ward", RAW}, adjusted
    age = next(finding for finding in adjusted.findings if finding.name == "age")
    assert age.verdict == "given" and age.sentence.startswith("taken as given: AUC 0.") and age.tests == 0
    atrophy = next(finding for finding in adjusted.findings if finding.name == "atrophy")
    assert atrophy.sentence.startswith("not better than chance given age: AUC 0.")
    assert adjusted.settings["given"] == ["age"]


def test_what_tells_more_than_age_is_still_caught() -> None:
    audit = audit_dataset(aged(beyond=25.0), label="g", given=("age",), **MODELS)
    assert {"atrophy", "ward", RAW} <= leak_names(audit)
    assert "tells g better than chance given age: AUC" in str(audit)


def test_survival_and_several_classes_are_adjusted_too() -> None:
    samples = aged(90)
    for at, sample in enumerate(samples):
        days = float(np.random.default_rng(at).exponential(300 * np.exp(-(sample["meta"]["age"] - 55) / 8)))
        sample |= {"time": days, "event": True}
    plain, adjusted = (audit_dataset(samples, label="survival", given=facts, groups=(), progress=False)
                       for facts in ((), ("age",)))
    assert {"atrophy", "ward"} <= leak_names(plain) and not leak_names(adjusted) & {"atrophy", "ward"}
    for at, sample in enumerate(samples):  # classes 0, 1 and 2: the old ones are of two kinds
        sample["label"] = sample["label"] * (1 + at // 2 % 2)
    plain, adjusted = (audit_dataset(samples, label="kind", given=facts, groups=(), progress=False)
                       for facts in ((), ("age",)))
    assert "atrophy" in leak_names(plain) and "atrophy" not in leak_names(adjusted)


def test_adjusted_numbers_are_the_residuals_of_least_squares_and_gaps_stay() -> None:
    random = np.random.default_rng(1)
    facts = [{"age": float(age), "sex": "mf"[int(age) % 2]} for age in random.uniform(20, 80, 40)]
    del facts[3]["age"]
    columns = given_columns(facts, ("age", "sex"))
    assert columns.shape == (40, 5)  # one, age, its square, no age, sex
    values = random.normal(size=(40, 2))
    values[5, 1] = np.nan
    left = adjusted(values, columns)
    assert np.isnan(left[5, 1]) and np.isfinite(left).sum() == 79
    np.testing.assert_allclose(columns.T @ left[:, 0], 0, atol=1e-9)
    expected = values[:, 0] - columns @ np.linalg.lstsq(columns, values[:, 0], rcond=None)[0]
    np.testing.assert_allclose(left[:, 0], expected, atol=1e-12)
    assert not adjusted(columns[:, 1] * 3 + 2, columns).any()  # nothing is left of the fact itself
    assert adjusted(values, None) is values and given_columns(facts, ()) is None


def test_a_given_fact_that_is_not_there_or_says_too_much_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    samples = toys(24)
    with pytest.raises(UserError, match=r"--given weight: no such fact; there are .*age.*sex"):
        audit_dataset(samples, label="g", given=("weight",), groups=(), progress=False)
    for at, sample in enumerate(samples):
        sample["meta"]["street"] = f"street {at % 8}"
    with pytest.raises(UserError, match="--given street: 7 numbers and categories are too many for 24 patients"):
        audit_dataset(samples, label="g", given=("street",), groups=(), progress=False)
    assert cli.main(["audit", "phantom", "--given", "age_years", "--quiet"]) == 2
    assert "leave --declared and --given out" in capsys.readouterr().err
    assert cli.main(["audit", "phantom", "--only", "ms", "--quiet"]) == 2
    assert "--only is for --all" in capsys.readouterr().err


def test_the_command_takes_a_column_of_the_users_table_as_given(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rows = ["image_t1,mask,subject,grade,age,scanner"]
    for at in range(30):
        save(brain(seed=at), tmp_path / f"p{at}_t1.nii.gz")
        save(tumour(labels=(1,)), tmp_path / f"p{at}_mask.nii.gz")
        age = 40 + 15 * (at % 2) + at
        rows.append(f"p{at}_t1.nii.gz,p{at}_mask.nii.gz,p{at},{'high' if at % 2 else 'low'},{age},"
                    f"{age / 10 + 0.1 * (at % 3)}")
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    words = ["audit", "nifti", "--root", str(tmp_path), "--label", "grade", "--groups", "none", "--quiet"]
    assert cli.main([*words, "--given", "age", "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "audit.md").read_text()
    assert "## Taken as given" in page and "Adjusted for age: what the others tell beyond that." in page
    assert "| scanner | not better than chance given age: AUC" in page
    assert cli.main([*words, "--given", "smell", "--out", str(tmp_path / "b")]) == 2
    assert "--given smell: no such fact; there are" in capsys.readouterr().err and not (tmp_path / "b").exists()
