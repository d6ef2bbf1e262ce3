"""What all slices of the settings have in common."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of every slice: frozen, an unknown key is a mistake, not a wish, and "4" is no number, nor is true."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, strict=True)
