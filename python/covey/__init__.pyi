from covey.api import Agent as Agent
from covey.api import Block as Block
from covey.api import CoveyError as CoveyError
from covey.api import Delivery as Delivery
from covey.api import Duplicate as Duplicate
from covey.api import EmissionRefused as EmissionRefused
from covey.api import Job as Job
from covey.api import Minted as Minted
from covey.api import NoCapableAgentError as NoCapableAgentError
from covey.api import Peer as Peer
from covey.api import PeerView as PeerView
from covey.api import SendState as SendState
from covey.api import TaskImpossibleError as TaskImpossibleError
from covey.api import TaskRefusedError as TaskRefusedError
from covey.api import WorkError as WorkError

__version__: str
