"""The trainer: transformers and PEFT, in a process of its own (extra `train`)."""
