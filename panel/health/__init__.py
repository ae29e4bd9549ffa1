"""What the checks of our own health find, but for those that `checks` has itself."""
