// What a token's scopes cover: the cap that every right of a token's subject passes through.

/**
 * Does a scope list cap this permission away? An empty list is no cap (a first-party login that asked for none). Otherwise the permission
 * needs a scope equal to it, `<resource type>:*`, or `*`. A scope never grants: the subject must hold the permission as well.
 */
export const scopeAllows = (scopes: readonly string[], permission: string): boolean =>
  scopes.length === 0 || scopeCovers(scopes, permission);

/** Does one of the scopes cover the wanted one? Unlike `scopeAllows`, an empty list covers nothing. */
export const scopeCovers = (scopes: readonly string[], wanted: string): boolean => {
  for (const scope of scopes) {
    if (scope === wanted || scope === '*') return true;
    // `conversations:*` covers what starts with `conversations:`; the colon stays, so `conv:*` covers no `conversations:read`.
    if (scope.endsWith(':*') && scope.length > 2 && wanted.startsWith(scope.slice(0, -1))) return true;
  }
  return false;
};
