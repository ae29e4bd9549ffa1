"""What the back office tells us, parsed into plain values, and the rules on them.

The back office is PHP: values come in many clothes. What can be read is read; of what cannot, a
value that decides something is kept as `Illegible`, and any other counts as not stated.
"""
