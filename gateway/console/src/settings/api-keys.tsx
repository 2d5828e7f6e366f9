// Long-lived credentials for programs: list, create, revoke.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { type ApiKey, Role } from "../gen/weft/identity/v1/identity_pb";
import { IdentityService } from "../gen/weft/identity/v1/identity_service_pb";
import { identity } from "../rpc/clients";
import { may } from "../rpc/policy";
import { Dialog } from "../ui/dialog";
import { Problem } from "../ui/form";
import { ago, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { CreateKeyDialog } from "./create-key-dialog";

const route = getRouteApi("/settings/api-keys");

export function ApiKeysPage() {
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = route.useSearch().project ?? remembered;
  const { principal } = useStore(session.store);
  const allowed = may(principal, IdentityService.method.listApiKeys, project);
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  useEffect(() => {
    document.title = "API keys · weft";
  }, []);
  const list = useQuery({
    queryKey: ["api-keys", project],
    queryFn: () => listAll(project),
    enabled: allowed,
  });
  return (
    <div className="stack">
      <div className="toolbar">
        <ProjectPicker
          project={project}
          onPick={(next) => navigate({ to: "/settings/api-keys", search: { project: next } })}
        />
        <span className="toolbar-count" />
        {allowed && (
          <button type="button" className="button button-primary" onClick={() => setCreating(true)}>
            <Icon name="plus" /> New key
          </button>
        )}
      </div>
      {!allowed ? (
        <Empty icon="key" title="Keys are for administrators">
          <p>Your role in {project} does not allow you to see its API keys.</p>
        </Empty>
      ) : list.isError ? (
        <Failure title="The keys cannot be listed" error={list.error} onRetry={() => list.refetch()} />
      ) : list.data?.length === 0 ? (
        <Empty icon="key" title="No API keys in this project">
          <p>Programs sign in with keys. Make one for each program, so that each can be revoked alone.</p>
        </Empty>
      ) : (
        <KeyTable keys={list.data} onRevoke={setRevoking} />
      )}
      {creating && <CreateKeyDialog project={project} onClose={() => setCreating(false)} />}
      {revoking && <RevokeDialog apiKey={revoking} onClose={() => setRevoking(null)} />}
    </div>
  );
}

function KeyTable({ keys, onRevoke }: { keys: ApiKey[] | undefined; onRevoke: (key: ApiKey) => void }) {
  return (
    <table className="plain-table">
      <thead>
        <tr>
          <th scope="col">Key</th>
          <th scope="col">Role</th>
          <th scope="col">Created</th>
          <th scope="col">Last used</th>
          <th scope="col">State</th>
          <th scope="col">
            <span className="hidden-text">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {keys === undefined
          ? [70, 50, 60].map((width) => (
              <tr key={width}>
                <td colSpan={6}>
                  <Skeleton width={`${width}%`} />
                </td>
              </tr>
            ))
          : keys.map((key) => (
              <tr key={key.name} data-off={!!key.revokeTime}>
                <td>
                  <strong>{key.displayName || lastPart(key.name)}</strong>
                  <small>
                    <code>{lastPart(key.name)}</code>
                  </small>
                </td>
                <td>
                  {Role[key.role].toLowerCase()}
                  {key.scopes.length > 0 && <small>{key.scopes.join(", ")}</small>}
                </td>
                <td title={when(key.createTime)}>{ago(key.createTime)}</td>
                <td title={when(key.lastUseTime)}>{ago(key.lastUseTime)}</td>
                <td>{stateOf(key)}</td>
                <td className="actions">
                  {!key.revokeTime && (
                    <button type="button" className="button button-small" onClick={() => onRevoke(key)}>
                      Revoke
                    </button>
                  )}
                </td>
              </tr>
            ))}
      </tbody>
    </table>
  );
}

function stateOf(key: ApiKey): string {
  if (key.revokeTime) return `revoked ${ago(key.revokeTime)}`;
  if (!key.expireTime) return "good";
  return Number(key.expireTime.seconds) * 1000 < Date.now()
    ? "expired"
    : `good until ${when(key.expireTime)}`;
}

function RevokeDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const queries = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => identity.revokeApiKey({ name: apiKey.name }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["api-keys"] });
      toast.done(`Revoked ${lastPart(apiKey.name)}`);
      onClose();
    },
  });
  return (
    <Dialog title={`Revoke ${apiKey.displayName || lastPart(apiKey.name)}?`} onClose={onClose}>
      <div className="form">
        <p>Programs that use it are refused within seconds. A revoked key cannot be brought back.</p>
        <Problem error={revoke.error} />
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="button"
            className="button button-danger"
            disabled={revoke.isPending}
            onClick={() => revoke.mutate()}
          >
            Revoke
          </button>
        </footer>
      </div>
    </Dialog>
  );
}

async function listAll(project: string): Promise<ApiKey[]> {
  const all: ApiKey[] = [];
  let pageToken = "";
  do {
    const page = await identity.listApiKeys({ parent: `projects/${project}`, pageSize: 1000, pageToken });
    all.push(...page.apiKeys);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return all;
}
