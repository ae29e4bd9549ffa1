"""Authentication and authorization: who is looking, and the signed tokens that say what they may see."""
