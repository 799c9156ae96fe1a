"""`python -m app.cli`: the command line without its installed name."""

from app.cli.main import main

main()
