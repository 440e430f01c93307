"""What a reader or a card does wrong, told from a trace: rules, each with a reason and a remedy."""
