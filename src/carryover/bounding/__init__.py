"""Every bound on one classifier, side by side: what each says, what it costs, and what the test examples say."""
