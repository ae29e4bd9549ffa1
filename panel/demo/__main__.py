"""`python -m panel.demo`."""

from panel.demo.serve import main

main()
