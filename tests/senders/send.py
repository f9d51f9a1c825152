"""Triggers as the published Python library of Standard Webhooks signs, or as any HTTP client may.

    send.py SCHEME SECRET URL BODY    prints the status of the answer
"""

import base64
import datetime
import sys
import urllib.error
import urllib.request

from standardwebhooks.webhooks import Webhook

scheme, secret, url, body = sys.argv[1:]
headers = {}
if scheme == "standard-webhooks":
    sent = datetime.datetime.now(tz=datetime.timezone.utc)
    headers = {
        "webhook-id": "msg_from_python",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_from_python", sent, body),
    }
elif scheme == "bearer":
    headers = {"Authorization": f"Bearer {secret}"}
elif scheme == "basic":
    headers = {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
request = urllib.request.Request(url, body.encode(), headers, method="POST")
try:
    with urllib.request.urlopen(request, timeout=20) as answer:
        print(answer.status)
except urllib.error.HTTPError as error:
    print(error.code)
