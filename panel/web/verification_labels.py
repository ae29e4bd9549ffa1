"""The words for verifying a person, in English; translated when rendered.

The kinds are those of `customer.answers`, a call, and an agent's word that they know the person.
"""

# The head's words for a verified person, by the kind of the verification.
VERIFIED_BY = {
    "key": "verified by license key",
    "call": "verified by a call",
    "tax_id": "verified by tax ID",
    "order": "verified by order number",
    "quote": "verified by quote number",
    "email": "verified by e-mail address",
    "known": "not verified, but known",
}

# The words for facts that a person knows and that open nothing.
HINTS = {
    "key": "knows a license key",
    "tax_id": "knows the tax ID",
    "order": "knows order %(number)s",
    "quote": "knows quote %(number)s",
    "email": "knows an e-mail address",
}

# The answers that an agent may type, as the dialog explains them.
ANSWER_NAMES = {
    "key": "the last eight characters of a license key, or all of it",
    "tax_id": "the tax ID",
    "order": "an order number",
    "quote": "a quote number",
    "email": "an e-mail address of the company",
}

# The reason why a try to verify opened nothing.
VERIFY_REFUSALS = {
    "wrong": "This matches nothing of this company. It may be mistyped, or it may be another "
    "company.",
    "too_many_tries": "All five tries for today are used up.",
    "no_answer": "Type what the customer wrote, at most 200 characters.",
    "no_reason": "Say in 3 to 150 characters how you know this person.",
    "no_call": "MIDDAG Account has no phone of this company, or a call does not count here.",
    "resolved": "This conversation is resolved. Reopen it before you verify somebody in it.",
    "": "MIDDAG Account could not be asked in full, so no try is used up.",
}
