"""The token path: parse, know the key, decide, admit, dispatch, relay, record, only then end."""
