"""What `make` does: set-up, checks, the whole test run. Standard library only: nothing is installed yet."""
