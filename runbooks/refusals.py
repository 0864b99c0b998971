"""Why an act in a runbook is refused, in a sentence for the person who asked."""


class Refused(Exception):
    """`code` names the cause for the page: baton, permission, parameters, confirmation, worker, risk or state.

    `names` are the parameters that are missing, where that is the cause.
    """

    def __init__(self, sentence: str, *, code: str = "state", names: tuple[str, ...] = ()) -> None:
        self.code = code
        self.names = names
        super().__init__(sentence)
