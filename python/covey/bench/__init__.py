"""`covey bench`: what this build does on this machine, with intervals, and against a run of before."""
