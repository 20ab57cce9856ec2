"""`python -m negforge` is `negforge`."""

from negforge.cli import main

if __name__ == "__main__":
    main()
