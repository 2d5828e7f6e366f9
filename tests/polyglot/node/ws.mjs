// Calls over one WebSocket with `ws`, in both sub-protocols: URL and KEY are its arguments, a line says what was heard.
import { once } from "node:events";
import WebSocket from "ws";

const [url, key, graph] = process.argv.slice(2);
const service = "weft.graph.v1.GraphService";
const metadata = { authorization: `Bearer ${key}` };

/** A socket, and what comes from it, one after another. */
const dial = async (protocol) => {
  const socket = new WebSocket(`${url}/ws`, [protocol]);
  const heard = [];
  let wake = () => {};
  socket.on("message", (data, isBinary) => {
    heard.push(isBinary ? data : JSON.parse(data.toString()));
    wake();
  });
  await once(socket, "open");
  const next = async () => {
    while (heard.length === 0) await new Promise((resolve) => (wake = resolve));
    return heard.shift();
  };
  return { socket, next };
};

const json = await dial("weft.v1.json");
const say = (message) => json.socket.send(JSON.stringify(message));

say({ call: 1, open: { method: `${service}/GetGraph`, metadata } });
say({ call: 1, message: { name: graph } });
console.log("graph", (await json.next()).message.name, (await json.next()).status.code);

say({ call: 2, open: { method: `${service}/GetGraph`, metadata } });
say({ call: 2, message: { name: `${graph}-nowhere` } });
const { status } = await json.next();
console.log("nowhere", status.code, status.details[0].reason);

say({ call: 3, open: { method: `${service}/WatchGraph`, metadata } });
say({ call: 3, message: { graph, afterRevision: "1" } });
console.log("watch", (await json.next()).message.caughtUpRevision);

say({ call: 4, open: { method: `${service}/ImportGraph`, metadata } });
say({ call: 4, message: { begin: { graph } } });
say({ call: 4, message: { file: { path: "edges.tsv" } } });
say({ call: 4, message: { data: Buffer.from("a\tb\nb\tc\n").toString("base64") } });
say({ call: 4, end: true });
// The import's own answers, and what the watch hears of it, come as they come.
let [edges, ended, seen] = [];
while (ended === undefined || seen === undefined) {
  const { call, message, status } = await json.next();
  if (call === 3) seen ??= message.changes?.revision;
  if (call === 4) edges = message?.result?.createdEdgeCount ?? edges;
  if (call === 4 && status) ended = status.code;
}
console.log("import", edges, ended, "seen", seen);
json.socket.close(1000);
console.log("closed", (await once(json.socket, "close"))[0]);

const binary = await dial("weft.v1.proto");
const frame = (kind, payload) => binary.socket.send(Buffer.concat([Buffer.from([1, kind]), payload]));
frame(1, Buffer.from(JSON.stringify({ method: `${service}/GetGraph`, metadata })));
// Field 1, a text.
frame(2, Buffer.concat([Buffer.from([0x0a, graph.length]), Buffer.from(graph)]));
const answer = await binary.next();
console.log("binary", answer[1], answer.includes(graph), (await binary.next())[1]);
binary.socket.terminate();
