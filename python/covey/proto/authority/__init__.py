"""Authority between peers (MMP 2.0 §6.6): statements, how they travel, who may sign them, what they allow."""
