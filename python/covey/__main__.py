"""`python -m covey`: the same program as `covey`."""

import sys

from covey.cli import main

sys.exit(main())
