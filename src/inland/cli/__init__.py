"""Commands: parse, call the HTTP API through client.py, show."""
