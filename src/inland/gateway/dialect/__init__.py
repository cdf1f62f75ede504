"""OpenAI's dialect on the token path, a module for each thing that can be asked."""
