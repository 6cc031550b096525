"""A model from Hugging Face: room for it, its files, and proof that they are whole.

Files come over plain HTTP with a Range header, through the hub library's own `http_get`.
Its `snapshot_download` starts an interrupted file from the first byte again, because its
part files belong to one process; DeepSeek-V3 has shards of 4.3 GB, eight on the way at once.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from serve_app.models.cache import FreeBytes, check_room, free_bytes
from serve_app.models.errors import ModelError
from serve_app.models.listing import RemoteFile, wanted
from serve_app.models.meter import Meter, in_parallel, metered

HUB = "https://huggingface.co"
LIST_TIMEOUT_S = 30.0


def download(
    repo: str, folder: Path, *, endpoint: str | None = None, free: FreeBytes = free_bytes
) -> None:
    """Bring what vLLM needs of `repo` into `folder`, going on from what is already there.

    `endpoint` is another hub than $HF_ENDPOINT names. Raises `ModelError`.
    """
    endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    with explained(repo, endpoint):
        commit, files = listed(repo, endpoint)
        here = sum(min(_size(folder / f.path), f.size_bytes) for f in files)
        total = sum(f.size_bytes for f in files)
        check_room(total - here, folder, free)
        with metered(f"Fetching {repo}", total, here) as meter:
            transfer = _Transfer(f"{endpoint}/{repo}/resolve/{commit}", folder, meter)
            in_parallel(transfer.fetch, files, meter)
    _verify(files, folder)


def listed(repo: str, endpoint: str) -> tuple[str, list[RemoteFile]]:
    """The newest commit, and those of its files that vLLM reads; raises `ModelError`."""
    from huggingface_hub import HfApi  # noqa: PLC0415  an engine that resolves needs no hub

    model = HfApi(endpoint=endpoint).model_info(repo, files_metadata=True, timeout=LIST_TIMEOUT_S)
    files = [
        RemoteFile(f.rfilename, f.size, f.blob_id, f.lfs and f.lfs.sha256) for f in model.siblings
    ]
    try:
        return model.sha, wanted(files)
    except ModelError as error:
        raise ModelError(f"{repo} cannot be served: {error}") from None


def get_range(url: str, begin: int, length: int) -> bytes:
    """Some bytes of a file; raises what `explained` explains."""
    from huggingface_hub.utils import build_hf_headers, get_session  # noqa: PLC0415

    span = {"Range": f"bytes={begin}-{begin + length - 1}", "Accept-Encoding": "identity"}
    answer = get_session().get(
        url, headers=build_hf_headers() | span, follow_redirects=True, timeout=LIST_TIMEOUT_S
    )
    answer.raise_for_status()
    content = bytes(answer.content)
    if len(content) != length:
        raise OSError(f"{len(content)} bytes came, {length} were asked for")
    return content


class _Transfer:
    """The files of one commit on their way to one folder."""

    def __init__(self, url: str, folder: Path, meter: Meter) -> None:
        self.url = url
        self.folder = folder
        self.meter = meter

    def fetch(self, file: RemoteFile) -> None:
        from huggingface_hub.file_download import http_get  # noqa: PLC0415
        from huggingface_hub.utils import build_hf_headers  # noqa: PLC0415

        local = self.folder / file.path
        local.parent.mkdir(parents=True, exist_ok=True)
        if _size(local) >= file.size_bytes:
            return
        with local.open("ab") as opened:
            http_get(
                f"{self.url}/{file.path}",
                opened,
                resume_size=opened.tell(),
                # A compressed answer has no ranges.
                headers=build_hf_headers() | {"Accept-Encoding": "identity"},
                displayed_filename=file.path,
                tqdm_class=lambda **_: nullcontext(self.meter),
            )


def _verify(files: Sequence[RemoteFile], folder: Path) -> None:
    total = sum(f.size_bytes for f in files)
    with metered("Checking hashes", total) as meter:

        def verify(file: RemoteFile) -> None:
            _check_file(file, folder / file.path)
            meter.update(file.size_bytes)

        in_parallel(verify, files, meter)


def _check_file(file: RemoteFile, local: Path) -> None:
    size = _size(local)
    if size < file.size_bytes:
        raise ModelError(
            f"{file.path} was cut short after {size} of {file.size_bytes} bytes: "
            "run the same command again, it goes on from there"
        )
    if size > file.size_bytes or not file.is_same_as(local):
        local.unlink()
        raise ModelError(
            f"{file.path} does not have the hash that the hub lists, and was deleted: run the "
            "same command again. If it stays so, a proxy on the way changes files"
        )


def _size(local: Path) -> int:
    return local.stat().st_size if local.exists() else 0


@contextmanager
def explained(repo: str, endpoint: str) -> Iterator[None]:
    """The libraries' errors as one sentence that says what to do."""
    from huggingface_hub.utils import httpx  # noqa: PLC0415

    try:
        yield
    except (OSError, httpx.HTTPError) as error:
        if getattr(error, "errno", None) is not None:
            raise  # this machine's disk, not the hub
        raise ModelError(_sentence(error, repo, endpoint)) from error


def _sentence(error: Exception, repo: str, endpoint: str) -> str:
    from huggingface_hub import errors  # noqa: PLC0415

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError) or status == 403:
        return (
            f"{repo} is gated: accept its terms at {endpoint}/{repo}, "
            "then set HF_TOKEN to a token of that account"
        )
    if isinstance(error, errors.RepositoryNotFoundError) or status in {401, 404}:
        return (
            f"There is no model {repo} at {endpoint}, or it is private: "
            "check the spelling, or set HF_TOKEN to a token that may read it"
        )
    if status is not None:
        return f"{endpoint} answered {status} for {repo}: run the same command again later"
    return (
        f"{endpoint} cannot be reached ({error}). Run this again when it can, and it goes on from "
        "there; or bring the model's folder to this machine and give its path instead of its name"
    )
