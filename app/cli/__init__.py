"""The command line `clusterway`: app.cli.main puts its commands together."""
