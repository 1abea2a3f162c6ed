// How a place that an account logs in from is written down: a keyed hash, so that the table tells nobody where people are. Pure.
import { hmacSha256 } from '../base/bytes.ts';
import type { TenantId } from '../base/caller.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { PlaceKind } from './stores.ts';

const PLACE_BYTES = 16;

export const placeOf = (secret: Uint8Array, tenantId: TenantId, userId: string, kind: PlaceKind, text: string): Buffer =>
  hmacSha256(secret, lengthPrefixed([kind, tenantId, userId, text])).subarray(0, PLACE_BYTES);
