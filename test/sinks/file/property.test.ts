import fc from 'fast-check';
import { concat, ignoreElements, throwError } from 'rxjs';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { StoreError } from '../../../src/store/errors.js';
import { crashAt, faulty, type MortalStore } from '../../../src/store/decorators/faults.js';
import { seeded } from '../../simulation/random.js';
import { Run, World } from '../harness.js';
import { effort } from '../../support/effort.js';

interface Plan {
  readonly seed: number;
  readonly records: number;
  readonly partitions: number;
  /** Where each attempt crashes, in store calls; the last attempt runs to the end. */
  readonly crashes: readonly { readonly at: number; readonly when: 'before' | 'after' }[];
  readonly completeSubset: boolean;
  readonly delayed: boolean;
  readonly loseCompletes: boolean;
  readonly budget: number;
}

/** Runs the plan to its end; returns the world and what should have been published. */
function live(plan: Plan): { world: World; expected: Record<string, string> } {
  const random = seeded(plan.seed);
  const pick = (n: number): number => Math.floor(random() * n);
  const world = new World({ minimumPartSize: 64, completeSubset: plan.completeSubset });
  const records = Array.from({ length: plan.records }, (_, i) => ({
    p: `p${pick(plan.partitions)}`,
    text: `${i}:${'x'.repeat(pick(40))}${random() < 0.1 ? 'ü€😀' : ''}`,
  }));
  const expected: Record<string, string> = {};
  for (const { p, text } of records) expected[p] = `${expected[p] ?? ''}${text}\n`;

  const attempt = (crash: Plan['crashes'][number] | undefined): boolean => {
    let mortal: MortalStore | undefined;
    const run = new Run(world, {
      auto: random() < 0.7,
      dead: () => mortal?.dead === true,
      wrap: (store) => {
        let outer = store;
        if (plan.loseCompletes) {
          outer = decorate(outer, (call, request) => {
            if (call.method !== 'completeUpload' || random() > 0.3) return request;
            return concat(
              request.pipe(ignoreElements()),
              throwError(() => new StoreError('Unavailable', 'lost')),
            );
          });
        }
        if (plan.delayed) {
          outer = faulty(outer, { random, delayed: 0.7, delayUpTo: 2000, clock: world.clock });
        }
        mortal = crashAt(outer, crash?.at ?? Infinity, crash?.when ?? 'before');
        return mortal.store;
      },
      sink: {
        partSize: 64,
        inFlight: 1 + pick(4),
        roll: {
          size: 64 + pick(600),
          age: 1000 + pick(20_000),
          ...(random() < 0.4 && { checkpoints: 1 + pick(3) }),
        },
        budget: plan.budget,
        maxOpenFiles: 1 + pick(10),
      },
    });
    const alive = (): boolean => {
      if (run.error instanceof Error) throw run.error;
      return !run.dead;
    };
    while (run.position < records.length && alive()) {
      const { p, text } = records[run.position]!;
      run.line(p, text);
      const roll = random();
      if (roll < 0.06) run.barrier();
      else if (roll < 0.1) run.durable(random() < 0.8);
      else if (roll < 0.15) world.clock.advance(pick(8000));
      else if (roll < 0.17) run.settle();
    }
    if (!alive()) return false;
    run.end();
    for (let i = 0; i < 10_000 && alive(); i++) {
      run.durable();
      world.clock.advance(10_000);
      run.settle();
      world.clock.advance(10_000);
      if (
        world.manifest.position === records.length &&
        world.manifest.pending.length + world.manifest.open.length === 0
      ) {
        run.stop();
        return true;
      }
    }
    if (!alive()) return false;
    throw new Error('never finished');
  };

  let done = false;
  for (const crash of plan.crashes) {
    done = attempt(crash);
    if (done) break;
    world.clock.advance(pick(3000));
  }
  if (!done) attempt(undefined);
  return { world, expected };
}

const plans = fc.record({
  seed: fc.integer(),
  records: fc.integer({ min: 0, max: 150 }),
  partitions: fc.integer({ min: 1, max: 12 }),
  crashes: fc.array(
    fc.record({
      at: fc.integer({ min: 1, max: 60 }),
      when: fc.constantFrom('before' as const, 'after' as const),
    }),
    { maxLength: 5 },
  ),
  completeSubset: fc.boolean(),
  delayed: fc.boolean(),
  loseCompletes: fc.boolean(),
  budget: fc.constantFrom(256, 700, 2048, 100_000),
});

const numRuns = Number(process.env['MILLRACE_TEST_RUNS'] ?? effort(25, 150));

describe('whatever is written, whenever it crashes', () => {
  test('what is published is exactly the input, in order in each partition', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const { world, expected } = live(plan);
        expect(world.published()).toEqual(expected);
        // Only leftovers for the next attempt's sweep remain.
        const after = new Run(world, {});
        after.stop();
        expect(world.uploads()).toEqual([]);
      }),
      { numRuns },
    );
  });

  test('a crash at every single store call, before and after it', () => {
    const plan = {
      seed: 7,
      records: 60,
      partitions: 3,
      completeSubset: true,
      delayed: false,
      loseCompletes: false,
      budget: 700,
    };
    for (const completeSubset of [true, false]) {
      for (let at = 1; at < 140; at++) {
        for (const when of ['before', 'after'] as const) {
          const { world, expected } = live({ ...plan, completeSubset, crashes: [{ at, when }] });
          expect(world.published()).toEqual(expected);
        }
      }
    }
  });
});
