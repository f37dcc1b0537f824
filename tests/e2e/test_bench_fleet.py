"""The benches of messages, tasks and bundles run at their small sizes, and print a line for each way."""

import re
import subprocess
import sys

from tests.tidy import tree


def printed(bench: str, *words: str) -> str:
    """Return what a bench prints."""
    command = [sys.executable, "-m", f"benches.{bench}", *words]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


def test_tasks_are_counted_in_one_process_and_over_the_mesh():
    row = r"^(.+?) +(\d+) tasks/s +([\d.]+) ms median alone$"
    rows = re.findall(row, printed("tasks", "8"), re.M)
    ways = ["a plain queue, nothing kept", "one process, rows in memory", "over the mesh, signed and durable"]
    assert [name for name, _, _ in rows] == ways
    queue, desks, mesh = (int(rate) for _, rate, _ in rows)
    assert queue > desks > mesh > 0
    assert float(rows[2][2]) > float(rows[1][2]) > 0.0, "a task over the mesh waits for two disks"


def test_sends_on_the_local_bus_stand_beside_a_plain_queue():
    row = r"^(.+?) +([\d,]+) a second +([\d.]+) x the queue's time$"
    rows = re.findall(row, printed("bus", "--quick"), re.M)
    assert [name for name, _, _ in rows] == ["queue put and get", "make a message", "make and send"]
    rates = [int(rate.replace(",", "")) for _, rate, _ in rows]
    assert min(rates) > 0
    for rate, (_, _, ratio) in zip(rates[1:], rows[1:], strict=True):
        assert float(ratio) > 1.0 and rate < rates[0], "a bus does more than a queue"


def test_round_trips_over_the_mesh_bus_stand_beside_one_process():
    row = r"^(.+?) +([\d.]+) ms median +([\d.]+) ms p99$"
    rows = re.findall(row, printed("mesh_bus", "--quick"), re.M)
    ways = ["request and reply, one process", "request and reply, over the mesh"]
    assert [name for name, _, _ in rows] == [*ways, "signed message until executed, over the mesh"]
    medians = [float(median) for _, median, _ in rows]
    assert 0.0 < medians[0] < min(medians[1:]), "over the mesh it is sealed and carried"
    assert all(float(p99) >= float(median) for _, median, p99 in rows)


def test_a_bundle_is_judged_beside_none_and_its_cost_is_said():
    shown = printed("substrate", "--quick").splitlines()
    assert re.fullmatch(r"held back part, lexis-h1024, \d+ newcomers for each number held", shown[0])
    heads = [cell.strip() for cell in shown[1].strip("|").split("|")]
    assert heads == ["bundle", "holds 0", "holds 2", "news", "paraphrase", "near-miss", "foreign"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown[3:-1]]
    assert [row[0] for row in rows] == [
        "none",
        "of a trusted peer",
        "of three trusted peers",
        "of a known peer",
        "of a stranger",
        "of a trusted peer of another domain",
    ]
    assert all(0.0 <= float(cell) <= 1.0 for row in rows for cell in row[1:])
    by_name = {row[0]: [float(cell) for cell in row[1:]] for row in rows}
    foreign = heads.index("foreign") - 1
    assert by_name["of a trusted peer"] != by_name["none"], "a bundle changes what is decided"
    assert by_name["of a trusted peer"][foreign] > by_name["none"][foreign], "of what no one there works on"
    cost = r"a decision beside 2 blocks held at first: \d+ us without a prior, "
    assert re.match(cost + r"\d+ us with the bundle of one \([\d.]+ times\), ", shown[-1])
