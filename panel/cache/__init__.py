"""Kept copies of the outside worlds' answers: entries, single flight, stale-while-revalidate."""
