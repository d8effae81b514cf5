"""`python -m viewfinder`: the command line."""

from viewfinder.cli import main

if __name__ == "__main__":
    main()
