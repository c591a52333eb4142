"""Writing files so that a reader never sees half of one, and reading small ones whole."""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, TextIO, cast

from genomic_ulmfit.errors import InputError

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

GZIP = b"\x1f\x8b"
"""How gzipped data begins."""


@contextlib.contextmanager
def claimed(folder: str | os.PathLike[str], option: str) -> Iterator[None]:
    """Keep a folder for this process while the block runs; the claim ends with the process.

    Parameters
    ----------
    folder : path-like
        Made if missing.
    option : str
        How the user named it, for the message.

    Raises
    ------
    InputError
        If another process has claimed it.
    """
    if fcntl is None:  # Windows.
        yield
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{option}: another run is writing to {folder}. Let it end, or name another folder."
            ) from None
        except OSError:
            pass  # Not every file system can lock.
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its name when the block ends well.

    Parameters
    ----------
    path : path-like
        Final name, or a link to it. Missing parent folders are made.

    Yields
    ------
    pathlib.Path
        Where to write. It has the final name's suffixes, so that writers that look at them
        (gzip, matplotlib) behave. If the block raises, nothing is left under the final name
        that was not there before.

    Raises
    ------
    InputError
        If `path` is a folder or a device.
    """
    # What a link leads to is written, not something in the link's place.
    final = Path(os.path.realpath(path)) if Path(path).is_symlink() else Path(path)
    # Root could replace /dev/null by a file of ours.
    if final.exists() and not final.is_file():
        raise InputError(f"{final}: exists and is no file that can be replaced; name another.")
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Part of the name will do; all of it and more may be longer than names can be.
        prefix = f".{final.name.split('.')[0][:40]}-"
        descriptor, name = tempfile.mkstemp("".join(final.suffixes), prefix, final.parent)
    except OSError as error:
        # It names the temporary file, which nobody asked for.
        raise OSError(error.errno, f"cannot be written: {error.strerror}", str(final)) from error
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        # mkstemp makes files private; give the file the permissions that open() would have.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def open_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a text file to write, which appears under its name when the block ends well.

    Parameters
    ----------
    path : path-like
        If it ends in .gz, in capitals or not, the file is gzipped. The same text always gives
        the same bytes.

    Yields
    ------
    text file
        UTF-8; line ends are written as they are.

    Raises
    ------
    InputError
        As `atomic_path`.
    """
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(atomic_path(path))
        binary: IO[bytes] = stack.enter_context(open(temporary, "wb"))
        if Path(path).suffix.lower() == ".gz":
            # Neither a name nor a time stamp, which would differ from run to run.
            zipped = gzip.GzipFile("", "wb", fileobj=binary, mtime=0)
            binary = cast("IO[bytes]", stack.enter_context(zipped))
        # Names of files need not be text.
        yield stack.enter_context(
            io.TextIOWrapper(binary, encoding="utf-8", errors="backslashreplace", newline="")
        )


def require_writable(folder: str | os.PathLike[str], option: str = "--out") -> None:
    """Check that files can be made in `folder`, before hours of work are lost on it.

    Parameters
    ----------
    folder : path-like
        What the user gave. It need not exist, and is not made.
    option : str
        How the user gave it.

    Raises
    ------
    InputError
        If it is a file or within one, or permission to write is missing.
    """
    wanted = Path(folder)
    nearest = next(place for place in (wanted, *wanted.parents) if place.exists())
    if not nearest.is_dir():
        raise InputError(f"{option}: {nearest} is not a folder; name another one to write to.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{option}: no permission to write to {nearest}; name another folder.")


def require_another(
    out: str | os.PathLike[str],
    *inputs: str | os.PathLike[str] | None,
    option: str = "--out",
) -> None:
    """Check that writing a file replaces none that is read.

    Parameters
    ----------
    out : path-like
        File to write.
    *inputs : path-like or None
        Files, and folders whose files are all read.
    option : str
        How the user named `out`.

    Raises
    ------
    InputError
        If `out` is one of the files or lies in one of the folders.
    """
    for one in inputs:
        if one is None or not Path(one).exists() or not Path(out).exists():
            continue
        if Path(out).samefile(one):
            raise InputError(f"{option}: {out} is what is read; name another place.")
        if Path(one).is_dir() and Path(out).resolve().parent == Path(one).resolve():
            raise InputError(
                f"{option}: {out} belongs to {one}, which is read; name another place."
            )


def read_text(path: str | os.PathLike[str], kind: str) -> str:
    """Return the text of a file, plain or gzipped.

    Parameters
    ----------
    path : path-like
    kind : str
        What the file should be, for error messages: "BED file".

    Raises
    ------
    InputError
        If the file is missing, a folder, damaged or no text.
    """
    with readable(path, kind):
        raw = Path(path).read_bytes()
        return (gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode("utf-8-sig")


@contextlib.contextmanager
def readable(name: str | os.PathLike[str], wanted: str) -> Iterator[None]:
    """Turn what can go wrong in reading a text file, plain or gzipped, into an `InputError`.

    Parameters
    ----------
    name : str or path-like
        Of the file, for the message.
    wanted : str
        What the file should be: "BED file".
    """
    wanted = wanted.rstrip(".")
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file. {advice(name)}") from None
    except IsADirectoryError:
        raise InputError(f"{name}: this is a folder; give one {wanted}.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{name}: the gzip file is truncated or damaged ({error}). Download or copy it again."
        ) from error
    except UnicodeDecodeError:
        raise InputError(
            f"{name}: not a text file in UTF-8. In Excel, save it as 'CSV UTF-8'; elsewhere, "
            f"convert it from its encoding. Give one {wanted}."
        ) from None


def advice(path: str | os.PathLike[str]) -> str:
    """Say what may be meant by a path at which nothing is: what beside it has a name like it."""
    missing = Path(path)
    try:
        beside = [one.name for one in missing.parent.iterdir()]
    except OSError:
        beside = []
    # Files that a name without its suffix stands for, as that of a scan does.
    alike = sorted(name for name in beside if name.startswith(f"{missing.name}."))
    alike = alike or get_close_matches(missing.name, beside, n=1, cutoff=0.75)
    return f"Did you mean {missing.with_name(alike[0])}?" if alike else "Check the path."


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically."""
    with atomic_path(path) as temporary:
        # Names of files need not be text.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON to `path`, atomically."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def table_rows(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """Split the lines of a table into cells of any length."""
    # The csv module stops at 131,072 characters, which is a short contig.
    csv.field_size_limit(2**31 - 1)
    # Strict, for else a quote that nothing closes takes all rows behind it into one cell.
    return csv.reader(lines, delimiter=delimiter, strict=True)
