import { describe, expect, it } from '@jest/globals';
import { userCaller, workloadEntry } from '../../../test/callers.ts';
import type { Peer, PeerCertificate } from '../../base/call.ts';
import type { Caller, WorkloadEntry } from '../../base/caller.ts';
import { type AuditEntry, eventOf } from '../../base/event.ts';
import { Fault, unavailable } from '../../base/fault.ts';
import { systemRandom } from '../../base/random.ts';
import { type Columns, type Service, service, type UnaryRow } from './define.ts';
import { createInvoker } from './invoke.ts';
import { eventType } from './layers/record.ts';
import type { Incoming } from './live-call.ts';
import { isPromise } from '../../base/maybe.ts';
import { checkOrder, type Layer, type OnionPorts } from './onion.ts';

interface Message {
  readonly tenantId?: string;
  readonly text?: string;
}

const PATH = '/toy.v1.ToyService/DoIt';
// Decoders are handed a reader where they expect bytes; it carries them as `buf`.
const definition = {
  doIt: {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestDeserialize(bytes: Buffer): Message {
      const reader = bytes as unknown as { readonly buf: Buffer; pos: number; readonly len: number };
      reader.pos = reader.len;
      return JSON.parse(Buffer.from(reader.buf).toString()) as Message;
    },
    responseSerialize: (value: Message): Buffer => Buffer.from(JSON.stringify(value)),
  },
} as const;

const peer: Peer = { transport: 'tcp', address: '203.0.113.9', loopback: false, certificate: null };
const certificate: PeerCertificate = {
  der: Buffer.alloc(0),
  sha256: '',
  spkiSha256: '',
  spiffeId: 'spiffe://x',
  serialNumber: '1',
  notBefore: 0,
  notAfter: 9e15,
};
const incoming = (over: Partial<Incoming> & { readonly headers?: Record<string, string> } = {}): Incoming => ({
  peer,
  deadline: Number.POSITIVE_INFINITY,
  header: (name) => over.headers?.[name] ?? '',
  onCancel: () => {},
  ...over,
});

const entry = (over: Partial<WorkloadEntry>): WorkloadEntry =>
  workloadEntry({ namespace: 'default', name: 'billing', calls: ['DoIt'], ...over });

const anonymous: Caller = { kind: 'anonymous' };
const user = userCaller('acme', 'usr_1', { sessionId: 'ses_1' });
const apiKey: Caller = { kind: 'api_key', tenantId: 'acme', keyId: 'key_1', ownerId: 'usr_1', permissions: [], scopes: [] };
const workload = (registered: WorkloadEntry | null): Caller => ({
  kind: 'workload',
  tenantId: 'acme',
  spiffeId: 'spiffe://x',
  namespace: 'default',
  name: 'billing',
  entry: registered,
});

interface Setup {
  readonly row?: Partial<UnaryRow<Message, Message>>;
  readonly caller?: Caller;
  readonly held?: readonly string[];
  readonly ports?: Partial<OnionPorts>;
}

const setUp = ({ row, caller = anonymous, held = [], ports }: Setup) => {
  const kept = { refused: [] as AuditEntry[], required: [] as AuditEntry[], sampled: [] as AuditEntry[], logged: [] as unknown[] };
  const columns: Omit<Columns, 'access'> = { audit: 'none', limit: 'manage', deadline: 1000, idempotency: 'safe' };
  const services: Service[] = [
    service(definition, { doIt: { ...columns, access: 'anonymous', handle: (request: Message) => request, ...row } }),
  ];
  const invoker = createInvoker({
    services,
    caps: { inFlight: 100, streams: 10, streamsPerCaller: 3, batches: 2, waits: 1 },
    ports: {
      clock: { now: () => 1_000_000, monotonic: () => 0 },
      random: systemRandom,
      log: { info: () => {}, warn: (fields) => kept.logged.push(fields), error: (fields) => kept.logged.push(fields) },
      metrics: { counter: () => ({ inc() {} }), gauge: () => {}, histogram: () => ({ observe() {} }) },
      recorder: {
        required: async (event) => void kept.required.push(event),
        refused: (event) => void kept.refused.push(event),
        sampled: (_kind, event) => void kept.sampled.push(event()),
      },
      authenticate: () => caller,
      holds: (_caller, permission) => held.includes(permission),
      validate: () => [],
      pay: () => {},
      shed: () => false,
      ...ports,
    },
  });
  const shown = incoming({ headers: caller.kind === 'anonymous' ? {} : { authorization: 'Bearer x' } });
  const call = (message: Message = {}, from: Incoming = shown) => invoker.invoke(PATH, Buffer.from(JSON.stringify(message)), from);
  return { invoker, kept, call };
};

/** `OK`, or code and reason of the fault. */
const outcome = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'OK';
  } catch (thrown) {
    return thrown instanceof Fault ? `${thrown.code} ${thrown.reason}` : String(thrown);
  }
};

describe('access to a row', () => {
  const play = { permission: 'toy:play' };
  const across = { permission: 'toy:play', across: true };
  const known = workload(entry({}));
  it.each<[string, Columns['access'], Caller, readonly string[], string, string]>([
    ['anonymous rows are open', 'anonymous', anonymous, [], '', 'OK'],
    ['known rows need a credential', 'known', anonymous, [], '', 'UNAUTHENTICATED CREDENTIALS_MISSING'],
    ['a user is known', 'known', user, [], '', 'OK'],
    ['an API key is known', 'known', apiKey, [], '', 'OK'],
    ['a workload is known by its entry', 'known', known, [], '', 'OK'],
    ['a workload nobody registered is refused', 'known', workload(null), [], '', 'PERMISSION_DENIED WORKLOAD_UNKNOWN'],
    [
      'a workload whose entry lists other calls is refused',
      'known',
      workload(entry({ calls: ['Other'] })),
      [],
      '',
      'PERMISSION_DENIED CALL_NOT_ALLOWED',
    ],
    ['a holder needs no entry', 'holder', workload(null), [], '', 'OK'],
    ['a holder needs a credential', 'holder', anonymous, [], '', 'UNAUTHENTICATED CREDENTIALS_MISSING'],
    ['a permission must be held', play, user, [], '', 'PERMISSION_DENIED PERMISSION_MISSING'],
    ['a permission that is held lets in', play, user, ['toy:play'], '', 'OK'],
    ['a workload with the call but without the permission is refused', play, known, [], '', 'PERMISSION_DENIED PERMISSION_MISSING'],
    [
      'a workload with the permission but without the call is refused',
      play,
      workload(entry({ calls: [] })),
      ['toy:play'],
      '',
      'PERMISSION_DENIED CALL_NOT_ALLOWED',
    ],
    ['a workload with both is let in', play, known, ['toy:play'], '', 'OK'],
    ["one's own tenant may be named", play, user, ['toy:play'], 'acme', 'OK'],
    ['a foreign tenant may not be named', play, user, ['toy:play'], 'rival', 'PERMISSION_DENIED TENANT_FORBIDDEN'],
    ['a row across tenants without a permission is open to the known', { across: true }, user, [], '', 'OK'],
    ['and closed to the unknown', { across: true }, anonymous, [], '', 'UNAUTHENTICATED CREDENTIALS_MISSING'],
    ['on it a foreign tenant may not be named', { across: true }, user, [], 'rival', 'PERMISSION_DENIED TENANT_FORBIDDEN'],
    ['but by whoever may name any', { across: true }, user, ['installation:tenants'], 'rival', 'OK'],
    ['a foreign tenant may not be named on known rows', 'known', apiKey, [], 'rival', 'PERMISSION_DENIED TENANT_FORBIDDEN'],
    [
      'the permission over all tenants counts on rows made for it alone',
      play,
      user,
      ['toy:play', 'installation:tenants'],
      'rival',
      'PERMISSION_DENIED TENANT_FORBIDDEN',
    ],
    ['a row across tenants needs that permission', across, user, ['toy:play'], 'rival', 'PERMISSION_DENIED TENANT_FORBIDDEN'],
    ['a row across tenants opens with that permission', across, user, ['toy:play', 'installation:tenants'], 'rival', 'OK'],
    ['a workload may name the tenants of its entry', 'known', workload(entry({ tenants: ['rival'] })), [], 'rival', 'OK'],
    [
      'a workload may name no other, whatever it holds',
      across,
      known,
      ['toy:play', 'installation:tenants'],
      'rival',
      'PERMISSION_DENIED TENANT_FORBIDDEN',
    ],
  ])('%s', async (_rule, access, caller, held, tenantId, wanted) => {
    const { call } = setUp({ row: { access }, caller, held });
    expect(await outcome(() => call({ tenantId }))).toBe(wanted);
  });

  it('a row for callers in person is closed to who acts for a user', async () => {
    const row = { access: 'known', inPerson: true } as const;
    expect(await outcome(setUp({ row, caller: { ...user, delegated: true } }).call)).toBe('PERMISSION_DENIED IN_PERSON_ONLY');
    expect(await outcome(setUp({ row, caller: user }).call)).toBe('OK');
  });

  it('names the permission that is missing', () => {
    const { call } = setUp({ row: { access: play }, caller: user });
    expect(() => call()).toThrow(expect.objectContaining({ meta: { permission: 'toy:play' } }));
  });

  it('waits for a permission that has to be looked up', async () => {
    const { call } = setUp({ row: { access: play }, caller: user, ports: { holds: async () => false } });
    expect(await outcome(call)).toBe('PERMISSION_DENIED PERMISSION_MISSING');
  });
});

describe('a credential', () => {
  const bad = (): never => {
    throw new Fault('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'expired');
  };
  const away = (): never => {
    throw unavailable('STORE_UNAVAILABLE', 'away');
  };
  const shown = incoming({ headers: { authorization: 'Bearer x' } });
  it.each<[string, Columns['access'], OnionPorts['authenticate'], string]>([
    ['that is bad is refused with its reason', 'known', bad, 'UNAUTHENTICATED TOKEN_EXPIRED'],
    ['that is bad counts as none on a row open to all', 'anonymous', bad, 'OK'],
    ['that is found bad later counts as none on a row open to all', 'anonymous', async () => bad(), 'OK'],
    ['that cannot be checked is an outage', 'known', away, 'UNAVAILABLE STORE_UNAVAILABLE'],
    ['that cannot be checked is an outage on a row open to all as well', 'anonymous', async () => away(), 'UNAVAILABLE STORE_UNAVAILABLE'],
  ])('%s', async (_rule, access, authenticate, wanted) => {
    const { call } = setUp({ row: { access }, ports: { authenticate } });
    expect(await outcome(() => call({}, shown))).toBe(wanted);
  });

  it.each<[string, string, string]>([
    ['is told to whoever must show one after all', 'CREDENTIALS_MISSING', 'UNAUTHENTICATED TOKEN_EXPIRED'],
    ['is nothing to whoever is refused for something else', 'CREDENTIALS_INVALID', 'UNAUTHENTICATED CREDENTIALS_INVALID'],
  ])('that is bad on a row open to all %s', async (_rule, reason, wanted) => {
    const handle = (): never => {
      throw new Fault('UNAUTHENTICATED', reason, 'refused');
    };
    const { call } = setUp({ row: { access: 'anonymous', handle }, ports: { authenticate: bad } });
    expect(await outcome(() => call({}, shown))).toBe(wanted);
  });

  it('is not looked at where health is asked', async () => {
    const { call } = setUp({ row: { limit: 'vital' }, ports: { authenticate: away } });
    expect(await outcome(() => call({}, shown))).toBe('OK');
  });

  it('may be the certificate of the connection', () => {
    let peers = 0;
    const { call } = setUp({ row: { access: 'holder' }, ports: { authenticate: () => (peers++, workload(null)) } });
    void call({}, incoming({ peer: { ...peer, certificate } }));
    expect(peers).toBe(1);
  });
});

describe('a call', () => {
  it('that waits for nothing makes no promise', () => {
    const { call } = setUp({ row: { access: { permission: 'toy:play' }, audit: 'sampled' }, caller: user, held: ['toy:play'] });
    const answer = call({ text: 'hello' });
    expect(isPromise(answer)).toBe(false);
    expect(String(answer as Buffer)).toBe('{"text":"hello"}');
  });

  it('may answer with bytes that are encoded already', () => {
    const { call } = setUp({ row: { handle: () => Uint8Array.from([1, 2]) } });
    expect(call()).toEqual(Buffer.from([1, 2]));
  });

  it('that nobody waits for any more is not begun', async () => {
    let begun = 0;
    const { call } = setUp({ row: { handle: () => (begun++, {}) } });
    expect(await outcome(() => call({}, incoming({ deadline: 999_999 })))).toBe('DEADLINE_EXCEEDED DEADLINE_EXCEEDED');
    expect(begun).toBe(0);
  });

  it('that is given up while it stands in line is not begun', async () => {
    let handled = 0;
    const row = { handle: (request: Message) => ((handled += 1), request) };
    const { call } = setUp({ row });
    const large = { text: 'x'.repeat(20_000) };
    const gone: (() => void)[] = [];
    const answers = [1, 2, 3].map(() => call(large, incoming({ onCancel: (listener) => void gone.push(listener) })));
    // Whoever is second in line leaves.
    gone[1]?.();
    expect(await Promise.all(answers.map((answer) => outcome(() => answer)))).toEqual(['OK', 'CANCELLED CANCELLED', 'OK']);
    expect(handled).toBe(2);
  });

  it('sees the sooner of two deadlines', () => {
    const seen: number[] = [];
    const { call } = setUp({ row: { handle: (_request, { deadline }) => (seen.push(deadline), {}) } });
    void call({}, incoming({ deadline: 1_000_300 }));
    void call({}, incoming({ deadline: 1_009_000 }));
    expect(seen).toEqual([1_000_300, 1_001_000]);
  });

  it('to a method that does not exist is UNIMPLEMENTED', async () => {
    const { invoker } = setUp({});
    expect(await outcome(() => invoker.invoke('/toy.v1.ToyService/Other', Buffer.alloc(0), incoming()))).toBe(
      'UNIMPLEMENTED METHOD_UNKNOWN',
    );
  });

  it('is told which fields are out of bounds only if it may be made at all', async () => {
    const validate = () => [{ field: 'text', description: 'is too long' }];
    const allowed = setUp({ row: { access: 'known' }, caller: user, ports: { validate } });
    expect(() => allowed.call()).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'REQUEST_INVALID', violations: validate() }),
    );
    const refused = setUp({ row: { access: 'known' }, ports: { validate } });
    expect(await outcome(() => refused.call())).toBe('UNAUTHENTICATED CREDENTIALS_MISSING');
  });
});

describe('the record', () => {
  it('counts a refusal in the tenant of the caller, with the reason', async () => {
    const { call, kept } = setUp({ row: { access: { permission: 'toy:play' } }, caller: user });
    await outcome(call);
    expect(kept.refused).toMatchObject([
      {
        tenantId: 'acme',
        type: 'call.refused',
        reason: 'PERMISSION_MISSING',
        result: 'failure',
        actor: { type: 'user', id: 'usr_1' },
        details: { code: 'PERMISSION_DENIED' },
      },
    ]);
  });

  it('gives no answer before a required event is durable', async () => {
    const ports = {
      recorder: { required: () => Promise.reject(unavailable('AUDIT_UNAVAILABLE', 'away')), refused: () => {}, sampled: () => {} },
    };
    const { call } = setUp({ row: { audit: 'required' }, ports });
    expect(await outcome(call)).toBe('UNAVAILABLE AUDIT_UNAVAILABLE');
  });

  it('keeps no success of a call that failed', async () => {
    const failing = () => {
      throw new Error('a row of somebody else');
    };
    const { call, kept } = setUp({ row: { audit: 'sampled', handle: failing } });
    expect(await outcome(call)).toBe('INTERNAL INTERNAL');
    expect(kept.sampled).toEqual([]);
    expect(kept.refused).toMatchObject([{ result: 'error', reason: 'INTERNAL' }]);
  });

  it('logs at most 50 outages a second, and how many it left out', async () => {
    let clock = 0;
    const handle = () => {
      throw unavailable('STORE_UNAVAILABLE', 'away');
    };
    const { call, kept } = setUp({ row: { handle }, ports: { clock: { now: () => 1_000_000, monotonic: () => clock } } });
    for (let count = 0; count < 200; count++) await outcome(call);
    expect(kept.logged).toHaveLength(50);
    clock = 1000;
    await outcome(call);
    expect(kept.logged.at(-1)).toMatchObject({ lost: 150 });
    expect(kept.refused).toHaveLength(201);
  });

  it.each([
    ['ValidateToken', 'call.validate_token'],
    ['GetJwks', 'call.get_jwks'],
    ['Decrypt', 'call.decrypt'],
  ])('names the event of %s %s', (method, wanted) => {
    expect(eventType({ method })).toBe(wanted);
  });

  it('can be made of a live call like of any other', () => {
    const events: AuditEntry[] = [];
    const { call } = setUp({
      row: { handle: (_request, live) => (events.push(eventOf(live, 'acme', 'toy.done', 'toy:1')), {}) },
      caller: user,
    });
    void call();
    expect(events).toMatchObject([
      { method: 'toy.v1.ToyService/DoIt', ipAddress: '203.0.113.9', sessionId: 'ses_1', requestId: expect.stringMatching(/^req_/) },
    ]);
  });
});

describe('at start', () => {
  const layer = (name: string, after: string[]): Layer => ({ name, after, wrap: (_route, inner) => inner });

  it('a layer that stands before one it relies on is found', () => {
    expect(() => checkOrder([layer('authorize', ['authenticate']), layer('authenticate', [])])).toThrow(
      'layer authorize must stand inside authenticate',
    );
  });

  it('two rows for one method are found', () => {
    const { invoker } = setUp({});
    const route = invoker.routes.get(PATH);
    expect(route).toMatchObject({ name: 'toy.v1.ToyService/DoIt', service: 'toy.v1.ToyService', method: 'DoIt', type: 'unary' });
    const row = { access: 'anonymous', audit: 'none', limit: 'manage', deadline: 1, idempotency: 'safe', handle: () => ({}) } as const;
    const twice = service(definition, { doIt: row });
    const ports = {} as OnionPorts;
    expect(() =>
      createInvoker({
        services: [twice, twice],
        caps: { inFlight: 1, streams: 1, streamsPerCaller: 1, batches: 1, waits: 1 },
        ports: { ...ports, ...quiet },
      }),
    ).toThrow(`two rows for ${PATH}`);
  });
});

const quiet = {
  clock: { now: () => 0, monotonic: () => 0 },
  random: systemRandom,
  metrics: { counter: () => ({ inc() {} }), gauge: () => {}, histogram: () => ({ observe() {} }) },
};
