"""The outside worlds over HTTP: the back office (MIDDAG Account) and Chatwoot."""
