"""Checks a webhook as the published Python library of Standard Webhooks does.

    verify.py SECRET HEADERS < BODY    HEADERS as a JSON object; ends with 1 if the library refuses it
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

secret, headers = sys.argv[1:]
try:
    Webhook(secret).verify(sys.stdin.buffer.read(), json.loads(headers))
except WebhookVerificationError as error:
    sys.exit(f"refused: {error}")
