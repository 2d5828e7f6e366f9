// The part of a trigger's form that is about requests: from whom, and how they prove it.
import { freshSecret } from "../alerts/model";
import { HmacAlgorithm, HmacEncoding, WebhookProvider } from "../gen/weft/trigger/v1/trigger_pb";
import { CopyButton } from "../ui/copy";
import { Icon } from "../ui/icon";
import { isWrongAt, type WebhookDraft, type Wrongs } from "./draft";
import { ChoiceField, Field, TextField } from "./fields";
import { PROVIDERS } from "./model";

const ALGORITHMS = [
  [HmacAlgorithm.SHA256, "SHA-256"],
  [HmacAlgorithm.SHA512, "SHA-512"],
] as const;
const ENCODINGS = [
  [HmacEncoding.HEX, "hexadecimal"],
  [HmacEncoding.BASE64, "base64"],
] as const;

/** What stands where it is only seen when it is opened. */
const MORE = [
  "webhook.hmac.algorithm",
  "webhook.hmac.encoding",
  "webhook.hmac.prefix",
  "webhook.hmac.timestamp_header",
  "webhook.tolerance",
  "webhook.max_body_bytes",
];

/** Those who make the secret themselves, and show it. */
const MAKERS: readonly WebhookProvider[] = [WebhookProvider.STRIPE, WebhookProvider.SLACK];

interface Props {
  draft: WebhookDraft;
  wrongs: Wrongs;
  /** A webhook that there is keeps its secret where none is given, unless it is another's then. */
  keeps: boolean;
  onChange: (draft: WebhookDraft) => void;
}

export function WebhookFields({ draft, wrongs, keeps, onChange }: Props) {
  const set = (part: Partial<WebhookDraft>) => onChange({ ...draft, ...part });
  const { provider } = draft;
  const about = PROVIDERS.find(([one]) => one === provider)?.[2];
  const isTheirs = MAKERS.includes(provider);
  const isBasic = provider === WebhookProvider.BASIC;
  return (
    <>
      <ChoiceField
        label="Who calls"
        hint={about}
        path="webhook.provider"
        wrongs={wrongs}
        value={provider}
        choices={PROVIDERS}
        onChange={(next) => set({ provider: next, secret: secretFor(next, draft, keeps) })}
      />
      {isBasic && (
        <TextField
          label="Name"
          path="webhook.username"
          wrongs={wrongs}
          value={draft.username}
          onChange={(username) => set({ username })}
        />
      )}
      {provider === WebhookProvider.HMAC && (
        <div className="form-row">
          <TextField
            label="Header with the signature"
            path="webhook.hmac.header"
            wrongs={wrongs}
            code
            value={draft.header}
            onChange={(header) => set({ header })}
          />
          <TextField
            label="Header that names a delivery"
            path="webhook.hmac.id_header"
            wrongs={wrongs}
            code
            placeholder="none"
            hint="each name is taken once"
            value={draft.idHeader}
            onChange={(idHeader) => set({ idHeader })}
          />
        </div>
      )}
      {provider !== WebhookProvider.NONE && (
        <Field
          label={isBasic ? "Password" : "Secret"}
          path="webhook.secrets"
          wrongs={wrongs}
          hint={
            keeps && !draft.secret
              ? "stays what it is where nothing is given"
              : isTheirs
                ? "the one that they show you"
                : "for whoever calls; it is not shown again"
          }
        >
          {(input) => (
            <span className="secret-field">
              <input
                {...input}
                spellCheck={false}
                autoComplete="off"
                value={draft.secret}
                onChange={(event) => set({ secret: event.target.value })}
              />
              {!isTheirs && (
                <button
                  type="button"
                  className="button button-small"
                  onClick={() => set({ secret: freshSecret() })}
                >
                  <Icon name="refresh" /> Make one
                </button>
              )}
              {draft.secret && <CopyButton text={draft.secret} />}
            </span>
          )}
        </Field>
      )}
      {keeps && draft.secret && provider !== WebhookProvider.NONE && (
        <TextField
          label="The one before, good beside it"
          path="webhook.secrets[1]"
          wrongs={wrongs}
          code
          hint="so that nothing is refused until the caller has the new one; not good any more where empty"
          value={draft.oldSecret}
          onChange={(oldSecret) => set({ oldSecret })}
        />
      )}
      <TextField
        label="Answer with what the run gives, if it ends within"
        path="webhook.wait_duration"
        wrongs={wrongs}
        placeholder="do not wait"
        hint="10s; a minute at most"
        value={draft.wait}
        onChange={(wait) => set({ wait })}
      />
      <details className="more" open={isWrongAt(wrongs, MORE) || undefined}>
        <summary>More about requests</summary>
        {provider === WebhookProvider.HMAC && (
          <>
            <div className="form-row">
              <ChoiceField
                label="HMAC with"
                path="webhook.hmac.algorithm"
                wrongs={wrongs}
                value={draft.algorithm}
                choices={ALGORITHMS}
                onChange={(algorithm) => set({ algorithm })}
              />
              <ChoiceField
                label="Written as"
                path="webhook.hmac.encoding"
                wrongs={wrongs}
                value={draft.encoding}
                choices={ENCODINGS}
                onChange={(encoding) => set({ encoding })}
              />
            </div>
            <div className="form-row">
              <TextField
                label="What stands before it"
                path="webhook.hmac.prefix"
                wrongs={wrongs}
                code
                placeholder="sha256="
                maxLength={32}
                value={draft.prefix}
                onChange={(prefix) => set({ prefix })}
              />
              <TextField
                label="Header with the time"
                path="webhook.hmac.timestamp_header"
                wrongs={wrongs}
                code
                placeholder="none"
                hint="then time, dot and body are signed"
                value={draft.timestampHeader}
                onChange={(timestampHeader) => set({ timestampHeader })}
              />
            </div>
          </>
        )}
        <div className="form-row">
          <TextField
            label="Its time may be off by"
            path="webhook.tolerance"
            wrongs={wrongs}
            placeholder="5m"
            value={draft.tolerance}
            onChange={(tolerance) => set({ tolerance })}
          />
          <TextField
            label="Largest body, in bytes"
            path="webhook.max_body_bytes"
            wrongs={wrongs}
            placeholder="262144"
            value={draft.maxBytes}
            onChange={(maxBytes) => set({ maxBytes })}
          />
        </div>
        <div className="form-row">
          <TextField
            label="Requests in a second"
            path="webhook.max_per_second"
            wrongs={wrongs}
            placeholder="as the mesh is set"
            hint="others are answered with 429"
            value={draft.perSecond}
            onChange={(perSecond) => set({ perSecond })}
          />
          <TextField
            label="At once before that counts"
            path="webhook.max_burst"
            wrongs={wrongs}
            placeholder="ten seconds’ worth"
            value={draft.burst}
            onChange={(burst) => set({ burst })}
          />
        </div>
      </details>
    </>
  );
}

/** Whose secret it is changes with who calls. */
function secretFor(next: WebhookProvider, draft: WebhookDraft, keeps: boolean): string {
  if (MAKERS.includes(next)) return "";
  return MAKERS.includes(draft.provider) && !keeps ? freshSecret() : draft.secret;
}
