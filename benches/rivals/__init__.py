"""What a user might pick instead, doing what it does best: plain messages of 1 KB, one way, two processes.

None of them signs, judges or stores; `python -m benches.rivals` prints covey beside them, and what part of
its time is the one signature check that each block costs.
"""
