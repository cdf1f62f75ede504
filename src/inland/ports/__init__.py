"""What a lower room needs from an adapter, one small contract each."""
