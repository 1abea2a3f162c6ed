// The other end of a connection: where it is, and the certificate it proved. Worked out once a connection, not once a call.
import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { isLoopback, plainAddress } from '../../base/address.ts';
import type { Peer } from '../../base/call.ts';
import { describeCertificate } from '../../base/peer-certificate.ts';

const UNKNOWN: Peer = { transport: 'tcp', address: '', loopback: false, certificate: null };

type Shown = Pick<Peer, 'certificate' | 'refusedCertificate'>;
const NONE: Shown = { certificate: null };

const shownBy = (socket: Partial<TLSSocket>): Shown => {
  if (socket.encrypted !== true) return NONE;
  const certificate = socket.getPeerX509Certificate?.();
  if (certificate === undefined) return NONE;
  // The handshake requires none, so it is checked here: only what our own authority signed names anybody.
  if (socket.authorized !== true) return { certificate: null, refusedCertificate: String(socket.authorizationError) };
  return { certificate: describeCertificate(certificate) };
};

const peerOfSocket = (socket: Socket): Peer => {
  const { remoteAddress } = socket;
  if (remoteAddress === undefined)
    return socket.destroyed ? UNKNOWN : { transport: 'unix', address: 'unix', loopback: true, certificate: null };
  const address = plainAddress(remoteAddress);
  return { transport: 'tcp', address, loopback: isLoopback(address), ...shownBy(socket as Partial<TLSSocket>) };
};

export type PeerOf = (call: object) => Peer;

export const createPeers = (): PeerOf => {
  const peers = new WeakMap<Http2Session, Peer>();
  return (call) => {
    // grpc-js offers the address as text and the certificate parsed anew on each call; the session behind it is its own affair.
    // Where it is not to be found the peer is unknown, and unknown may do nothing.
    const session = (call as { readonly call?: { readonly stream?: { readonly session?: Http2Session } } }).call?.stream?.session;
    if (session === undefined) return UNKNOWN;
    const known = peers.get(session);
    if (known !== undefined) return known;
    if (session.destroyed) return UNKNOWN;
    const peer = peerOfSocket(session.socket as Socket);
    if (peer !== UNKNOWN) peers.set(session, peer);
    return peer;
  };
};
