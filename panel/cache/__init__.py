"""Kept copies of the outside worlds' answers: keys, lifetimes, single flight, stale-while-revalidate."""
