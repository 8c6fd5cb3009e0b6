"""`python -m pipelines.cli`: the command of this checkout, whatever is installed; `overread up` starts its parts so."""

from pipelines.cli import main

main()
