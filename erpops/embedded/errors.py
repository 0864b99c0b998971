"""What can go wrong with an embedded server, said so that the reader knows what to do."""


class EmbeddedError(Exception):
    """A sentence for the person at the terminal: what is wrong and the remedy."""
