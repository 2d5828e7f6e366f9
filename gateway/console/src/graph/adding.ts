// Adds a constraint to the shown layout, from wherever on the page.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { describe } from "../rpc/errors";
import { toast } from "../ui/toast";
import { add, type Rule } from "./constraints";
import type { LiveGraph } from "./live";

/** Has the list of constraints read again afterwards. */
export function useAdding(live: LiveGraph) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ rule, name }: { rule: Rule; name?: string }) => add(live.layoutName, rule, name),
    onError: (error) => toast.error(describe(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["constraints", live.layoutName] }),
  });
}
