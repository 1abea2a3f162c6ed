// What the encryption capability says in more than one place: its faults, and what a key is called in events.
import { Fault } from '../base/fault.ts';
import type { EncryptionKey } from './key.ts';

export const notFound = (): Fault => new Fault('NOT_FOUND', 'KEY_NOT_FOUND', 'no such encryption key');

export const notUsable = ({ id, status }: Pick<EncryptionKey, 'id' | 'status'>): Fault =>
  new Fault('FAILED_PRECONDITION', 'KEY_NOT_USABLE', `the key is ${status}`, { meta: { key_id: id, status } });

export const resourceOf = (key: Pick<EncryptionKey, 'id'>): string => `encryption_key:${key.id}`;
