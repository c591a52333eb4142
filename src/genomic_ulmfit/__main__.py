"""Run the command line as ``python -m genomic_ulmfit``."""

from genomic_ulmfit.cli.main import main

if __name__ == "__main__":
    main()
