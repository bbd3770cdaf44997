"""`python -m surveillance.cli` is `pms`."""

from surveillance.cli.main import main

main()
