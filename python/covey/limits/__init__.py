"""Every bound of the product, named, with its reason beside it.

Rules: numbers only, one file per room, units last in the name. A bound that the specification gives
says its section; a bound of ours says what it protects and how it was chosen. Nothing is computed from
the environment here: settings may choose within these bounds, never past them.
"""

from __future__ import annotations

from covey.limits.agent import *
from covey.limits.ask import *
from covey.limits.authority import *
from covey.limits.channels import *
from covey.limits.continuity import *
from covey.limits.coordination import *
from covey.limits.deciding import *
from covey.limits.delivery import *
from covey.limits.economy import *
from covey.limits.forward import *
from covey.limits.identity import *
from covey.limits.memory import *
from covey.limits.models import *
from covey.limits.paths import *
from covey.limits.relay import *
from covey.limits.share import *
from covey.limits.state import *
from covey.limits.substrate import *
from covey.limits.system import *
from covey.limits.wire import *
from covey.limits.work import *
