// Collectors without a page: how what they report is called.
import {
  type ComponentHealth,
  ConfigurationState,
  type ConfigurationStatus,
} from "../gen/weft/agent/v1/collector_pb";
import { ago } from "../ui/format";

export const ACCEPTS_CONFIGURATION = "opamp:accepts-configuration";
export const ACCEPTS_RESTART = "opamp:accepts-restart";

const WORDS: Record<ConfigurationState, string> = {
  [ConfigurationState.UNSPECIFIED]: "has said something else about it",
  [ConfigurationState.OFFERED]: "has said nothing about it yet",
  [ConfigurationState.APPLYING]: "is about to use it",
  [ConfigurationState.APPLIED]: "uses it",
  [ConfigurationState.FAILED]: "could not use it",
};

/** How a collector stands with what it is offered, in a sentence. */
export function configurationWords(status: ConfigurationStatus | undefined): string {
  if (!status) return "It is offered nothing.";
  const words = WORDS[status.state] ?? WORDS[ConfigurationState.UNSPECIFIED];
  const why = status.errorMessage ? `: ${status.errorMessage}` : "";
  return `It was offered a configuration ${ago(status.offerTime)}, and ${words}${why}.`;
}

/** A part of a collector, by the names that lead to it. */
export function partName(part: ComponentHealth): string {
  return part.path.length === 0 ? "The collector" : part.path.join(" › ");
}
