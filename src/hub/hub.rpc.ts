// Window of the six calls: one row each.
import { type Millis, seconds } from '../base/time.ts';
import { SecurityHubService } from '../gen/securityhub/v1/security_hub.ts';
import { type Rows, type Service, service } from '../server/rpc/define.ts';
import { readBatchCheck } from './batch-check/request.ts';

/** Longer than the storage waits for a database that stands still: then the answer is UNAVAILABLE, which says what is wrong, and not that time is up. */
const PATIENCE: Millis = seconds(5);

export type Handlers = { readonly [N in keyof Rows<typeof SecurityHubService>]: Rows<typeof SecurityHubService>[N]['handle'] };

export const hubService = (handlers: Handlers): Service =>
  service(SecurityHubService, {
    validateToken: {
      access: 'known',
      audit: 'sampled',
      limit: 'verdict',
      deadline: PATIENCE,
      idempotency: 'safe',
      handle: handlers.validateToken,
    },
    checkPermission: {
      access: 'known',
      audit: 'sampled',
      limit: 'check',
      deadline: PATIENCE,
      idempotency: 'safe',
      handle: handlers.checkPermission,
    },
    batchCheck: {
      access: 'known',
      audit: 'sampled',
      limit: 'batch',
      deadline: PATIENCE,
      idempotency: 'safe',
      read: readBatchCheck,
      fleeting: true,
      handle: handlers.batchCheck,
    },
    encrypt: {
      access: 'known',
      audit: 'sampled',
      limit: 'crypto',
      deadline: PATIENCE,
      idempotency: 'idempotent',
      handle: handlers.encrypt,
    },
    decrypt: {
      access: 'known',
      audit: 'required',
      limit: 'crypto',
      deadline: PATIENCE,
      idempotency: 'idempotent',
      handle: handlers.decrypt,
    },
    // Its own rules say who is entitled: a service for itself, a right, or an attestation from somebody unknown.
    issueServiceCert: {
      access: 'anonymous',
      audit: 'in-transaction',
      limit: 'issue',
      deadline: seconds(10),
      idempotency: 'keyed',
      handle: handlers.issueServiceCert,
    },
  });
