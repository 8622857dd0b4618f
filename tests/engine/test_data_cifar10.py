"""CIFAR-10 from a local server, from an archive and from image files; a small one built like it."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from engine.data import DATASETS, download, prepare
from engine.data.cifar10 import CLASSES, Cifar10
from engine.errors import DataError
from engine.space import Input
from engine.spec import DataChoice
from tests.pictures import (
    RECORD,
    class_files,
    image_bytes,
    quiet,
    write_cifar,
    write_folder,
    write_tar,
    write_zip,
)

SHAPE = Input(32, 3)
ZIP = Path(__file__).resolve().parents[2].parent / "shared/data/cifar10-images.zip"


class Server(ThreadingHTTPServer):
    """Serves `content` under any name; `cuts` many answers break off half-way."""

    content = b""
    cuts = 0
    resumes = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[int] = []
        self.sent: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/cifar-10-binary.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.server.asked.append(first)
        content, total = self.server.content, len(self.server.content)
        if not self.server.resumes:
            self.send_response(200)
            first = 0
        elif first < total:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        else:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
        rest = content[first:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.cuts:
            self.server.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.server.sent.append(len(rest))
        self.wfile.write(rest)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of a small CIFAR-10, which DATASETS downloads from."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    opened = Server()
    opened.content = write_cifar(tmp_path / "small.tar.gz").read_bytes()
    md5 = hashlib.md5(opened.content).hexdigest()
    monkeypatch.setitem(DATASETS, "cifar10", Cifar10(url=opened.url, md5=md5))
    thread = threading.Thread(target=opened.serve_forever, args=(0.01,))
    thread.start()
    yield opened
    opened.shutdown()
    thread.join()
    opened.server_close()


def read(tmp_path, path="", on_progress=quiet, shape=SHAPE):
    return prepare(DataChoice("cifar10", str(path)), tmp_path / "data", shape, on_progress)


def part_of(tmp_path):
    return tmp_path / "data" / "downloads" / "cifar-10-binary.tar.gz.part"


def test_it_is_downloaded_checked_and_read(server, tmp_path):
    told: list[str] = []
    ready = read(tmp_path, on_progress=lambda _, words: told.append(words))
    assert ready.classes == CLASSES
    assert {name: len(index) for name, index in ready.splits.items()} == {
        "weights": 40,
        "architecture": 10,
        "test": 10,
    }
    assert told[0].startswith("downloading: 0 of 0 MB")
    assert server.asked == [0]


def test_another_size_needs_no_second_download(server, tmp_path):
    read(tmp_path)
    read(tmp_path, shape=Input(16, 1))
    assert server.asked == [0]


def test_a_download_goes_on_where_an_earlier_one_stopped(server, tmp_path):
    part = part_of(tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(server.content[:1000])
    read(tmp_path)
    assert server.asked == [1000]
    assert server.sent == [len(server.content) - 1000]
    assert not part.exists()


def test_a_download_that_breaks_off_goes_on_by_itself(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1000)
    server.cuts = 1
    read(tmp_path)
    assert server.asked == [0, len(server.content) // 2 // 1000 * 1000]


def test_a_server_that_cannot_resume_sends_all_of_it(server, tmp_path):
    server.resumes = False
    part = part_of(tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    assert len(read(tmp_path).labels) == 60


def test_a_complete_part_is_taken_as_it_is(server, tmp_path):
    part = part_of(tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(server.content)
    read(tmp_path)
    assert server.sent == [0]


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    part = part_of(tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(server.content + b"more")
    read(tmp_path)
    assert server.asked == [len(server.content) + 4, 0]


def test_a_wrong_checksum_is_refused_and_nothing_kept(server, tmp_path):
    server.content = server.content[:-1] + b"?"
    with pytest.raises(DataError, match=r"must have the MD5 .* has another"):
        read(tmp_path)
    assert not part_of(tmp_path).exists()
    assert not part_of(tmp_path).with_suffix("").exists()


def test_a_server_that_keeps_breaking_off_is_told_and_the_part_kept(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1000)
    server.cuts = 3
    with pytest.raises(DataError, match="must be reachable, but the download broke off") as caught:
        read(tmp_path)
    assert "local copy" in caught.value.hint
    assert len(server.asked) == 3
    assert part_of(tmp_path).read_bytes() == server.content[: part_of(tmp_path).stat().st_size]
    assert part_of(tmp_path).stat().st_size > server.asked[2]


def test_nobody_answering_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setitem(DATASETS, "cifar10", Cifar10(url="http://127.0.0.1:9/c.tar.gz"))
    with pytest.raises(DataError, match=r"broke off after 0 MB \(no answer\)"):
        read(tmp_path)


def test_a_local_copy_of_the_archive_is_read(tmp_path):
    ready = read(tmp_path, write_cifar(tmp_path / "c.tar.gz", 2))
    records = np.random.default_rng(0).integers(0, 256, (20, RECORD), np.uint8)
    assert (ready.images[3].ravel() == records[3, 1:]).all()
    assert ready.labels[3] == 3
    assert ready.splits["test"].tolist() == list(range(100, 120))


def test_a_local_copy_as_images_is_read(tmp_path):
    files = {
        f"{split}/{name}/{number}.png": image_bytes(
            100 * i + number + 5000 * (split == "test"), (32, 32)
        )
        for split in ("train", "test")
        for i, name in enumerate(CLASSES)
        for number in range(10)
    }
    for path in (write_zip(tmp_path / "c.zip", files), write_folder(tmp_path / "c", files)):
        ready = read(tmp_path, path)
        assert ready.name == "cifar10"
        assert ready.classes == CLASSES
        assert [len(index) for index in ready.splits.values()] == [90, 10, 100]


def refused(tmp_path, path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, path)
    return str(caught.value)


def test_images_of_other_classes_are_refused(tmp_path):
    path = write_folder(tmp_path / "own", class_files())
    assert "must hold the classes airplane, automobile" in refused(tmp_path, path)


def test_the_archive_for_python_is_refused_unopened(tmp_path):
    path = write_tar(tmp_path / "p.tar.gz", {"cifar-10-batches-py/data_batch_1": b"cos\nsystem\n"})
    message = refused(tmp_path, path)
    assert message.startswith("p.tar.gz: must hold data_batch_1.bin to data_batch_5.bin")
    assert "pickled and never opened" in message


def test_a_cut_off_archive_is_refused(tmp_path):
    path = write_cifar(tmp_path / "c.tar.gz")
    path.write_bytes(path.read_bytes()[:-5000])
    assert "c.tar.gz: must be readable, got a damaged archive." in refused(tmp_path, path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "must hold records of 3073 bytes, got 0 bytes"),
        (bytes(5000), "must hold records of 3073 bytes, got 5000 bytes"),
        (b"\x0b" + bytes(3072), "must hold labels 0 to 9, got 11"),
    ],
)
def test_a_batch_of_something_else_is_refused(tmp_path, content, reason):
    assert reason in refused(tmp_path, write_tar(tmp_path / "c.tgz", {"test_batch.bin": content}))


def test_an_archive_of_huge_files_is_refused_unread(tmp_path):
    path = write_tar(tmp_path / "c.tgz", {"test_batch.bin": bytes(10_001 * RECORD)})
    assert "must be CIFAR-10's archive, got another" in refused(tmp_path, path)


@pytest.mark.skipif(not ZIP.exists(), reason="the images of CIFAR-10 are not on this computer")
def test_real_images_of_cifar10_are_read(tmp_path):
    with zipfile.ZipFile(ZIP) as real:
        names = sorted(name for name in real.namelist() if name.endswith("0.jpg"))[::10]
        some = write_zip(tmp_path / "some.zip", {name: real.read(name) for name in names})
    ready = read(tmp_path, some)
    assert len(names) == 600
    assert [len(index) for index in ready.splits.values()] == [450, 50, 100]
    assert ready.report.sizes == {"32×32": 600}
    assert ready.mean == pytest.approx((0.49, 0.48, 0.45), abs=0.03)
