"""The one place where parts are put together: a module per process of a factory, live on one node.

`python -m inland.bootstrap ROLE --home HOME` is how the supervisor starts each of them.
"""
