"""Public weights: fetched once, checked by hash, shared between homes on one machine."""
