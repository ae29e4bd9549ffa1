"""The writing wing: hooks are kept durably, then Chatwoot is brought in line. In reading order:

wire           what a hook looks like: all we assume about the sender
events         the kinds of hooks: what each touches, and whether Chatwoot must learn of it
people         an organization's people as Chatwoot shall know them
conversations  what open conversations say of their organization
contacts       one pass: contacts, attributes and conversations in line
budget         calls per minute towards Chatwoot
turns          one fsync for many
door           the durable engine, keeping: a hook and its pass in one transaction
lease          who executes
engine         the durable engine, executing: runs passes, waits, tries again, buries
passes         what the engine runs; reconcile, warm, rehearse
hooks          the plugin's door: check, keep, touch, answer
webhooks       Chatwoot's door
commands       `flask sync …`
"""
