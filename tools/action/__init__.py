"""What the GitHub Action does: a peer that reads a pull request's diff, and a comment with what it found."""
