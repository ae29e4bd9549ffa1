"""The back office's answers, parsed into plain values, and the rules on them.

The back office is PHP, which writes the same value in many forms. Every legible form is read. An
illegible value that decides something is kept as `Illegible`, and any other counts as not stated.
"""
