"""The trunk side: pjsua2 in its own process, and nothing else."""
