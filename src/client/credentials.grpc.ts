// Channel credentials out of PEM texts, for an address that may be a bare IP.
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js';
import { ipOf } from './address.ts';
import type { Pems } from './tls-files.ts';

/** Throws what OpenSSL says of texts that do not fit. */
export const sslCredentials = (address: string, { ca, cert, key }: Pems, serverName = ''): ChannelCredentials => {
  const ip = serverName === '' ? ipOf(address) : null;
  // The certificate must name the address; it cannot be asked for by it (RFC 6066 §3), and Node refuses to try.
  const named = ip === null ? {} : { checkServerIdentity: (_: string, shown: PeerCertificate) => checkServerIdentity(ip, shown) };
  return credentials.createSsl(ca, key, cert, named);
};

/** What goes with them: the name to ask for. */
export const sslOptions = (address: string, serverName = ''): ChannelOptions => {
  if (serverName !== '') return { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName };
  return ipOf(address) === null ? {} : { 'grpc.ssl_target_name_override': 'security-hub' };
};
