"""`python -m paribus` is the command `paribus`."""

import sys

from paribus.cli import main

sys.exit(main())
