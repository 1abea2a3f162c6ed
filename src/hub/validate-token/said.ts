// What a valid answer says: encoded once for all tokens of which the same is said; a token's own part is written by hand at every answer.
import type { Instant } from '../../base/time.ts';
import type { ValidateTokenResponse } from '../../gen/securityhub/v1/security_hub.ts';
import { Claims, LiveSubject } from '../../gen/securityhub/v1/token.ts';
import { encodeStill, MOMENT_BYTES, type Still, stillOf, writeMoment } from './answer.ts';
import type { Moment } from './moment.ts';
import { INSTANT_BYTES, instant, tagOf, text, whole } from '../../base/wire-bytes.ts';

/** What sets a token apart from others of which otherwise the same is said: never encoded twice, never kept encoded. */
export interface Own {
  readonly subject: string;
  readonly tokenId: string;
  readonly sessionId: string;
  readonly deviceId: string;
  readonly expiresAt: Instant;
  readonly notBefore: Instant;
  readonly issuedAt: Instant;
  readonly authTime: Instant;
}

/** All that a valid answer says, but for the token's own part and the moment. */
export interface Said {
  /** Fields of `claims`, without its tag and length. */
  readonly claims: Still;
  /** Fields of `subject`, likewise, and behind them those of the answer. */
  readonly rest: Still;
  readonly subjectBytes: number;
}

/** `apart`: the own part is written by hand, see Own. */
export const say = (claims: Claims, subject: LiveSubject, rest: ValidateTokenResponse, apart: boolean): Said => {
  const dated = { expiresAt: undefined, notBefore: undefined, issuedAt: undefined, authTime: undefined };
  const common = apart ? { ...claims, subject: '', tokenId: '', sessionId: '', deviceId: '', ...dated } : claims;
  const whose = stillOf(LiveSubject.encode(apart ? { ...subject, id: '' } : subject).finish());
  return { claims: stillOf(Claims.encode(common).finish()), rest: whose + encodeStill(rest), subjectBytes: whose.length };
};

/** Said of a token or a user alone is nothing; of a role in a tenant, much. */
const SHARED = 4096;

/** The same object for the same words. */
export const shareSaid = () => {
  const shared = new Map<string, Said>();
  return (said: Said): Said => {
    const key = `${said.claims} ${said.rest}`;
    const known = shared.get(key);
    if (known !== undefined) return known;
    if (shared.size >= SHARED) shared.clear();
    // Flat: what was put together from pieces would keep them.
    const flat = { ...said, rest: Buffer.from(said.rest, 'latin1').toString('latin1') };
    shared.set(Buffer.from(key, 'latin1').toString('latin1'), flat);
    return flat;
  };
};

const CLAIMS = tagOf(6, 2);
const SUBJECT = tagOf(7, 2);
/** The same field in Claims (`subject`) and in LiveSubject (`id`). */
const WHO = tagOf(2, 2);
const [EXPIRES_AT, NOT_BEFORE, ISSUED_AT, TOKEN_ID, SESSION_ID, DEVICE_ID, AUTH_TIME] = [
  tagOf(4, 2),
  tagOf(5, 2),
  tagOf(6, 2),
  tagOf(7, 2),
  tagOf(13, 2),
  tagOf(14, 2),
  tagOf(19, 2),
] as const;

const textRoom = (value: string): number => 7 + Buffer.byteLength(value);

/** Most bytes that the own part takes. */
export const ownRoom = ({ subject, tokenId, sessionId, deviceId }: Own): number =>
  2 * textRoom(subject) + textRoom(tokenId) + textRoom(sessionId) + textRoom(deviceId) + 4 * INSTANT_BYTES;

const writeOwn = (bytes: Buffer, own: Own, from: number): number => {
  let at = text(bytes, TOKEN_ID, own.tokenId, from);
  at = text(bytes, SESSION_ID, own.sessionId, at);
  at = text(bytes, DEVICE_ID, own.deviceId, at);
  at = instant(bytes, EXPIRES_AT, own.expiresAt, at);
  at = instant(bytes, NOT_BEFORE, own.notBefore, at);
  at = instant(bytes, ISSUED_AT, own.issuedAt, at);
  return instant(bytes, AUTH_TIME, own.authTime, at);
};

/** Tag and length of what follows, ending at `end`; its own beginning. */
const headBefore = (bytes: Buffer, tag: number, length: number, end: number): number => {
  const start = end - (length < 0x80 ? 2 : length < 0x4000 ? 3 : length < 0x200000 ? 4 : 5);
  whole(bytes, tag, length, start);
  return start;
};

const HEAD = 5;

/** `room`: ownRoom of it, 0 without. `warning` may be empty. */
export const validAnswer = (said: Said, own: Own | null, room: number, warning: Still, moment: Moment): Buffer => {
  const { claims, rest, subjectBytes } = said;
  const bytes = Buffer.allocUnsafe(2 * HEAD + room + claims.length + rest.length + warning.length + MOMENT_BYTES);
  // Its length is known once it is written: the head comes before it.
  const who = own === null ? HEAD : text(bytes, WHO, own.subject, HEAD);
  let at = own === null ? HEAD : writeOwn(bytes, own, who);
  at += bytes.write(claims, at, 'latin1');
  const start = headBefore(bytes, CLAIMS, at - HEAD, HEAD);
  at = whole(bytes, SUBJECT, who - HEAD + subjectBytes, at);
  if (own !== null) at = text(bytes, WHO, own.subject, at);
  at += bytes.write(rest, at, 'latin1');
  if (warning !== '') at += bytes.write(warning, at, 'latin1');
  return bytes.subarray(start, writeMoment(bytes, moment, at));
};
