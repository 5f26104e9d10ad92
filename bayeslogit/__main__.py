"""``python -m bayeslogit``."""

from bayeslogit.cli import main

main()
