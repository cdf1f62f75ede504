"""Shutting a child in before it reads a stranger's bytes: no network, no files but its own.

The kernel does it directly (Landlock and a network namespace), so that no privilege and no package
is needed. What the kernel at hand can hold is probed once; a child that was told to have it and
cannot get it ends, so a record never claims an isolation that was not there.
"""
