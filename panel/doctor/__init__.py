"""The examinations of `doctor`: settings, both outside worlds, and the panel itself."""
