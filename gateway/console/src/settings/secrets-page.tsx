// Values that workflows use and nobody is shown: list, create, replace, delete.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Secret } from "../gen/weft/identity/v1/secret_pb";
import { SecretService } from "../gen/weft/identity/v1/secret_service_pb";
import { may } from "../rpc/policy";
import { CopyButton } from "../ui/copy";
import { DeleteDialog } from "../ui/delete-dialog";
import { ago, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { memberOf } from "../workflows/member";
import { SecretDialog } from "./secret-dialog";
import { listSecrets, secrets } from "./secrets";

const route = getRouteApi("/settings/secrets");

export function SecretsPage() {
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = route.useSearch().project ?? remembered;
  const { principal } = useStore(session.store);
  const allowed = may(principal, SecretService.method.createSecret, project);
  const [setting, setSetting] = useState<Secret | "new" | null>(null);
  const [deleting, setDeleting] = useState<Secret | null>(null);
  useEffect(() => {
    document.title = "Secrets · weft";
  }, []);
  const list = useQuery({ queryKey: ["secrets", project], queryFn: () => listSecrets(project) });
  return (
    <div className="stack">
      <div className="toolbar">
        <ProjectPicker
          project={project}
          onPick={(next) => navigate({ to: "/settings/secrets", search: { project: next } })}
        />
        <span className="toolbar-count" />
        {allowed && (
          <button type="button" className="button button-primary" onClick={() => setSetting("new")}>
            <Icon name="plus" /> New secret
          </button>
        )}
      </div>
      {list.isError ? (
        <Failure title="The secrets cannot be listed" error={list.error} onRetry={() => list.refetch()} />
      ) : list.data?.length === 0 ? (
        <Empty icon="key" title="No secrets in this project">
          <p>
            Keys of APIs and passwords that workflows send. A node names one as{" "}
            <code>{`\${secrets.name}`}</code>; its value is kept sealed and shown to nobody.
            {!allowed && " Administrators of the project make them."}
          </p>
        </Empty>
      ) : (
        <SecretTable
          secrets={list.data}
          allowed={allowed}
          onReplace={setSetting}
          onDelete={(secret) => setDeleting(secret)}
        />
      )}
      {setting && (
        <SecretDialog
          project={project}
          secret={setting === "new" ? undefined : setting}
          onClose={() => setSetting(null)}
        />
      )}
      {deleting && (
        <DeleteDialog
          thing={deleting}
          remove={() => secrets.deleteSecret({ name: deleting.name, etag: deleting.etag })}
          list="secrets"
          onClose={() => setDeleting(null)}
        >
          Steps that name it fail from then on, of runs that are at work too. Its value cannot be brought
          back.
        </DeleteDialog>
      )}
    </div>
  );
}

function SecretTable({
  secrets: rows,
  allowed,
  onReplace,
  onDelete,
}: {
  secrets: Secret[] | undefined;
  allowed: boolean;
  onReplace: (secret: Secret) => void;
  onDelete: (secret: Secret) => void;
}) {
  return (
    <table className="plain-table">
      <thead>
        <tr>
          <th scope="col">Secret</th>
          <th scope="col">In expressions</th>
          <th scope="col">May be sent to</th>
          <th scope="col">Value set</th>
          <th scope="col">
            <span className="hidden-text">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows === undefined
          ? [70, 50, 60].map((width) => (
              <tr key={width}>
                <td colSpan={5}>
                  <Skeleton width={`${width}%`} />
                </td>
              </tr>
            ))
          : rows.map((secret) => {
              const id = lastPart(secret.name);
              const expression = `\${${memberOf("secrets", id)}}`;
              return (
                <tr key={secret.name}>
                  <td>
                    <strong>{secret.displayName || id}</strong>
                    <small>
                      <code>{id}</code>
                    </small>
                  </td>
                  <td>
                    <code>{expression}</code> <CopyButton text={expression} />
                  </td>
                  <td>{secret.allowedHosts.length > 0 ? secret.allowedHosts.join(", ") : "every host"}</td>
                  <td title={when(secret.valueTime)}>
                    {ago(secret.valueTime)}
                    <small>created by {lastPart(secret.creator)}</small>
                  </td>
                  <td className="actions">
                    {allowed && (
                      <>
                        <button
                          type="button"
                          className="button button-small"
                          onClick={() => onReplace(secret)}
                        >
                          Change
                        </button>{" "}
                        <button
                          type="button"
                          className="button button-small"
                          onClick={() => onDelete(secret)}
                        >
                          Delete
                        </button>
                      </>
                    )}
                  </td>
                </tr>
              );
            })}
      </tbody>
    </table>
  );
}
