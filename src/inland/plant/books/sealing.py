"""Sealing a dead writer's journal: the torn tail cut, a record for each opening that has none.

May be killed anywhere and done again. It syncs no bytes itself: booking syncs a journal before it
reads it, and until then nothing was made of what sealing wrote.
"""

from inland.domain.errors import Damaged
from inland.ledger import canonical, frames
from inland.ledger.canonical import Malformed
from inland.ledger.frames import FrameKind
from inland.ledger.records import SALT_BYTES, interrupted
from inland.plant.books import journals
from inland.ports.clock import Entropy
from inland.ports.files import Files


def seal(files: Files, writer: str, booked: int, entropy: Entropy) -> None:
    """Seal `writer`, whose lock the caller holds; `booked` bytes of it are known durable.

    Raises Damaged.
    """
    openings, end = journals.replay(files, writer, None)
    held = journals.segments(files, writer)
    if not held:
        return
    if end < booked:
        raise Damaged(f"journal/{writer}", f"whole up to {end} only, booked up to {booked}")
    last = held[-1]
    file = files.open(last.path)
    try:
        if last.base + file.size() > end:
            file.truncate(end - last.base)
        if openings.open:
            ends = [_record(opening, entropy) for _, opening in openings.open.values()]
            file.append(frames.write([(FrameKind.RECORD, data) for data in ends], booked))
            # The writer may have died before the name of its newest segment was durable.
            files.sync_dir(f"journal/{writer}")
    finally:
        file.close()


def _record(opening: bytes, entropy: Entropy) -> bytes:
    try:
        parsed = canonical.decode(opening)
        return canonical.encode(interrupted(parsed, salt=entropy(SALT_BYTES)))
    except Malformed as error:
        raise Damaged("an opening", str(error)) from error
