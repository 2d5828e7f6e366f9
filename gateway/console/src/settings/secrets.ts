// The secrets of a project, for the page and for the editor of workflows.
import { createClient } from "@connectrpc/connect";
import type { Secret } from "../gen/weft/identity/v1/secret_pb";
import { SecretService } from "../gen/weft/identity/v1/secret_service_pb";
import { mesh } from "../rpc/clients";

export const secrets = createClient(SecretService, mesh.web);

/** All of them, without their values. */
export async function listSecrets(project: string): Promise<Secret[]> {
  const all: Secret[] = [];
  let pageToken = "";
  do {
    const page = await secrets.listSecrets({ parent: `projects/${project}`, pageSize: 1000, pageToken });
    all.push(...page.secrets);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return all;
}

/** What a person has typed into the field of hosts: separated by spaces, commas or lines. */
export function hostsOf(text: string): string[] {
  const hosts = text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((host) => host !== "");
  return [...new Set(hosts)];
}
