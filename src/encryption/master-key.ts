// The master key as text or bytes: 32 bytes raw, in base64 or in hex; `dev:` marks one that was made for a laptop.
import { Fault } from '../base/fault.ts';

export interface MasterKey {
  readonly bytes: Buffer;
  /** Made by us for an embedded database; production refuses it. */
  readonly dev: boolean;
}

export const MASTER_KEY_SIZE = 32;
const DEV = 'dev:';

const decode = (text: string): Buffer | null => {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/]{43}=?$/.test(text)) return Buffer.from(text, 'base64');
  if (/^[A-Za-z0-9_-]{43}=?$/.test(text)) return Buffer.from(text, 'base64url');
  return null;
};

const weak = (bytes: Buffer): boolean => new Set(bytes).size < 8;

/** FAILED_PRECONDITION / MASTER_KEY_INVALID says what a key looks like. The text is never repeated. */
export const parseMasterKey = (given: Buffer, source: string): MasterKey => {
  const text = given.toString('latin1').trim();
  const dev = text.startsWith(DEV);
  const bytes = decode(dev ? text.slice(DEV.length) : text) ?? (given.length === MASTER_KEY_SIZE ? Buffer.from(given) : null);
  if (bytes === null || bytes.length !== MASTER_KEY_SIZE || weak(bytes))
    throw new Fault(
      'FAILED_PRECONDITION',
      'MASTER_KEY_INVALID',
      `${source} must hold 32 random bytes: raw, in base64 or in hex. Make one with: openssl rand -base64 32`,
    );
  return { bytes, dev };
};

export const printDevKey = (bytes: Uint8Array): string => `${DEV}${Buffer.from(bytes).toString('base64')}\n`;
