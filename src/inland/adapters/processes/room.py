"""What a child's end tells of room on the disk, so that its supervisor waits for it."""

import errno

#: The exit code of a process that could not start for want of room (EX_TEMPFAIL).
NO_ROOM_EXIT = 75
#: The disk is full, over its quota, or takes no writes: it may be otherwise in a moment.
NO_ROOM_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
