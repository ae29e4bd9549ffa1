"""The checks of the writing wing, and the finding of a check; other checks stand in `checks`."""
