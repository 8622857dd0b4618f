"""One file from the web: checked against its MD5, going on where an earlier try broke off."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from engine.data.locks import alone
from engine.errors import DataError
from engine.store import Progressing

CHUNK = 2**18
TRIES = 3
TIMEOUT_S = 30
WAITING = "waiting: another run downloads the same file"
LOCAL = "Try again, it goes on where it stopped, or give a local copy."


def fetch(url: str, md5: str, folder: Path, on_progress: Progressing) -> Path:
    """The file at `url`, below `folder`; DataError if it cannot be had or is another."""
    import pooch  # brings requests along: slow to import, needed only here

    pooch.get_logger().setLevel(logging.WARNING)
    name = url.rsplit("/", 1)[-1]
    part = folder / f"{name}.part"
    try:
        with alone(folder / f".{name}.lock", on_progress, WAITING):
            path = pooch.retrieve(
                url,
                known_hash=f"md5:{md5}",
                fname=name,
                path=folder,
                downloader=_Resuming(part, on_progress),
            )
    except DataError:
        raise  # also a ValueError, which is what pooch raises for a wrong checksum
    except ValueError as error:
        raise DataError(
            f"{name}: must have the MD5 {md5}, but the downloaded file has another.",
            "Try again, or give a local copy.",
        ) from error
    return Path(path)


class _Resuming:
    """A downloader for pooch that keeps what it has in `part` and asks only for the rest."""

    def __init__(self, part: Path, on_progress: Progressing) -> None:
        self.part, self.on_progress = part, on_progress

    def __call__(self, url: str, output_file: str, mover: object, check_only: bool = False) -> None:
        import requests

        del mover, check_only
        for attempt in range(1, TRIES + 1):
            try:
                self._get_rest(url)
                break
            except requests.RequestException as error:
                if attempt == TRIES:
                    status = getattr(error.response, "status_code", "no answer")
                    raise DataError(
                        f"{url}: must be reachable, but the download broke off"
                        f" after {_mb(self._done())} MB ({status}).",
                        LOCAL,
                    ) from error
        os.replace(self.part, output_file)

    def _done(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _get_rest(self, url: str) -> None:
        import requests

        done = self._done()
        headers = {"Range": f"bytes={done}-", "Accept-Encoding": "identity"}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                if response.headers.get("Content-Range") == f"bytes */{done}":
                    return  # all of it is there already
                self.part.unlink()
            response.raise_for_status()
            resumes = response.status_code == requests.codes.partial_content
            done = done if resumes else 0
            total = done + int(response.headers.get("Content-Length", 0))
            with self.part.open("ab" if resumes else "wb") as file:
                for chunk in response.iter_content(CHUNK):
                    done += file.write(chunk)
                    share = min(1.0, done / total) if total else 0.0
                    self.on_progress(share, f"downloading: {_mb(done)} of {_mb(total)} MB")


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f}"
