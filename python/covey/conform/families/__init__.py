"""The families of artifacts, one file each."""
