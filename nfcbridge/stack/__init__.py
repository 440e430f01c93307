"""The order of the layers, in one place: the card's stack and the reader's."""
