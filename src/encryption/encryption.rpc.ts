// Window of the encryption capability: EncryptionService, and the handlers of Encrypt and Decrypt for the six calls.
import type { Call, MaybePromise } from '../base/call.ts';
import { tenantOf } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import { durationOf, millisOf, timestampOf } from '../base/proto-time.ts';
import { seconds } from '../base/time.ts';
import { type EncryptionContext, type EncryptionKey as PrintedKey, EncryptionServiceService } from '../gen/securityhub/v1/encryption.ts';
import type { DecryptRequest, EncryptRequest } from '../gen/securityhub/v1/security_hub.ts';
import { type Service, service } from '../server/rpc/define.ts';
import { note } from '../server/rpc/live-call.ts';
import { decryptAnswer, encryptAnswer } from './answer.ts';
import type { Changed, DataContext, Encryption, KeyName } from './encryption.ts';
import type { KeyWithVersions } from './key.ts';
import { resourceOf } from './said.ts';

const contextOf = (context: EncryptionContext | undefined): DataContext =>
  context ?? { tenantId: '', classification: '', purpose: '', attributes: {} };

/** Handler of SecurityHub/Encrypt. */
export const encryptHandler =
  (encryption: Pick<Encryption, 'encrypt'>) =>
  (request: EncryptRequest, call: Call): MaybePromise<Uint8Array> =>
    andThen(
      encryption.encrypt(
        {
          plaintext: request.plaintext,
          key: { name: request.keyName, id: request.keyId },
          algorithm: request.algorithm,
          context: contextOf(request.context),
          associatedData: request.associatedData,
        },
        call,
      ),
      (sealed) => {
        note(call, { tenantId: sealed.key.tenantId, resource: resourceOf(sealed.key), action: 'encrypt' });
        return encryptAnswer(sealed);
      },
    );

/** Handler of SecurityHub/Decrypt; its row is audited before the answer. */
export const decryptHandler =
  (encryption: Pick<Encryption, 'decrypt'>) =>
  (request: DecryptRequest, call: Call): MaybePromise<Uint8Array> => {
    const { ciphertext, associatedData } = request;
    const context = contextOf(request.context);
    return andThen(encryption.decrypt({ ciphertext, context, associatedData }, call), (opened) => {
      const { key, version } = opened;
      const { classification, purpose } = context;
      const details = {
        key_name: key.name,
        key_version: version,
        classification: classification === '' ? 'internal' : classification,
        purpose,
      };
      note(call, { tenantId: key.tenantId, resource: resourceOf(key), action: 'decrypt', details });
      return decryptAnswer(opened);
    });
  };

const printed = (key: KeyWithVersions): PrintedKey => ({
  id: key.id,
  tenantId: key.tenantId,
  name: key.name,
  purpose: key.purpose,
  algorithm: key.algorithm,
  status: key.status,
  primaryVersion: key.primaryVersion,
  versions: key.versions.map(({ version, createdAt }) => ({
    version,
    status: key.status === 'destroyed' ? 'destroyed' : version === key.primaryVersion ? 'primary' : 'active',
    createdAt: timestampOf(createdAt),
  })),
  rotationPeriod: key.rotationPeriod === null ? undefined : durationOf(key.rotationPeriod),
  nextRotationAt: key.nextRotationAt === null ? undefined : timestampOf(key.nextRotationAt),
  createdAt: timestampOf(key.createdAt),
});

const changed = ({ key, revision }: Changed): { key: PrintedKey; revision: number } => ({ key: printed(key), revision });

/** A key to manage is named: no default is meant here. */
const named = ({ keyName, keyId }: { readonly keyName: string; readonly keyId: string }): KeyName => {
  if (keyName === '' && keyId === '') throw badField('key_name', 'name the key by key_name or key_id');
  return { name: keyName, id: keyId };
};

const manage = {
  access: { permission: 'encryption_key:manage', across: true },
  audit: 'in-transaction',
  limit: 'manage',
  deadline: seconds(5),
} as const;
const read = {
  access: { permission: 'encryption_key:read', across: true },
  audit: 'none',
  limit: 'manage',
  deadline: seconds(5),
  idempotency: 'safe',
} as const;

const tenantIn = (request: { readonly tenantId: string }, call: Call): string => tenantOf(call.caller, request.tenantId, true);

export const encryptionServices = (encryption: Encryption): readonly Service[] => [
  service(EncryptionServiceService, {
    createKey: {
      ...manage,
      idempotency: 'keyed',
      async handle(request, call) {
        const { name, purpose, algorithm, idempotencyKey, rotationPeriod: period } = request;
        const rotationPeriod = period === undefined ? null : Math.floor(millisOf(period));
        return changed(
          await encryption.createKey(tenantIn(request, call), { name, purpose, algorithm, rotationPeriod, idempotencyKey }, call),
        );
      },
    },
    listKeys: {
      ...read,
      async handle(request, call) {
        const { status, pageSize, pageToken } = request;
        const { keys, nextPageToken } = await encryption.listKeys(tenantIn(request, call), status, pageSize, pageToken);
        return { keys: keys.map(printed), nextPageToken };
      },
    },
    getKey: {
      ...read,
      async handle(request, call) {
        return { key: printed(await encryption.getKey(tenantIn(request, call), named(request))) };
      },
    },
    rotateKey: {
      ...manage,
      idempotency: 'keyed',
      async handle(request, call) {
        return changed(await encryption.rotateKey(tenantIn(request, call), named(request), request.idempotencyKey, call));
      },
    },
    disableKey: {
      ...manage,
      idempotency: 'idempotent',
      async handle(request, call) {
        return changed(await encryption.changeStatus(tenantIn(request, call), named(request), 'disabled', request.reason, call));
      },
    },
    enableKey: {
      ...manage,
      idempotency: 'idempotent',
      async handle(request, call) {
        return changed(await encryption.changeStatus(tenantIn(request, call), named(request), 'enabled', request.reason, call));
      },
    },
  }),
];
