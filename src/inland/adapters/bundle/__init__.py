"""What a factory without any network needs, as one signed file."""
