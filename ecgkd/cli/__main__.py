"""`python -m ecgkd.cli` is `ecgkd`."""

from ecgkd.cli import main

main()
