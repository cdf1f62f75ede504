"""Servers that already exist and speak OpenAI's dialect: a vLLM, a NIM, another factory."""
