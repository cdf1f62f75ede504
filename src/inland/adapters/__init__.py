"""One folder per technology; the only room that touches a disk, a socket, a process or a clock."""
