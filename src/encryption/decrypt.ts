// Decrypt: opens what the caller may open, and says the same of everything that does not open.
import { randomBytes } from 'node:crypto';
import { tenantOf } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import { bindingOf, checkKey, demand } from './access.ts';
import { createDataKey } from './data-key.ts';
import type { Encryption, EncryptionDeps } from './encryption.ts';
import { type Algorithm, readHeader } from './envelope.ts';
import { SECRET_SIZE } from './key.ts';
import type { Keyring } from './keyring.ts';
import { countOperations } from './operations.ts';
import { notUsable } from './said.ts';

/** One answer for a wrong context, a flipped bit, an unknown key and a foreign one: whoever guesses learns nothing. */
const failed = (): Fault => new Fault('INVALID_ARGUMENT', 'DECRYPTION_FAILED', 'the ciphertext does not open in this context');

export const createDecrypt = (deps: EncryptionDeps, keyring: Keyring): Encryption['decrypt'] => {
  const opened = countOperations(deps, 'decrypt');
  const countFailed = countOperations(deps, 'decrypt_failed');
  // Stands in for keys that are not there, so that an unknown key costs the work of a wrong one.
  const decoy = createDataKey({ keyId: 'ek_0', version: 1, secret: randomBytes(SECRET_SIZE) });
  const NOTHING = Buffer.alloc(64);

  return (input, call) => {
    const tenantId = tenantOf(call.caller, input.context.tenantId);
    const binding = bindingOf(tenantId, input.context, input.associatedData);
    const refuse = (algorithm: Algorithm = 'XAES-256-GCM', header: Buffer = NOTHING, body: Buffer = NOTHING): never => {
      const began = deps.clock.monotonic();
      decoy.open(algorithm, header, body, binding);
      countFailed(algorithm, began);
      throw failed();
    };
    return demand(deps, call.caller, 'encryption_key:decrypt', () => {
      const read = readHeader(input.ciphertext);
      if (read === null) return refuse();
      const { algorithm, keyId, version } = read.header;
      return andThen(keyring.withVersion(tenantId, keyId, version), (usable) => {
        if (usable === null) return refuse(algorithm, read.bytes, read.body);
        const { key } = usable;
        checkKey(call.caller, key.name);
        if (key.status !== 'enabled') throw notUsable(key);
        const began = deps.clock.monotonic();
        const plaintext = usable.of(version)?.open(algorithm, read.bytes, read.body, binding) ?? null;
        if (plaintext === null) {
          countFailed(algorithm, began);
          throw failed();
        }
        opened(algorithm, began);
        return { plaintext, key, version, needsRewrap: version !== key.primaryVersion };
      });
    });
  };
};
