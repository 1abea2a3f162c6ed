// What happens to the stores' wires while a history is made: cut, hung, commits lost on their way, answers lost on theirs, Redis flushed.
import type { Away, Entry } from './history.ts';
import { type Chance, pick } from './history-clients.ts';
import type { World } from './history-world.ts';

/** As the driver sends it: type, length, text. */
export const COMMIT = Buffer.from('Q\0\0\0\x0bCOMMIT\0', 'latin1');

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface Faults {
  /** One after the other until told to end; everything is whole again when it resolves. */
  run(): Promise<void>;
  /** One replica alone loses its database for so long, and for a part of that its Redis. */
  loseDatabase(replica: number, ms: number): Promise<void>;
  end(): void;
}

type Way = 'freeze' | 'cut' | 'lose commits' | 'lose answers';

export const createFaults = (world: World, chance: Chance, history: Entry[]): Faults => {
  let over = false;
  const all = world.replicas.map((_, at) => at);
  /** Under a fault that lasts: left alone. */
  const taken = new Set<number>();

  const during = async (store: Away['store'], replicas: readonly number[], way: Way, ms: number): Promise<void> => {
    const wires = replicas.map((at) => (world.replicas[at] as World['replicas'][number])[store]);
    for (const wire of wires) {
      if (way === 'freeze') wire.freeze();
      else if (way === 'cut') wire.cut();
      else wire.lose(COMMIT, way === 'lose commits' ? 'before' : 'after');
    }
    const begin = performance.now();
    await sleep(ms);
    const end = performance.now();
    for (const wire of wires) {
      wire.mend();
      wire.thaw();
    }
    // With commits alone lost, what is read still comes: nobody is cut off.
    if (way === 'freeze' || way === 'cut') for (const replica of replicas) history.push({ kind: 'away', store, replica, begin, end });
  };

  const some = (): readonly number[] => {
    const free = all.filter((at) => !taken.has(at));
    return chance() < 0.3 ? free : [pick(chance, free)];
  };

  const next = async (): Promise<void> => {
    const what = chance();
    const long = 200 + chance() * 1300;
    if (what < 0.2) await during('postgres', some(), 'lose commits', long);
    else if (what < 0.4) await during('postgres', some(), 'lose answers', long);
    else if (what < 0.5) await during('postgres', some(), 'cut', long);
    else if (what < 0.6) await during('postgres', some(), 'freeze', 3 * long);
    else if (what < 0.75) await during('redis', some(), 'cut', 2 * long);
    else if (what < 0.9) await during('redis', some(), 'freeze', 2 * long);
    else await world.redis.flush();
  };

  return {
    async run() {
      while (!over) {
        await next();
        await sleep(chance() * 800);
      }
    },
    async loseDatabase(replica, ms) {
      taken.add(replica);
      // Until it knows what it will be asked about.
      await sleep(4000);
      const way = (): Way => (chance() < 0.5 ? 'cut' : 'freeze');
      const alone = during('postgres', [replica], way(), ms);
      await sleep(ms / 4);
      await during('redis', [replica], way(), ms / 4);
      await alone;
      taken.delete(replica);
    },
    end() {
      over = true;
    },
  };
};
