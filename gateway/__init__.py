"""The house itself: the only room that knows the others."""
