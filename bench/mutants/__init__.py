"""`python -m bench.mutants`: faults that are put into the panel, and whether its tests notice them.

It needs an environment of its own: `pip install -r requirements-dev.lock`, and then
`pip install cosmic-ray==8.7.* pytest-cov==7.*`.

    listing.py     the faults that Cosmic Ray knows to make, and a sample of them
    covering.py    which tests execute a line, and how long each of them takes
    trial.py       the tests in a copy of the repository that has a fault
"""
