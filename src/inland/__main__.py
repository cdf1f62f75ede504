"""`python -m inland` is `inland`."""

from inland.cli import main

if __name__ == "__main__":
    main()
