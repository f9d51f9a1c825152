"""A mail server for tests, which tells what it is given: one JSON object a line.

    server.py [--port N] [--cert FILE --key FILE [--tls]] [--login USER:PASSWORD]

With a certificate it offers STARTTLS, with --tls it speaks TLS from the start. Its first line is
{"port": N}. What becomes of a mail stands in the address of its recipient: see ANSWERS.
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

ANSWERS = {
    "later": "451 4.3.0 later@example.com: come again",
    "never": "550 5.1.1 never@example.com: nobody of that name",
    "busy": "421 4.3.2 too many",
}


def tell(what):
    print(json.dumps(what), flush=True)


def part(one):
    return {
        "type": one.get_content_type(),
        "method": one["content-type"].params.get("method"),
        "file": one.get_filename(),
        "content": one.get_payload(decode=True).decode(),
    }


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.partition("@")[0]
        if name == "hangs":
            tell({"hangs": True})
            await asyncio.sleep(3600)
        if name in ANSWERS:
            return ANSWERS[name]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if any(address.startswith("spam@") for address in envelope.rcpt_tos):
            return "554 5.7.1 spam@example.com: not wanted"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tell(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "tls": server.transport.get_extra_info("sslcontext") is not None,
                "login": bool(session.authenticated),
                "headers": [[name, str(value)] for name, value in mail.items()],
                "parts": [part(one) for one in mail.walk() if not one.is_multipart()],
                "kinds": [one.get_content_type() for one in mail.walk()],
                "longest": max(map(len, envelope.content.splitlines())),
                "ascii": envelope.content.isascii(),
            }
        )
        return "250 OK"


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--cert")
    arguments.add_argument("--key")
    arguments.add_argument("--tls", action="store_true")
    arguments.add_argument("--login")
    given = arguments.parse_args()
    context = None
    if given.cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given.cert, given.key)

    def check(server, session, envelope, mechanism, data):
        user, _, password = given.login.partition(":")
        right = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    def serve():
        return SMTP(
            Handler(),
            tls_context=None if given.tls else context,
            auth_required=bool(given.login),
            auth_require_tls=not given.login,
            authenticator=check if given.login else None,
        )

    server = await asyncio.get_running_loop().create_server(
        serve, "127.0.0.1", given.port, ssl=context if given.tls else None, reuse_address=True
    )
    tell({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


asyncio.run(main())
