// Encrypt: the caller's right → the key → its primary version → bytes that say what opens them. At once when the key is warm.
import type { Call, MaybePromise } from '../base/call.ts';
import { tenantOf } from '../base/caller.ts';
import { badField, unavailable } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import { bindingOf, checkKey, defaultKey, demand } from './access.ts';
import { algorithmOf } from './create-key.ts';
import type { Encrypted, EncryptInput, Encryption, EncryptionDeps } from './encryption.ts';
import type { UsableKey } from './key.ts';
import type { Keyring } from './keyring.ts';
import type { Leases } from './leases.ts';
import { countOperations } from './operations.ts';
import { notFound, notUsable } from './said.ts';

/** A Fernet token is a third longer than its content, and what Encrypt answers, Decrypt must take. */
const FERNET_MAX = 768 * 1024;
/** A version may wear out between two looks, not again and again. */
const TRIES = 3;

export const createEncrypt = (deps: EncryptionDeps, keyring: Keyring, leases: Leases): Encryption['encrypt'] => {
  const count = countOperations(deps, 'encrypt');
  const choose = ({ key: named }: EncryptInput, call: Call, tenantId: string): MaybePromise<UsableKey> => {
    if (named.name === '' && named.id === '')
      return andThen(defaultKey(deps, call.caller, tenantId), (name) => keyring.orMade(tenantId, name));
    if (named.name !== '') checkKey(call.caller, named.name);
    return andThen(keyring.named(tenantId, named), (found) => {
      if (found === null) throw notFound();
      checkKey(call.caller, found.key.name);
      return found;
    });
  };

  const sealWith = (usable: UsableKey, input: EncryptInput, call: Call, tries: number): MaybePromise<Encrypted> => {
    const { key } = usable;
    if (key.status !== 'enabled') throw notUsable(key);
    const algorithm = algorithmOf(input.algorithm, key.algorithm);
    if (algorithm === 'FERNET' && input.plaintext.length > FERNET_MAX) throw badField('plaintext', 'is at most 768 KiB under FERNET');
    const binding = bindingOf(key.tenantId, input.context, input.associatedData);
    const seal = (): Encrypted => {
      const dataKey = usable.of(key.primaryVersion);
      if (dataKey === null) throw new Error(`key ${key.id} lacks its primary version`);
      const began = deps.clock.monotonic();
      const ciphertext = dataKey.seal(algorithm, binding, input.plaintext, deps.random, call.now);
      count(algorithm, began);
      return { ciphertext, key, version: key.primaryVersion, algorithm };
    };
    if (algorithm !== 'AES-256-GCM') return seal();
    return andThen(leases.take(key), (taken) => {
      if (taken) return seal();
      if (tries <= 1) throw unavailable('KEY_ROTATING', 'the key is being rotated');
      return keyring.fresh(key.tenantId, key.id).then((again) => sealWith(again ?? usable, input, call, tries - 1));
    });
  };

  return (input, call) => {
    const tenantId = tenantOf(call.caller, input.context.tenantId);
    if (input.algorithm !== '') algorithmOf(input.algorithm, 'XAES-256-GCM');
    return demand(deps, call.caller, 'encryption_key:encrypt', () =>
      andThen(choose(input, call, tenantId), (usable) => sealWith(usable, input, call, TRIES)),
    );
  };
};
