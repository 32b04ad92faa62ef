"""`python -m reactor` is `reactor`: for where the console script is not on the path. It knows the command line, and nothing else."""

from reactor.cli.main import main

main()
