// Sends GitHub's own examples as GitHub does, signed by Octokit. URL and SECRET are its arguments; a line of JSON says what
// was answered to each delivery: first all of them, then all again as they were, then each with another byte.
import { createRequire } from "node:module";
import { Webhooks } from "@octokit/webhooks";

const require = createRequire(import.meta.url);
const [url, secret] = process.argv.slice(2);
const signer = new Webhooks({ secret });

const deliveries = [];
for (const { name, examples } of require("@octokit/webhooks-examples")) {
  for (const example of examples) {
    const body = JSON.stringify(example);
    const number = deliveries.length.toString(16).padStart(12, "0");
    deliveries.push({ name, body, id: `72d3162e-cc78-11e3-81ab-${number}`, signature: await signer.sign(body) });
  }
}

const send = async (round, { name, body, id, signature }) => {
  const answer = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "user-agent": "GitHub-Hookshot/044aadd",
      "x-github-event": name,
      "x-github-delivery": id,
      "x-hub-signature-256": signature,
    },
    body,
  });
  console.log(JSON.stringify({ round, name, id, status: answer.status, answer: await answer.json() }));
};

/** Some at a time, in no particular order. */
const all = async (round, change) => {
  const left = [...deliveries];
  const work = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await send(round, change(next));
  };
  await Promise.all(Array.from({ length: 16 }, work));
};

await all("first", (delivery) => delivery);
await all("again", (delivery) => delivery);
await all("changed", (delivery) => ({ ...delivery, id: `${delivery.id}x`, body: `${delivery.body} ` }));
