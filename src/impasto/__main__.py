"""Where the program starts: `impasto`, and `python -m impasto`."""

import sys


def main() -> None:
    """Runs the command line. Ctrl-C is answered in one line from here on, while modules are still loading too."""
    try:
        from impasto.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("impasto: interrupted; nothing was written\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
