"""Authentication and authorization: who is looking, and the signed tokens that let them."""
