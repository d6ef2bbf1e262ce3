"""What all slices of the settings have in common."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of every slice: frozen, and an unknown key is a mistake, not a wish."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
