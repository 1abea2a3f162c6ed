// The master key at work: seals what must rest in the database, derives keys for keyed hashes. It never leaves this file's closure.
import { hkdfSync } from 'node:crypto';
import { hmacSha256 } from '../base/bytes.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import { Fault } from '../base/fault.ts';
import type { Random } from '../base/random.ts';
import type { Sealer } from '../base/sealer.ts';
import { type Aead, xaes } from './xaes.ts';

export interface MasterSealer extends Sealer {
  /** Tells two master keys apart and gives neither away: 16 bytes for the keyring's check. */
  readonly checkValue: Buffer;
}

const FORMAT = 1;
const CHECK = 4;

export const masterKeyMismatch = (message: string): Fault => new Fault('FAILED_PRECONDITION', 'MASTER_KEY_MISMATCH', message);

/** Sealed bytes: 0x01 ‖ first 4 bytes of the check value ‖ nonce (24) ‖ XAES-256-GCM under the purpose's subkey. */
export const createSealer = (master: Uint8Array, random: Pick<Random, 'bytes'>): MasterSealer => {
  const derive = (kind: string, purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), lengthPrefixed(['securityhub', kind, purpose]), 32));
  // Purposes are constants of the code, so this stays small.
  const aeads = new Map<string, Aead>();
  const aeadOf = (purpose: string): Aead => {
    const there = aeads.get(purpose);
    if (there !== undefined) return there;
    const made = xaes(derive('seal', purpose));
    aeads.set(purpose, made);
    return made;
  };
  const checkValue = hmacSha256(derive('check', ''), 'v1').subarray(0, 16);
  const head = Buffer.concat([Buffer.from([FORMAT]), checkValue.subarray(0, CHECK)]);
  const aadOf = (purpose: string, context: string): Buffer => lengthPrefixed([head, purpose, context]);
  return {
    checkValue,
    derive: (purpose) => derive('derive', purpose),
    seal(purpose, context, plaintext) {
      const aead = aeadOf(purpose);
      const nonce = random.bytes(aead.nonceSize);
      return Buffer.concat([head, nonce, ...aead.seal(nonce, aadOf(purpose, context), plaintext)]);
    },
    open(purpose, context, sealed) {
      const aead = aeadOf(purpose);
      const body = head.length + aead.nonceSize;
      if (sealed.length < body || !head.equals(sealed.subarray(0, head.length)))
        throw masterKeyMismatch('this was sealed under another master key: give the one this database was made with (ENCRYPTION_KEY_PATH)');
      const opened = aead.open(sealed.subarray(head.length, body), aadOf(purpose, context), sealed.subarray(body));
      if (opened === null) throw masterKeyMismatch('a sealed value does not open: it was changed, or moved from where it belongs');
      return opened;
    },
  };
};
