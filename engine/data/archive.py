"""Zip files from outside: what is refused before a byte is decoded.

Members are read in place, never extracted.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib

from engine.errors import DataError

MAX_MEMBERS = 300_000
MAX_MEMBER_BYTES = 128 * 2**20
MAX_TOTAL_BYTES = 64 * 2**30
RATIO, RATIO_FROM_BYTES = 100, 256 * 2**20
REPACK = "Pack the class folders into a plain zip again."
# All that zipfile is known to raise on damaged archives.
DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    LookupError,
    OverflowError,
)


def open_zip(path: str) -> zipfile.ZipFile:
    """The archive at `path`, its table of members read; DataError if that is damaged."""
    try:
        return zipfile.ZipFile(path)
    except DAMAGED as error:
        raise DataError(
            f"{printable(os.path.basename(path))}: must be a zip archive, got a damaged one or"
            " something else.",
            REPACK,
        ) from error


def members(archive: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    """The archive's files by name; DataError at the first sign of a hostile or odd archive."""
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise DataError(
            f"{where}: must hold at most {MAX_MEMBERS:,} files, got {len(infos):,}.",
            "Unpack it and give the folder.",
        )
    for info in infos:
        _check_member(info, where)
    files = [info for info in infos if not info.is_dir()]
    _check_sizes(files, archive.start_dir, where)
    return {info.filename: info for info in files}


def read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of one member, no more than its checked size; DataError if they are damaged."""
    try:
        return archive.read(info)
    except DAMAGED as error:
        raise DataError(
            f"{printable(info.filename)}: must be readable, got damaged bytes in the archive.",
            REPACK,
        ) from error


def _check_member(info: zipfile.ZipInfo, where: str) -> None:
    name = printable(info.orig_filename)
    if _leaves(info.orig_filename):
        raise DataError(f"{where}: paths must stay inside the archive, got {name!r}.", REPACK)
    if info.flag_bits & 0x1:
        raise DataError(f"{where}: must not be encrypted, but {name} is.", REPACK)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DataError(f"{where}: must hold plain files only, but {name} is a link.", REPACK)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{where}: must be stored or deflated, but {name} is packed otherwise.", REPACK
        )


def _check_sizes(files: list[zipfile.ZipInfo], bytes_held: int, where: str) -> None:
    for info in files:
        if info.file_size > MAX_MEMBER_BYTES:
            raise DataError(
                f"{where}: each file must unpack to at most {_mib(MAX_MEMBER_BYTES)},"
                f" got {_mib(info.file_size)} for {printable(info.filename)}.",
                "Leave that file out.",
            )
    total = sum(info.file_size for info in files)
    # Members may claim the same bytes several times over; the archive holds each only once.
    packed = min(bytes_held, sum(info.compress_size for info in files))
    if total > MAX_TOTAL_BYTES or (total > RATIO_FROM_BYTES and total > RATIO * packed):
        raise DataError(
            f"{where}: must unpack to at most {_mib(MAX_TOTAL_BYTES)} and {RATIO} times its size,"
            f" got {_mib(total)} from {_mib(packed)}.",
            REPACK,
        )


def _leaves(name: str) -> bool:
    odd = (
        not name
        or name.startswith("/")
        or "\\" in name
        or "\0" in name
        or re.match(r"[A-Za-z]:", name)
    )
    return bool(odd) or ".." in name.split("/")


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"


def printable(name: str) -> str:
    """`name` for messages and class names: composed Unicode, unprintable letters replaced."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = unicodedata.normalize("NFC", text)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
