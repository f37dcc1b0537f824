"""Source-novel forwarding between peers (MMP 2.0 §15.7.1): offered, and sent to who lacks its source."""
