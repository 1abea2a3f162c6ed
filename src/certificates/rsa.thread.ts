// A thread that makes RSA keys: the search for primes holds a core for up to seconds, which must not be the event loop's.
// It imports Node alone, so that it runs as a bare thread from source and from the compiled tree.
import { generateKeyPairSync } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', (modulusLength: number) => {
  const made = generateKeyPairSync('rsa', {
    modulusLength,
    publicExponent: 65_537,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
  parentPort?.postMessage({ spki: made.publicKey, pkcs8: made.privateKey });
});
