"""Multipart forms: their texts. Files in them are passed over.

https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import io
import re
from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from integrations.verification.reasons import Reason, malformed

MULTIPART = "multipart/form-data"
# The boundary as the body itself begins with it: the same as in the header, and it cannot be forgotten there.
_BOUNDARY = re.compile(rb"--([0-9A-Za-z'()+_,./:=?-]{1,70})\r\n")


def multipart_fields(body: bytes) -> dict[str, Any]:
    """Return the texts of a multipart form, repeated ones as a list. Raises `MalformedPayload`."""
    boundary = _BOUNDARY.match(body)
    if boundary is None:
        raise malformed(Reason.FORM_INVALID)
    environ = {
        "CONTENT_TYPE": f'{MULTIPART}; boundary="{boundary[1].decode("ascii")}"',
        "CONTENT_LENGTH": str(len(body)),
    }
    try:
        fields, _ = MultiPartParser(environ, io.BytesIO(body), []).parse()
    except (MultiPartParserError, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent, ValueError):
        # Not chained: the error's text can quote the body.
        raise malformed(Reason.FORM_INVALID) from None
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in fields.lists()}
