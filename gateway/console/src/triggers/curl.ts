// A line of shell that calls a webhook as its provider would: to try it, and to see how it is signed.
import {
  HmacAlgorithm,
  HmacEncoding,
  WebhookProvider,
  type WebhookSource,
} from "../gen/weft/trigger/v1/trigger_pb";

/** In single quotes of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Within double quotes of a shell. */
function escaped(text: string): string {
  return text.replace(/[\\"$`]/g, "\\$&");
}

const HEX = "sed 's/.* //'";
const BASE64 = "base64 | tr -d '\\n'";

/** The HMAC of a text of shell, under the secret. */
function code(signed: string, { base64 = false, digest = "sha256" } = {}): string {
  const made = `printf %s "${signed}" | openssl dgst -${digest} -hmac "$SECRET"`;
  return base64 ? `$(${made} -binary | ${BASE64})` : `$(${made} | ${HEX})`;
}

const STANDARD_KEY = `$(printf %s "\${SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \\n')`;

/** The headers of one call, as they stand within double quotes. */
function headers({ provider, hmac }: WebhookSource): string[] {
  switch (provider) {
    case WebhookProvider.GITHUB:
      return [
        `X-Hub-Signature-256: sha256=${code("$BODY")}`,
        "X-GitHub-Event: push",
        "X-GitHub-Delivery: try-$TIME",
      ];
    case WebhookProvider.GITLAB:
      return ["X-Gitlab-Token: $SECRET", "X-Gitlab-Event: Push Hook"];
    case WebhookProvider.STRIPE:
      return [`Stripe-Signature: t=$TIME,v1=${code("$TIME.$BODY")}`];
    case WebhookProvider.SLACK:
      return [`X-Slack-Signature: v0=${code("v0:$TIME:$BODY")}`, "X-Slack-Request-Timestamp: $TIME"];
    case WebhookProvider.STANDARD_WEBHOOKS:
      return [
        "webhook-id: try-$TIME",
        "webhook-timestamp: $TIME",
        `webhook-signature: v1,$(printf %s "try-$TIME.$TIME.$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:${STANDARD_KEY}" -binary | ${BASE64})`,
      ];
    case WebhookProvider.HMAC: {
      if (!hmac) return [];
      const { header, prefix, timestampHeader, idHeader } = hmac;
      const made = code(timestampHeader ? "$TIME.$BODY" : "$BODY", {
        base64: hmac.encoding === HmacEncoding.BASE64,
        digest: hmac.algorithm === HmacAlgorithm.SHA512 ? "sha512" : "sha256",
      });
      return [
        `${header}: ${escaped(prefix)}${made}`,
        ...(timestampHeader ? [`${timestampHeader}: $TIME`] : []),
        ...(idHeader ? [`${idHeader}: try-$TIME`] : []),
      ];
    }
    default:
      return [];
  }
}

/** Lines for a shell that call the webhook once; with its secret where that is known. */
export function curlFor(webhook: WebhookSource, address: string, secret?: string): string {
  const { provider, username } = webhook;
  const all = headers(webhook);
  const signs = all.length > 0 || provider === WebhookProvider.BASIC;
  const lines = [
    ...(signs ? [`SECRET=${quoted(secret ?? "the secret")}`] : []),
    ...(all.some((header) => header.includes("$TIME")) ? ["TIME=$(date +%s)"] : []),
    `BODY=${quoted('{"hello": "world"}')}`,
    [
      `curl -sS ${quoted(address)} -H 'Content-Type: application/json'`,
      ...(provider === WebhookProvider.BASIC ? [`-u "${escaped(username)}:$SECRET"`] : []),
      ...all.map((header) => `-H "${header}"`),
      '--data-raw "$BODY"',
    ].join(" \\\n  "),
  ];
  return lines.join("\n");
}
