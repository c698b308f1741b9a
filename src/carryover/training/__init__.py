"""Training that can be stopped and taken up again with the same result: order, schedule, optimizer, checkpoints."""
