"""A command run where nothing leaves, and whatever tries to is counted.

`__main__` is a process of its own: it makes the namespaces and holds the counters outside of what
it counts. The command is a child of its child, in a network of one loopback to which every address
leads, in a view of the files without anybody's sockets, and with the ways that no namespace closes
refused by a filter of system calls.
"""
