"""The writing wing: hooks are kept durably, then Chatwoot is brought in line. In reading order:

wire        what a hook looks like: all we assume about the sender
events      the kinds of hooks: what each touches, and whether Chatwoot must learn of it
contacts    one pass: an organization's contacts, attributes and conversations in line
engine      the durable engine: keeps hooks, runs passes, waits, tries again, buries
hooks       the door: check, keep, touch, answer
"""
