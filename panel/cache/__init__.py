"""Kept copies of the upstreams' answers: lifetimes, single flight, stale-while-revalidate."""
