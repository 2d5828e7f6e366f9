// A rule, by form: made, changed, deleted.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type AlertRule, AlertSeverity } from "../gen/weft/telemetry/v1/alert_pb";
import { alerts as client } from "../rpc/telemetry";
import { CopyButton } from "../ui/copy";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { isId, lastPart } from "../ui/format";
import { durationOf, durationText, freshSecret, pairsOf, SEVERITIES } from "./model";

const FIELDS = [
  "display_name",
  "expression",
  "hold_duration",
  "severity",
  "labels",
  "annotations",
  "group_labels",
  "webhooks",
  "repeat_interval",
  "disabled",
];

interface Props {
  project: string;
  rule?: AlertRule;
  onClose: () => void;
}

export function RuleDialog({ project, rule, onClose }: Props) {
  const queries = useQueryClient();
  const known = rule?.webhooks[0]?.url ?? "";
  const [id, setId] = useState(rule ? lastPart(rule.name) : "");
  const [expression, setExpression] = useState(rule?.expression ?? "");
  const [hold, setHold] = useState(durationText(rule?.holdDuration));
  const [severity, setSeverity] = useState(rule?.severity || AlertSeverity.WARNING);
  const [summary, setSummary] = useState(rule?.annotations.summary ?? "");
  const [labels, setLabels] = useState(
    Object.entries(rule?.labels ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  );
  const [groups, setGroups] = useState(rule?.groupLabels.join(" ") ?? "");
  const [url, setUrl] = useState(known);
  const [secret, setSecret] = useState(known ? "" : freshSecret);
  const [repeat, setRepeat] = useState(durationText(rule?.repeatInterval));
  const [disabled, setDisabled] = useState(rule?.disabled ?? false);
  const [holds, repeats, pairs] = [durationOf(hold), durationOf(repeat), pairsOf(labels)];
  const needsSecret = url.trim() !== "" && url.trim() !== known;
  const valid =
    (rule || isId(id)) &&
    expression.trim() &&
    holds !== null &&
    repeats !== null &&
    pairs &&
    (!needsSecret || secret);
  const save = useMutation({
    mutationFn: () => {
      // Of several webhooks the form shows the first; the others stay as they are.
      const others = rule?.webhooks.slice(1).map((one) => ({ url: one.url })) ?? [];
      const webhooks = [
        ...(url.trim() ? [{ url: url.trim(), secret: needsSecret ? secret : "" }] : []),
        ...others,
      ];
      const { summary: _, ...annotations } = rule?.annotations ?? {};
      const alertRule = {
        name: rule?.name ?? "",
        etag: rule?.etag ?? "",
        displayName: rule?.displayName ?? "",
        expression: expression.trim(),
        holdDuration: holds ?? undefined,
        severity,
        labels: pairs ?? {},
        annotations: summary.trim() ? { ...annotations, summary: summary.trim() } : annotations,
        groupLabels: groups.split(/[\s,]+/).filter(Boolean),
        webhooks,
        repeatInterval: repeats ?? undefined,
        disabled,
      };
      return rule
        ? client.updateAlertRule({ alertRule, updateMask: { paths: FIELDS } })
        : client.createAlertRule({
            parent: `projects/${project}`,
            alertRuleId: id,
            alertRule,
            requestId: crypto.randomUUID(),
          });
    },
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["alert-rules", project] });
      onClose();
    },
  });
  return (
    <Dialog title={rule ? `Rule ${lastPart(rule.name)}` : "New rule"} onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) save.mutate();
        }}
      >
        {!rule && (
          <label>
            Name <small>lower-case letters, digits and hyphens</small>
            <input value={id} onChange={(event) => setId(event.target.value)} placeholder="disk-full" />
          </label>
        )}
        <label>
          When <small>PromQL: an alert for each series of its answer</small>
          <textarea
            rows={3}
            className="query-text"
            spellCheck={false}
            value={expression}
            onChange={(event) => setExpression(event.target.value)}
            placeholder="host_disk_available_bytes / host_disk_total_bytes < 0.1"
          />
        </label>
        <div className="form-row">
          <label>
            For <small>5m, 1h; at once if empty</small>
            <input
              value={hold}
              onChange={(event) => setHold(event.target.value)}
              aria-invalid={holds === null}
            />
          </label>
          <label>
            How bad
            <select value={severity} onChange={(event) => setSeverity(Number(event.target.value))}>
              {SEVERITIES.map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        </div>
        <label>
          What people read <small>{"{{ $labels.host }} and {{ $value }} are put in"}</small>
          <input value={summary} onChange={(event) => setSummary(event.target.value)} />
        </label>
        <div className="form-row">
          <label>
            Labels <small>team=storage</small>
            <input value={labels} onChange={(event) => setLabels(event.target.value)} aria-invalid={!pairs} />
          </label>
          <label>
            Told together by <small>labels</small>
            <input value={groups} onChange={(event) => setGroups(event.target.value)} placeholder="host" />
          </label>
        </div>
        <label>
          Webhook <small>is told by a signed POST</small>
          <input
            type="url"
            value={url}
            onChange={(event) => setUrl(event.target.value)}
            placeholder="https://"
          />
        </label>
        {needsSecret && (
          <label>
            Secret <small>signs; it is not shown again</small>
            <span className="secret-field">
              <input value={secret} onChange={(event) => setSecret(event.target.value)} spellCheck={false} />
              <CopyButton text={secret} />
            </span>
          </label>
        )}
        <div className="form-row">
          <label>
            Again after <small>4h; never if empty</small>
            <input
              value={repeat}
              onChange={(event) => setRepeat(event.target.value)}
              aria-invalid={repeats === null}
            />
          </label>
          <label className="check">
            <input
              type="checkbox"
              checked={disabled}
              onChange={(event) => setDisabled(event.target.checked)}
            />
            Leave it alone for now
          </label>
        </div>
        <Problem error={save.error} />
        <DialogFoot label={rule ? "Save" : "Create"} disabled={!valid || save.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}

export function DeleteRuleDialog({ rule, onClose }: { rule: AlertRule; onClose: () => void }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => client.deleteAlertRule({ name: rule.name }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["alert-rules"] });
      onClose();
    },
  });
  return (
    <Dialog title={`Delete ${lastPart(rule.name)}?`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          remove.mutate();
        }}
      >
        <p>Its alerts go with it, and nobody is told that they are over.</p>
        <Problem error={remove.error} />
        <DialogFoot label="Delete" danger disabled={remove.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
