// Asks before a thing of a list is deleted, and says when it is.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Dialog } from "./dialog";
import { DialogFoot, Problem } from "./form";
import { lastPart } from "./format";
import { toast } from "./toast";

interface Props {
  thing: { name: string; displayName: string };
  remove: () => Promise<unknown>;
  /** The list that does not have it any more. */
  list: string;
  onClose: () => void;
  /** What follows from it. */
  children: ReactNode;
}

export function DeleteDialog({ thing, remove, list, onClose, children }: Props) {
  const queries = useQueryClient();
  const removal = useMutation({
    mutationFn: remove,
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: [list] });
      toast.done(`Deleted ${lastPart(thing.name)}`);
      onClose();
    },
  });
  return (
    <Dialog title={`Delete ${thing.displayName || lastPart(thing.name)}?`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          removal.mutate();
        }}
      >
        <p>{children}</p>
        <Problem error={removal.error} />
        <DialogFoot label="Delete" danger disabled={removal.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
