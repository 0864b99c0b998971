"""Values that are encrypted at rest and never shown again."""

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


@lru_cache(maxsize=1)
def _box() -> MultiFernet:
    keys = [base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()) for key in settings.FIELD_KEYS]
    return MultiFernet([Fernet(key) for key in keys])


class EncryptedField(models.TextField):
    """Text that the database holds encrypted (Fernet, first key of ERPOPS_FIELD_KEYS)."""

    def renewed(self, value: Any) -> Any:
        """The value to be written so that it is encrypted with the first key."""
        return value

    def get_prep_value(self, value: Any) -> Any:
        if value in (None, ""):
            return value
        return _box().encrypt(str(value).encode()).decode("ascii")

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if value in (None, ""):
            return value
        try:
            return _box().decrypt(value.encode("ascii")).decode()
        except InvalidToken as error:
            raise ValueError(
                "A stored secret does not open with the present keys: put the old key back into ERPOPS_FIELD_KEYS."
            ) from error
