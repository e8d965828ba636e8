"""What is remembered of files that were asked for: their state, codings and heads, descriptors, small contents.

Bounded in every direction: number of files, of descriptors, bytes of content. Each entry is compared with the disk at
most once a second and only when it is asked for; names that do not exist leave nothing behind. Least recently used goes
first, to the second.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import time

from ..http.answer import Answer
from ..http.segments import HeldFile
from .delivery import CONTENT_LIMIT_BYTES, Contents, FileChanged, read_all
from .folders import Folders
from .representation import Representation
from .served import ServedFile
from .trees import is_at

FILES_MAX = 12_288
CONTENTS_LIMIT_BYTES = 16 * 1024 * 1024
DESCRIPTORS_MAX = 2048
"""Until ``tick`` says how many there is room for."""
DESCRIPTOR_IDLE_S = 5
"""An open file keeps its room on the disk, also when it was deleted."""


class FileIndex(Contents):
    """The files that were asked for lately, by the canonical raw path; at most ``files_max`` of them.

    Of their contents those up to ``CONTENT_LIMIT_BYTES`` are held while there is room, ``contents_limit_bytes`` in all.
    """

    def __init__(
        self,
        files_max: int = FILES_MAX,
        contents_limit_bytes: int = CONTENTS_LIMIT_BYTES,
        descriptors_max: int = DESCRIPTORS_MAX,
        clock: Callable[[], float] = time,
    ) -> None:
        self._files_max = files_max
        self._contents_limit_bytes = contents_limit_bytes
        self.descriptors_max = descriptors_max
        self.files: OrderedDict[bytes, ServedFile] = OrderedDict()
        self._contents: OrderedDict[Representation, ServedFile] = OrderedDict()
        self._contents_bytes = 0
        self._held: OrderedDict[Representation, ServedFile] = OrderedDict()
        self._folders = Folders(clock)
        self._tick_s = -1

    # The files

    def current(self, key: bytes, tick_s: int) -> ServedFile | None:
        """What is known of ``key`` and was compared with the disk within this second; ``None``: look it up."""
        file = self.files.get(key)
        if file is None or file.checked_s == tick_s:
            return file
        if not file.is_current(self._folders, tick_s) or file.representations[0].ahead:
            self.forget(file)
            return None
        file.checked_s = self._tick_s = tick_s
        self.files.move_to_end(key)
        for representation in file.representations:
            if representation.content is not None:
                self._contents.move_to_end(representation)
            if representation.held is not None:
                self._held.move_to_end(representation)
        return file

    def add(self, file: ServedFile) -> None:
        """Take a new entry in, and let the least recently used one go for it."""
        self._tick_s = file.checked_s
        if (former := self.files.get(file.key)) is not None:
            self.forget(former)
        while len(self.files) >= self._files_max:
            self.forget(next(iter(self.files.values())))
        self.files[file.key] = file

    def forget(self, file: ServedFile) -> None:
        """Drop an entry and its contents."""
        self.files.pop(file.key, None)
        file.checked_s = -1
        for representation in file.representations:
            self._drop_content(representation)
            self._let_go(representation)

    # Their contents

    def open(self, file: ServedFile, chosen: Representation) -> HeldFile:
        """The descriptor that is held, or a new one, which is held from now on."""
        held = chosen.held
        if held is not None:
            if not is_at(held.fd, chosen.state):
                raise FileChanged(file)
        else:
            held = super().open(file, chosen)
            if self.files.get(file.key) is file and self._room_to_hold():
                chosen.held = held
                self._held[chosen] = file
        return held

    def whole(self, file: ServedFile, chosen: Representation, accept_encoding: str | None) -> Answer:
        """The answer with all of it: from memory, where it is or can be kept there."""
        answer = chosen.whole
        if answer is None:
            if chosen.size > CONTENT_LIMIT_BYTES:
                return super().whole(file, chosen, accept_encoding)
            if not self._room_for(chosen.size) or self.files.get(file.key) is not file:
                answer = Answer(200, chosen.head, (), chosen.size)
                answer.file = self.open(file, chosen)
                if chosen.held is None:
                    return answer
            else:
                content = read_all(file, chosen, super().open(file, chosen))
                self._contents_bytes += chosen.size
                self._contents[chosen] = file
                answer = chosen.keep(content)
                self._let_go(chosen)
        file.remember(accept_encoding, answer)
        return answer

    def tick(self, tick_s: int, descriptors_max: int) -> None:
        """Once a second: close the files that nobody has asked for within the last seconds, and those for which there
        is no room any more."""
        self.descriptors_max = min(descriptors_max, self._files_max)
        while self._held:
            representation, file = next(iter(self._held.items()))
            if file.checked_s > tick_s - DESCRIPTOR_IDLE_S and len(self._held) <= self.descriptors_max:
                return
            self._let_go(representation)

    def _room_to_hold(self) -> bool:
        """The same for descriptors as ``_room_for`` for contents."""
        while len(self._held) >= self.descriptors_max:
            oldest = next(iter(self._held), None)
            if oldest is None or self._held[oldest].checked_s == self._tick_s:
                return False
            self._let_go(oldest)
        return True

    def _room_for(self, size: int) -> bool:
        """Make room in memory at the cost of what was not used in this second. What is in use stays: where more is in
        use than there is room, each new content would only drive out one that is needed next."""
        while self._contents_bytes + size > self._contents_limit_bytes:
            oldest = next(iter(self._contents), None)
            if oldest is None or self._contents[oldest].checked_s == self._tick_s:
                return False
            self._drop_content(oldest)
        return True

    def _drop_content(self, representation: Representation) -> None:
        file = self._contents.pop(representation, None)
        if file is not None:
            self._contents_bytes -= representation.size
            representation.drop()
            file.forget_answers()

    def _let_go(self, representation: Representation) -> None:
        """Hold the descriptor no longer; answers that are being sent keep it open."""
        file = self._held.pop(representation, None)
        if file is not None:
            representation.held = None
            if representation.content is None:
                file.forget_answers()
