"""What may go wrong on the way out. Texts hold no address and no answer of a server, which may quote one."""


class ChannelDown(Exception):
    """The channel itself cannot be used now; other mails would fail alike."""


class Refused(Exception):
    """This mail was not taken; others may be."""
