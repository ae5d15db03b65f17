"""`python -m optgen` is the command line."""

from optgen.cli import main

main()
