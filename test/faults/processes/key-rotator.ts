// A replica that does what is due of the signing keys, and says when it begins and when it is through: argv: uri, the master key's file.
import { readFileSync } from 'node:fs';
import type { FreshDatabase } from '../../harness.ts';
import { tokensHub } from '../../rpc/tokens/hub.ts';

const [uri = '', masterKey = ''] = process.argv.slice(2);
const hub = await tokensHub({ uri } as FreshDatabase, { masterKey: readFileSync(masterKey) });
process.stdout.write('begins\n');
await hub.turn('tokens.key_life');
process.stdout.write('through\n');
process.exit(0);
