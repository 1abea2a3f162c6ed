// Weighs a login that has proved itself: compared with where the account logged in before, and remembered for the next time.
import { networkOfAddress } from '../base/address.ts';
import type { TenantId } from '../base/caller.ts';
import type { Tx } from '../storage/storage.ts';
import type { Device } from '../tokens/tokens.ts';
import { placeOf } from './place.ts';
import { type Risk, riskOf } from './risk.ts';
import type { Attempts, LoginPlaces, PlaceKind } from './stores.ts';

export interface AssessPorts {
  readonly places: Pick<LoginPlaces, 'visit'>;
  readonly attempts: Pick<Attempts, 'failures'>;
  /** Devices and networks are kept as keyed hashes. */
  readonly placeSecret: Uint8Array;
}

export interface Arrival {
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly address: string;
  readonly userAgent: string;
  readonly device: Device | null;
}

/** Inside the login's transaction, with the user's row held: two logins of one user are compared one after the other. */
export const assessLogin =
  ({ places, attempts, placeSecret }: AssessPorts) =>
  async (tx: Tx, { tenantId, userId, address, userAgent, device }: Arrival): Promise<Risk> => {
    const hashed = (kind: PlaceKind, text: string): Buffer => placeOf(placeSecret, tenantId, userId, kind, text);
    const named = device?.deviceId || device?.fingerprint || '';
    const failures = await attempts.failures(tx, tenantId, userId);
    const fresh = await places.visit(tx, tenantId, userId, [
      { kind: 'network', place: hashed('network', networkOfAddress(address)) },
      // Whoever names no device is known by its program, whatever its version.
      named === ''
        ? { kind: 'agent', place: hashed('agent', userAgent.replaceAll(/[\d.]+/g, '')) }
        : { kind: 'device', place: hashed('device', named) },
    ]);
    return riskOf({ newDevice: fresh.has('device'), newAgent: fresh.has('agent'), newNetwork: fresh.has('network'), failures });
  };
