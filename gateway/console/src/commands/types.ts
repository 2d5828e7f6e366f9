// What can be asked of agents in a project.
import type { CommandType } from "../gen/weft/command/v1/command_pb";
import { commands } from "../rpc/fleet";

export async function listTypes(project: string, signal: AbortSignal): Promise<CommandType[]> {
  const all: CommandType[] = [];
  let pageToken = "";
  do {
    const page = await commands.listCommandTypes(
      { parent: `projects/${project}`, pageSize: 1000, pageToken },
      { signal },
    );
    all.push(...page.commandTypes);
    pageToken = page.nextPageToken;
  } while (pageToken && all.length < 5_000);
  return all;
}
