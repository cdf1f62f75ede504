"""What a guard finds in a text, whole or as it comes, and what is left of the text. Pure."""
