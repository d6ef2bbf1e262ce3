"""What was built into the media core, for those who check a configuration without opening a relay."""

from mediacore import transcoded_codecs

__all__ = ["transcoded_codecs"]
