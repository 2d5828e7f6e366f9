const WORD = /^[A-Za-z_]\w*$/;

/** How an expression names a member of an object: `steps.key`, or `steps["a key"]`. */
export const memberOf = (object: string, key: string): string =>
  WORD.test(key) ? `${object}.${key}` : `${object}[${JSON.stringify(key)}]`;
