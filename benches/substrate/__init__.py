"""Whether what a peer learned helps another: held-out blocks, judged with and without its bundle."""
