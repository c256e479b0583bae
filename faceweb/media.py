"""Where pictures are kept if that is a folder of this machine."""

# Making Path objects would take as long as making a file.
# ruff: noqa: PTH102, PTH120

import contextlib
import fcntl
import os
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import FileSystemStorage


class Folder(FileSystemStorage):
    """Django's storage in a folder, for files whose names are given by who writes them.

    A file of the same name is written over. Django looks for free names and goes through all
    folders for every file, which takes longer than to write a small picture.
    """

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Write all of `content` under just this name, which is returned.

        Raises OSError, and SuspiciousFileOperation for a name that leads out of the folder.
        """
        file = content if isinstance(content, File) else File(content)
        name = name or file.name
        if not name:
            raise SuspiciousFileOperation("A file needs a name.")
        path = self.path(name)
        try:
            target = self._opened(path)
        except FileNotFoundError:
            self._make(os.path.dirname(path))
            target = self._opened(path)
        try:
            # Of two who write at once, the later's file stays, whole.
            fcntl.flock(target, fcntl.LOCK_EX)
            # A new file is empty, and cutting it would make ext4 write it to the disk at close.
            if os.fstat(target).st_size:
                os.ftruncate(target, 0)
            for chunk in file.chunks():
                left = memoryview(chunk)
                while left:
                    left = left[os.write(target, left) :]
        finally:
            os.close(target)
        return name

    def _opened(self, path: str) -> int:
        mode = self.file_permissions_mode or 0o666
        return os.open(path, os.O_WRONLY | os.O_CREAT, mode)

    def _make(self, folder: str) -> None:
        """Make a folder and those it is in, all of them for the same eyes."""
        mode = self.directory_permissions_mode or 0o777
        with contextlib.suppress(FileExistsError):  # another thread was quicker
            try:
                os.mkdir(folder, mode)
            except FileNotFoundError:
                self._make(os.path.dirname(folder))
                os.mkdir(folder, mode)
