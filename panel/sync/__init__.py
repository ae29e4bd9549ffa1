"""The writing wing: hooks are kept durably, then Chatwoot is brought in line with the back office.

A hook comes in by `plugin_hooks` (or `chatwoot_hooks`), is checked by `wire`, looked up in `events`
and kept by `intake`. The `worker` runs one pass of its organization: `jobs` has `reconcile` compare
the back office with Chatwoot and write the difference.
"""
