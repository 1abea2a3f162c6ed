// What `doctor` looks at: each check says what it found and, where it is wrong, the next step.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { toFault } from '../base/fault.ts';
import { openToOthers } from '../base/private-file.ts';
import { CLOCK_SKEW, days, type Instant } from '../base/time.ts';

export interface Finding {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'fault';
  readonly detail: string;
  /** What to do about it; '' when it is fine. */
  readonly next: string;
}

export const fine = (name: string, detail: string): Finding => ({ name, state: 'ok', detail, next: '' });
export const fault = (name: string, detail: string, next: string): Finding => ({ name, state: 'fault', detail, next });
export const warning = (name: string, detail: string, next: string): Finding => ({ name, state: 'warning', detail, next });

/** A name that nobody resolves is another fault than a server that is down, and mended elsewhere. */
const unresolved = (cause: unknown): string => {
  const { code = '', hostname = '' } = Object(cause) as { readonly code?: string; readonly hostname?: string };
  return ['ENOTFOUND', 'EAI_AGAIN'].includes(code) ? `: this machine does not know the name ${hostname}`.trimEnd() : '';
};

/** Runs a look; what it throws becomes a fault with the given next step. */
export const look = async (name: string, next: string, check: () => Promise<Finding> | Finding): Promise<Finding> => {
  try {
    return await check();
  } catch (error) {
    const known = toFault(error);
    return fault(
      name,
      known.reason === 'INTERNAL'
        ? String((known.cause as Error | undefined)?.message ?? known.message)
        : known.message + unresolved(known.cause),
      next,
    );
  }
};

/** A private key that others can read is no secret any more. */
export const keyFile = (name: string, path: string): Finding => {
  if (!existsSync(path)) return fault(name, `${path} does not exist`, `create it, or correct ${name}`);
  const stats = statSync(path);
  return openToOthers(stats, process.getuid?.())
    ? fault(
        name,
        `${path} has mode ${(stats.mode & 0o777).toString(8).padStart(4, '0')}: others can read it`,
        `chmod 600 ${path}, and replace the key if others could have read it`,
      )
    : fine(name, `${path} is nobody else's to read`);
};

/** The certificate is in time, with a week to spare, and belongs to the key. */
export const certificatePair = (certPath: string, keyPath: string, now: Instant): Finding => {
  const name = 'TLS certificate';
  const certificate = new X509Certificate(readFileSync(certPath));
  const end = Date.parse(certificate.validTo);
  if (Date.parse(certificate.validFrom) > now)
    return fault(name, `${certPath} is not valid before ${certificate.validFrom}`, 'check the clock of this machine, or wait');
  if (end <= now) return fault(name, `${certPath} expired at ${certificate.validTo}`, `renew it; it is re-read without a restart`);
  const own = createPublicKey(createPrivateKey(readFileSync(keyPath))).export({ type: 'spki', format: 'der' });
  if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(own))
    return fault(name, `${certPath} and ${keyPath} do not belong together`, 'point TLS_CERT_PATH and TLS_KEY_PATH at one pair');
  return end - now < days(7)
    ? warning(name, `${certPath} expires at ${certificate.validTo}`, 'renew it soon; it is re-read without a restart')
    : fine(name, `valid until ${certificate.validTo}, and the key fits`);
};

/** Tokens allow for CLOCK_SKEW between machines, no more. */
export const clockSkew = (own: Instant, database: Instant): Finding => {
  const skew = Math.abs(own - database);
  const said = `this machine and the database differ by ${(skew / 1000).toFixed(1)} s`;
  return skew <= CLOCK_SKEW
    ? fine('clock', said)
    : fault(
        'clock',
        `${said}; tokens and certificates bear ${CLOCK_SKEW / 1000} s at most`,
        'synchronise both clocks (chronyc tracking, timedatectl status), this machine first',
      );
};
