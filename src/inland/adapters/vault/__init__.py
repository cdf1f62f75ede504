"""Keys, blobs and the vault over them: where content of assets rests, and what opens it."""
