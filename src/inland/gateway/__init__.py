"""The token path: parse, know the key, decide, admit, dispatch, relay, record, and only then end."""
