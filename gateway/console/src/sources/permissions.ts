// What the signed-in person may do with the sources of a graph.
export interface Permissions {
  create: boolean;
  update: boolean;
  remove: boolean;
  refresh: boolean;
  cancel: boolean;
}
