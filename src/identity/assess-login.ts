// Weighs a login that has proved itself: compared with where the account logged in before, and remembered for the next time.
import { hmacSha256 } from '../base/bytes.ts';
import { networkOfAddress } from '../base/address.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { TenantId } from '../base/caller.ts';
import type { Tx } from '../storage/storage.ts';
import type { Device } from '../tokens/tokens.ts';
import { type Risk, riskOf } from './risk.ts';
import type { Attempts, LoginPlaces } from './stores.ts';

export interface AssessPorts {
  readonly places: Pick<LoginPlaces, 'visit'>;
  readonly attempts: Pick<Attempts, 'failures'>;
  /** Devices and networks are kept as keyed hashes. */
  readonly placeSecret: Uint8Array;
}

export interface Arrival {
  readonly tenantId: TenantId;
  readonly userId: string;
  /** Under which its attempts are counted. */
  readonly counter: string;
  readonly address: string;
  readonly userAgent: string;
  readonly device: Device | null;
}

const PLACE_BYTES = 16;

/** Inside the login's transaction, with the user's row held: two logins of one user are compared one after the other. */
export const assessLogin =
  ({ places, attempts, placeSecret }: AssessPorts) =>
  async (tx: Tx, { tenantId, userId, counter, address, userAgent, device }: Arrival): Promise<Risk> => {
    const hashed = (kind: string, text: string): Buffer =>
      hmacSha256(placeSecret, lengthPrefixed([kind, tenantId, userId, text])).subarray(0, PLACE_BYTES);
    const named = device?.deviceId || device?.fingerprint || '';
    // Before the attempts are cleared; this one is counted among them.
    const failures = (await attempts.failures(tx, tenantId, counter)) - 1;
    const fresh = await places.visit(tx, tenantId, userId, [
      { kind: 'network', place: hashed('network', networkOfAddress(address)) },
      // Whoever names no device is known by its program, whatever its version.
      named === ''
        ? { kind: 'agent', place: hashed('agent', userAgent.replaceAll(/[\d.]+/g, '')) }
        : { kind: 'device', place: hashed('device', named) },
    ]);
    return riskOf({ newDevice: fresh.has('device'), newAgent: fresh.has('agent'), newNetwork: fresh.has('network'), failures });
  };
