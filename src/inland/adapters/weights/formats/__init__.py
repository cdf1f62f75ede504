"""What a file of weights is, told by its content alone, and whether its lengths are true.

Nothing here reads more than lengths and names: it runs before any library sees a hostile file.
"""
