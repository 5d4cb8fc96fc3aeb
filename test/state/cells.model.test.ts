import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { lastValueFrom } from 'rxjs';
import { faulty } from '../../src/store/decorators/faults.js';
import { startGateway, type Faults } from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { S3Connection } from '../../src/store/s3/index.js';
import { InFlight } from '../store/inFlight.js';
import { emptyCephBucket } from '../store/realBucket.js';
import { credentials } from '../store/s3support.js';
import { effort } from '../support/effort.js';
import { acts, ttls, World, type Target } from './model/world.js';

const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];

interface Place {
  /** A store for a run, whose requests fail as `random` has it. */
  open(random: () => number): Target;
  close(): Promise<void>;
}

/** A target whose requests fail on the way to the store. */
function failing(store: () => ObjectStore): Place['open'] {
  return (random) => {
    const inFlight = new InFlight();
    const target: Target = {
      store: inFlight.wrap(faulty(store(), { random, before: 0.1, after: 0.1, only: () => target.faults })),
      get busy() {
        return inFlight.any;
      },
      answer: () => inFlight.next(),
      faults: true,
    };
    return target;
  };
}

const memory = (): Promise<Place> =>
  Promise.resolve({ open: failing(createMemoryStore), close: () => Promise.resolve() });

/** The faults are those of a server. */
async function gateway(): Promise<Place> {
  let faults: Faults = () => undefined;
  const server = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials,
    faults: (request) => faults(request),
  });
  const connection = new S3Connection({ endpoint: server.endpoint, credentials });
  return {
    open: (random) => {
      const inFlight = new InFlight();
      const target = {
        store: inFlight.wrap(connection.store('lake')),
        get busy() {
          return inFlight.any;
        },
        answer: () => inFlight.next(),
        faults: true,
      };
      faults = ({ operation }) => {
        const fate = random();
        if (!target.faults || fate > 0.2) return undefined;
        if (fate < 0.05) return { failure: { kind: 'answer', status: 500, code: 'InternalError' } };
        if (fate < 0.1) return { failure: { kind: 'answer-after', status: 500, code: 'InternalError' } };
        if (fate < 0.15) return { failure: { kind: 'lose-answer' } };
        return { failure: operation === 'GetObject' ? { kind: 'cut', at: 5 } : { kind: 'reset' } };
      };
      return target;
    },
    close: async () => {
      connection.close();
      await server.close();
    },
  };
}

async function ceph(): Promise<Place> {
  const connection = new S3Connection({
    endpoint: endpoint ?? '',
    region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
    credentials: {
      accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
      secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    },
  });
  const bucket = `state-${randomBytes(6).toString('hex')}`;
  await lastValueFrom(connection.createBucket(bucket), { defaultValue: undefined });
  return {
    open: failing(() => connection.store(bucket)),
    close: async () => {
      await emptyCephBucket(connection, bucket);
      connection.close();
    },
  };
}

const everywhere = [
  ['memory', memory, effort(10, 100)],
  ['the gateway', gateway, effort(4, 40)],
  ...(endpoint === undefined ? [] : [['a real server', ceph, 30] as const]),
] as const;

const sizes = fc.constantFrom({}, { cells: 12, cellsInBlock: 4, blocksInPage: 2 });

describe.each(everywhere)('all kinds of state on %s', (_, start, numRuns) => {
  let place: Place;
  beforeAll(async () => {
    place = await start();
  });
  afterAll(() => place.close());

  test('hold what plain collections do: failed and canceled checkpoints, crashes, other ranges, merges, TTL, timers', async () => {
    let compactions = 0;
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(
        acts,
        ttls,
        sizes,
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        async (list, ttl, limits, parallelism, first) => {
          let seed = first;
          const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
          const world = new World(place.open(random), ttl, limits);
          for (const act of list) await world.act(act);
          await world.conclude(parallelism, start === memory ? 5 : 2);
          compactions += world.compactions;
          cuts += world.cuts.length;
        },
      ),
      { numRuns, interruptAfterTimeLimit: 60_000 },
    );
    // A few runs may have none by chance.
    expect(compactions).toBeGreaterThanOrEqual(effort(0, 6));
    expect(cuts).toBeGreaterThan(effort(3, 50));
  });
});
