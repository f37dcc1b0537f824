"""What a person reads: errors that say each thing once, numbers with their noun, peers that are starting."""

import io

from covey.cli.console import Console, count
from covey.cli.reach import not_running
from covey.errors import StoreError
from covey.system.home import Home
from covey.system.lock import PeerLock


def complained(said, message):
    console = Console(io.StringIO(), err := io.StringIO(), {})
    console.complain(said, StoreError(message), None)
    return err.getvalue()


def test_an_error_does_not_name_its_command_again():
    assert complained("covey state", "state: state: budget x: 0 left") == "covey state: budget x: 0 left\n"
    assert complained("covey pay", "state: budget x: 0 left") == "covey pay: state: budget x: 0 left\n"
    assert complained("covey state", "statement: bad") == "covey state: statement: bad\n"


def test_one_is_no_plural():
    found = [count(number, "entry", "entries") for number in (0, 1, 2, 1_000)]
    assert found == ["0 entries", "1 entry", "2 entries", "1,000 entries"]
    assert count(2, "block") == "2 blocks"


def test_a_peer_that_has_begun_and_takes_no_commands_is_not_called_unknown(tmp_path):
    home = Home.resolve({"COVEY_HOME": str(tmp_path)})
    home.prepare_peer("ann")
    lock = PeerLock.acquire(home.lock_path("ann"), "ann")
    try:
        error = not_running(home, "ann")
        assert "runs and takes no commands" in error.message
        assert "did you mean ann" not in (error.hint or "") and "try again" in (error.hint or "")
        assert "did you mean ann" in (not_running(home, "anne").hint or "")
    finally:
        lock.release()
