// Who may use which key: the permission, and for a workload the keys of its entry.
import type { MaybePromise } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import { badField, Fault } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import { type Binding, CLASSIFICATIONS } from './aad.ts';
import type { DataContext, EncryptionDeps } from './encryption.ts';

const lacks = (permission: string): Fault =>
  new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `this call needs the permission ${permission}`, { meta: { permission } });

/** Throws unless the caller holds the permission now. */
export const demand = <T>(
  { holds }: Pick<EncryptionDeps, 'holds'>,
  caller: Caller,
  permission: string,
  next: () => MaybePromise<T>,
): MaybePromise<T> =>
  andThen(holds(caller, permission), (held) => {
    if (!held) throw lacks(permission);
    return next();
  });

/** A workload's own default key; the slash keeps it out of reach of CreateKey. */
const ownDefault = (caller: Extract<Caller, { kind: 'workload' }>): string => `default/${caller.namespace}/${caller.name}`;

/**
 * The key that is meant where none is named: the tenant's default; for a workload whose entry does not list that one, a default of
 * its own, so that no workload opens another's data unless somebody said so.
 */
export const defaultKey = (
  { defaultKeyName }: Pick<EncryptionDeps, 'defaultKeyName'>,
  caller: Caller,
  tenantId: TenantId,
): MaybePromise<string> =>
  andThen(defaultKeyName(tenantId), (given) => {
    const name = given === '' ? 'default' : given;
    return caller.kind !== 'workload' || caller.entry?.keyNames.includes(name) === true ? name : ownDefault(caller);
  });

/** PERMISSION_DENIED / KEY_FORBIDDEN for a workload whose entry does not list the key. */
export const checkKey = (caller: Caller, name: string): void => {
  if (caller.kind !== 'workload') return;
  if (caller.entry !== null && (caller.entry.keyNames.includes(name) || name === ownDefault(caller))) return;
  throw new Fault('PERMISSION_DENIED', 'KEY_FORBIDDEN', "this workload's entry does not list the key");
};

export const bindingOf = (tenantId: TenantId, context: DataContext, associatedData: Uint8Array): Binding => {
  const { classification, purpose, attributes } = context;
  if (classification !== '' && !(CLASSIFICATIONS as readonly string[]).includes(classification))
    throw badField('context.classification', `must be one of ${CLASSIFICATIONS.join(', ')}`);
  return { tenantId, classification, purpose, attributes, associatedData };
};
