"""`python -m deepmapper`: the same as the command `deepmapper`."""

from .cli.main import main

if __name__ == "__main__":
    main()
