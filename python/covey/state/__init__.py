"""What a program makes of shared state: maps of JSON values, what an agent lets others have, its diary."""
