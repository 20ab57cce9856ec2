"""`python -m negforge` is `negforge`."""

import signal


def main() -> None:
    """The console script. An interrupt while its modules load ends it at once, as there is nothing to say or to tidy yet."""
    heard = signal.getsignal(signal.SIGINT)
    if heard is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from negforge import cli

    if heard is signal.default_int_handler:
        signal.signal(signal.SIGINT, heard)
    cli.main()


if __name__ == "__main__":
    main()
