"""Bundles to and from a hub of models, by huggingface_hub: one repository per network.

    push(bundle_folder, "me/grade-p3d-iam")          needs a token: HF_TOKEN, or `hf auth login`
    pull("me/grade-p3d-iam", "grade_p3d_iam")        a folder for load_bundle and `medattn explain`

The address is huggingface.co unless HF_ENDPOINT names another one, such as a mirror or a hub inside a hospital. What
comes is read as `load_bundle` reads it: tensors and JSON, no code.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medattn_lite.errors import UserError
from medattn_lite.networks.bundle import FACTS, is_bundle, load_bundle

ENDPOINT = "https://huggingface.co"


def endpoint() -> str:
    """Address of the hub."""
    return os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or ENDPOINT


def push(folder: str | Path, repository: str, *, private: bool = True) -> str:
    """Uploads a bundle; the repository is made if it is not there.

    Args:
        folder: of `write_bundle`.
        repository: "owner/name".
        private: for a new repository: seen by its owner alone.

    Returns:
        address of the repository.

    Raises:
        UserError: no bundle, no such name, no right to write, or no connection.
    """
    folder = Path(folder).expanduser()
    if not is_bundle(folder):
        raise UserError(f"{folder} is not a bundle of medattn export: it has no {FACTS}")
    _require_name(repository)
    from huggingface_hub import HfApi

    with _in_one_line(repository):
        api = HfApi(endpoint=endpoint())
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Bundle of medattn_lite")
    return f"{endpoint()}/{repository}"


def pull(repository: str, folder: str | Path, *, revision: str | None = None) -> Path:
    """Downloads a bundle into a new folder, which appears whole and readable or not at all.

    Args:
        repository: "owner/name".
        folder: must not exist yet.
        revision: branch, tag or commit; None takes the newest.

    Raises:
        UserError: the folder exists, there is no such repository, no connection, or no bundle in it.
    """
    folder = Path(folder).expanduser()
    if folder.exists():
        raise UserError(f"{folder} exists already and is not replaced: name another folder")
    if not folder.parent.is_dir():
        raise UserError(f"no folder {folder.parent}: make it first, or name another one")
    _require_name(repository)
    from huggingface_hub import snapshot_download

    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as place:
        made = Path(place) / folder.name
        with _in_one_line(repository, revision):
            snapshot_download(repository, revision=revision, local_dir=made, endpoint=endpoint(),
                              cache_dir=Path(place) / "cache")  # fmt: skip
        if not is_bundle(made):
            raise UserError(f"{repository} holds no bundle of medattn export: it has no {FACTS}")
        load_bundle(made)
        made.rename(folder)
    return folder


def _require_name(repository: str) -> None:
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repository)
        right = repository.count("/") == 1
    except HFValidationError:
        right = False
    if not right:
        raise UserError(f"{repository!r} is not a name of a repository: give OWNER/NAME")


@contextmanager
def _in_one_line(repository: str, revision: str | None = None) -> Iterator[None]:
    """huggingface_hub's errors, whose messages have many lines, as one."""
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise UserError(f"{repository} is open to those who asked for it: ask on {endpoint()}/{repository}, and set "
                        "HF_TOKEN") from error
    except RevisionNotFoundError as error:
        raise UserError(f"{repository} has no {revision!r}: name a branch, a tag or a commit of it, or leave the "
                        "revision out") from error
    except RepositoryNotFoundError as error:
        raise UserError(f"{endpoint()} has no {repository}, or you may not see it: check the name, and HF_TOKEN") \
            from error
    except LocalTokenNotFoundError as error:
        raise UserError("no token for the hub: set HF_TOKEN, or run hf auth login") from error
    except OfflineModeIsEnabled as error:
        raise UserError(_OFFLINE) from error
    except LocalEntryNotFoundError as error:  # "not in the cache": before 1.0 of the library an error of HTTP, too
        if HF_HUB_OFFLINE:
            raise UserError(_OFFLINE) from error
        raise _unreachable(error.__cause__ if isinstance(error.__cause__, Exception) else error) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "?")
        remedy = "check HF_TOKEN and your rights" if status in (401, 403) else "try again later"
        raise UserError(f"{endpoint()} answered {status} for {repository}: {remedy}") from error
    except Exception as error:
        library = type(error).__module__.partition(".")[0]  # huggingface_hub has changed it more than once
        if not isinstance(error, OSError) and library not in ("httpx", "httpx2", "httpcore", "requests", "urllib3"):
            raise
        raise _unreachable(error) from error


_OFFLINE = "HF_HUB_OFFLINE is set, so that no hub is asked: unset it, or copy the folder of the bundle by hand"


def _unreachable(error: Exception) -> UserError:
    words = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return UserError(f"{endpoint()} answered {status}: try again later")
    return UserError(f"cannot reach {endpoint()} ({words}): check the connection, or HF_ENDPOINT")
