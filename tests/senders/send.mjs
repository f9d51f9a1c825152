// Triggers as the published JavaScript libraries of Standard Webhooks and of GitHub sign.
//
//     send.mjs SCHEME SECRET URL BODY    prints the status of the answer

import { sign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";

const [scheme, secret, url, body] = process.argv.slice(2);
const headers = { "content-type": "application/json" };
if (scheme === "standard-webhooks") {
    const sent = new Date();
    headers["webhook-id"] = "msg_from_javascript";
    headers["webhook-timestamp"] = String(Math.floor(sent.getTime() / 1000));
    headers["webhook-signature"] = new Webhook(secret).sign("msg_from_javascript", sent, body);
} else {
    headers["x-hub-signature-256"] = await sign(secret, body);
    headers["x-github-delivery"] = crypto.randomUUID();
}
const answer = await fetch(url, { method: "POST", headers, body });
console.log(answer.status);
