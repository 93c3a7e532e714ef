"""`python -m musicu` is `musicu`."""

from musicu.cli import main

if __name__ == "__main__":
    main()
