"""Every target of speed and size in one run on one machine, beside the strict signature check of that run."""
