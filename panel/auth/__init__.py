"""Authentication and authorization: the proof of the viewer, and the signed tokens that follow from
it."""
