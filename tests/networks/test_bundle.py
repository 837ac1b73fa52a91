"""A bundle gives the network back bit by bit, here and in MONAI; through a hub too; nobody's name is in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from medattn_lite import cli
from medattn_lite.errors import UserError
from medattn_lite.networks import bundle as bundles
from medattn_lite.networks.bundle import load_bundle, write_bundle
from medattn_lite.networks.hub import pull, push
from medattn_lite.networks.trained import load_trained, trained_names
from tests.networks.hub_server import Hub, serve_hub

NAME = "grade_p3d_iam"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(load_trained(NAME), tmp_path_factory.mktemp("bundles") / NAME)


def image(size: tuple[int, ...], channels: int = 4) -> torch.Tensor:
    return torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", trained_names())
def test_every_shipped_network_comes_back_bit_by_bit(name, tmp_path):
    before = load_trained(name)
    after = load_bundle(write_bundle(before, tmp_path / name))
    exported, again = before.network.state_dict(), after.network.state_dict()
    assert exported.keys() == again.keys() and all(torch.equal(exported[key], again[key]) for key in exported)
    assert (after.size, after.channels, after.classes) == (before.size, before.channels, before.classes)
    assert after.facts["scores"] == before.facts["scores"] and not after.network.training


def test_monai_builds_the_same_network_from_it(bundle):
    from monai.bundle import ConfigParser, load

    ours = load_trained(NAME)
    volume = image(ours.size)
    with torch.no_grad():
        expected = ours.network(volume)
        theirs = load(NAME, bundle_dir=str(bundle.parent), workflow_type="inference", device="cpu").eval()
        assert torch.equal(theirs(volume), expected)
        config = ConfigParser()
        config.read_config(str(bundle / "configs" / "inference.json"))
        config["bundle_root"] = str(bundle)
        network = config.get_parsed_content("network")
        assert not torch.equal(network(volume), expected)  # not loaded yet
        config.get_parsed_content("load")
        assert torch.equal(network(volume), expected)


def test_a_bundle_bears_the_licence_of_an_installed_package_too(monkeypatch, tmp_path):
    monkeypatch.setattr(bundles, "_LICENCE", tmp_path / "none")
    write_bundle(load_trained("grade_p3d_iam"), tmp_path / "one")
    assert "Apache License" in (tmp_path / "one" / "LICENSE").read_text(encoding="utf-8")


def test_metadata_say_what_goes_in_and_out_and_no_names(bundle):
    known = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    data = known["network_data_format"]
    assert data["inputs"]["image"]["channel_def"] == {"0": "t1", "1": "t1ce", "2": "t2", "3": "flair"}
    assert list(data["outputs"]["pred"]["channel_def"].values()) == ["low grade", "high grade"]
    assert not {"monai_version", "pytorch_version", "numpy_version", "version", "changelog"} - set(known)
    patients = load_trained(NAME).facts["subjects"]
    texts = [path.read_text(encoding="utf-8") for path in bundle.rglob("*") if path.suffix in (".json", ".md")]
    assert patients["test"] and not [name for name in patients["test"] for text in texts if name in text]
    assert "AUC" in (bundle / "docs" / "README.md").read_text(encoding="utf-8")


def test_a_run_is_exported_with_the_scores_of_its_fold(tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "bundle"
    words = ["train", "grading", "--scale", "smoke", "--first-folds", "1", "--variants", "P3D + IAM", "--device", "cpu",
             "--quiet", "--set", "epochs=1", "--out", str(run)]  # fmt: skip
    assert cli.main(words) == 0 and cli.main(["export", str(run), str(out), "--variant", "P3D + IAM"]) == 0
    bundle = load_bundle(out)
    weights = next(run.rglob("*.safetensors")).parent
    from safetensors.torch import load_file

    best = weights / "best.safetensors"
    weights_of_run = load_file(best if best.exists() else weights / "last.safetensors")
    assert all(torch.equal(weights_of_run[key], value) for key, value in bundle.network.state_dict().items())
    assert bundle.facts["recipe"] == "grading" and "AUC" in bundle.facts["scores"]
    names = ("t1", "t1ce", "t2", "flair")
    assert cli.main(["phantom", "--n", "1", "--out", str(tmp_path / "own"), "--shape", "24,28,24"]) == 0
    patient = next((tmp_path / "own").rglob("*_t1.nii.gz"))
    files = [f"{name}={str(patient).replace('_t1.', f'_{name}.')}" for name in names]
    maps = []
    for place in (run, out):
        target = tmp_path / f"{place.name}.nii.gz"
        assert cli.main(["explain", str(place), "--image", *files, "--at=0,0,20", "--out", str(target)]) == 0
        maps.append(target.read_bytes())
    assert maps[0] == maps[1]
    assert cli.main(["export", str(run), str(out)]) == 2
    assert "exists already and is not replaced" in capsys.readouterr().err


@pytest.mark.parametrize("inside", ["again", "configs/deep", "../copy/again"])
def test_a_network_is_not_exported_into_itself(bundle, tmp_path, capsys, inside):
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    before = sorted(path.name for path in copy.rglob("*"))
    assert cli.main(["export", str(copy), str(copy / inside)]) == 2
    error = capsys.readouterr().err
    assert "which is exported: name a folder outside of it" in error and error.count("\n") == 1
    assert sorted(path.name for path in copy.rglob("*")) == before
    assert cli.main(["export", str(copy), str(tmp_path / "copy-2")]) == 0


@pytest.mark.parametrize("damage", ["weights", "facts", "incomplete", "other", "missing", "pickle"])
def test_a_damaged_bundle_is_one_line(bundle, tmp_path, damage):
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    weights, facts = copy / bundles.WEIGHTS, copy / bundles.FACTS
    if damage == "weights":
        weights.write_bytes(weights.read_bytes()[:5000])
    if damage == "facts":
        facts.write_text("{")
    if damage == "incomplete":
        kept = json.loads(facts.read_text())
        facts.write_text(json.dumps({name: kept[name] for name in ("network", "options")}))
    if damage == "other":
        torch.save({"a": torch.zeros(1)}, weights)
    if damage == "missing":
        weights.unlink()
    if damage == "pickle":
        torch.save({"a": Path("x")}, weights)
    with pytest.raises(UserError, match="get the bundle again") as caught:
        load_bundle(copy)
    assert "\n" not in str(caught.value)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with serve_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("HF_TOKEN", running.token)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield running


@pytest.mark.network
def test_a_network_goes_to_the_hub_and_comes_back_bit_by_bit(hub: Hub, tmp_path, capsys):
    assert cli.main(["hub", "push", NAME, "me/grade"]) == 0
    assert capsys.readouterr().out.strip() == f"{hub.address}/me/grade" and hub.private == {"me/grade": True}
    assert set(hub.files["me/grade"]) >= {"configs/metadata.json", "models/model.pt", "docs/README.md"}
    assert cli.main(["hub", "pull", "me/grade", str(tmp_path / "back")]) == 0
    before, again = load_trained(NAME).network.state_dict(), load_bundle(tmp_path / "back").network.state_dict()
    assert all(torch.equal(before[key], again[key]) for key in before)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.network
def test_what_the_hub_refuses_is_one_line(hub: Hub, bundle, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="has no me/nothing, or you may not see it") as caught:
        pull("me/nothing", tmp_path / "x")
    assert "\n" not in str(caught.value) and not (tmp_path / "x").exists()
    hub.files["me/other"] = {"a.txt": b"a"}
    hub.private["me/other"] = False
    with pytest.raises(UserError, match="me/other holds no bundle"):
        pull("me/other", tmp_path / "x")
    for name in ("a/b--c..d", "a/b/c", "a b/c"):
        with pytest.raises(UserError, match="give OWNER/NAME"):
            pull(name, tmp_path / "x")
    with pytest.raises(UserError, match="give OWNER/NAME"):
        push(bundle, "me")
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(UserError, match="check the name, and HF_TOKEN|answered 401"):
        push(bundle, "me/grade")
    assert not list(tmp_path.glob("x*"))


@pytest.mark.network
def test_a_revision_that_is_not_there_is_one_line(hub: Hub, tmp_path):
    hub.files["me/grade"], hub.private["me/grade"] = {"a.txt": b"a"}, False
    with pytest.raises(UserError, match="me/grade has no 'v9': name a branch, a tag or a commit") as caught:
        pull("me/grade", tmp_path / "x", revision="v9")
    assert "\n" not in str(caught.value) and not (tmp_path / "x").exists()


@pytest.mark.network
@pytest.mark.parametrize("offline", ["0", "1"])
def test_without_a_hub_a_pull_says_why_in_one_line(tmp_path, offline):
    words = [sys.executable, "-m", "medattn_lite.cli", "hub", "pull", "me/x", str(tmp_path / "x")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env={
        **os.environ, "HF_HUB_OFFLINE": offline, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")})
    expected = "HF_HUB_OFFLINE is set" if offline == "1" else "cannot reach http://127.0.0.1:9 ("
    assert done.returncode == 2 and done.stderr.startswith("medattn: ") and expected in done.stderr
    assert done.stderr.count("\n") == 1 and "refused" in done.stderr + "refused" * int(offline)


@pytest.mark.network
def test_without_a_connection_one_line_names_the_address(bundle, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with pytest.raises(UserError, match="cannot reach http://127.0.0.1:9") as caught:
        push(bundle, "me/grade")
    assert "\n" not in str(caught.value)
