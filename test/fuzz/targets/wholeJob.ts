/**
 * A whole job on a checkpoint that somebody changed: it runs for a while and is killed, one object of its checkpoint is
 * changed, and it starts again. It must end, exactly right or with a typed error; and where the checksum of a changed
 * manifest was set right, it may be wrong, but touches nothing outside of its folders.
 */
import { map } from 'rxjs';
import { createMemoryStore, createStores, probe, type ObjectStore } from 'millrace/stores';
import { delayed, SimulatedClock } from 'millrace/testing';
import { encodeManifest } from '#src/checkpoint/manifestCodec.js';
import { minimumPartSize, pipeline } from '../../simulation/pipeline.js';
import { SimulatedProcess } from '../../simulation/process.js';
import { between, pick, seeded } from '../../simulation/random.js';
import { plain, type Scenario } from '../../simulation/scenario.js';
import { audit, fill, keysOf, now, textOf, type Input } from '../../simulation/world.js';
import { mutated, mutatedJson } from '../mutate.js';
import { target } from '../target.js';

/** Milliseconds of virtual time that no job takes. */
const patience = 3_600_000;

interface Damage {
  readonly scenario: Scenario;
  /** The request at which the first process is killed. */
  readonly killedAt: number;
  readonly seed: number;
}

/** What happens to objects that no job may touch. */
const foreign = ['victim', 'checkpoints/other/log/00000000000000000001', 'out-of-bounds/a'];

function damagedRun({ scenario, killedAt, seed }: Damage): void {
  const random = seeded(seed);
  const clock = new SimulatedClock(1_700_000_000_000);
  const world = createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize });
  const input: Input = fill(world, scenario);
  for (const key of foreign) now(world.put(key, Buffer.from(`{"not":"yours: ${key}"}\n`)));

  life(world, clock, scenario, killedAt);
  const resealed = damage(world, random);
  const untouched = [...foreign, ...keysOf(world, 'raw/')].map((key) => [key, textOf(world, key)] as const);

  const error = life(world, clock, scenario);
  for (const [key, content] of untouched)
    if (textOf(world, key) !== content) throw new Error(`${key} was changed.`);
  if (error !== undefined) throw error as Error;
  if (resealed) return;
  const { lost, duplicated, wrong } = audit(world, input);
  if (lost + duplicated + wrong.length > 0)
    throw new Error(`Lost ${lost}, duplicated ${duplicated}: ${wrong.join('; ')}`);
}

/** Runs a process to its end, or to its death, and returns the error it failed with. */
function life(world: ObjectStore, clock: SimulatedClock, scenario: Scenario, at?: number): unknown {
  const random = seeded(scenario.seed);
  const network = delayed(world, { clock, before: () => between(random, 0, 3) });
  const process = new SimulatedProcess(
    network,
    clock,
    at === undefined ? undefined : { kind: 'crash', at, when: 'after' },
  );
  const { store } = process;
  const stores = createStores({
    schemes: { memory: () => store },
    capabilities: () =>
      probe(store, 'checkpoints/', random).pipe(map((found) => ({ ...found, minimumPartSize }))),
    clock: process.clock,
  });
  const { job, leaf } = pipeline(scenario, { clock: process.clock, random, stores });
  let over = false;
  let failure: unknown;
  job.events$.subscribe((event) => {
    if (event.type === 'finished' || event.type === 'stopped' || event.type === 'failed') over = true;
    if (event.type === 'failed') failure = event.error;
  });
  job.run(leaf).catch(() => undefined);
  const end = clock.now() + patience;
  while (!over && process.state === 'running') {
    if (!clock.step()) throw new Error('The job stands still: no timer is left, and it is not over.');
    if (clock.now() > end) throw new Error('The job does not come to an end.');
  }
  if (at !== undefined) while (clock.step());
  return failure;
}

/** Changes one object of the checkpoint. Returns whether it is a manifest with a right checksum. */
function damage(world: ObjectStore, random: () => number): boolean {
  const keys = keysOf(world, 'checkpoints/sim/');
  if (keys.length === 0) return false;
  const key = pick(random, keys);
  const content = Buffer.concat(now(world.get(key)).chunks);
  if (key.includes('/log/') && between(random, 0, 3) > 0) {
    const manifest = JSON.parse(content.subarray(content.indexOf(0x0a) + 1).toString()) as Parameters<
      typeof encodeManifest
    >[0];
    now(world.put(key, encodeManifest(mutatedJson(random, manifest))));
    return true;
  }
  now(world.put(key, mutated(random, content)));
  return false;
}

export const wholeJobTargets = [
  target({
    name: 'checkpoint of a whole job',
    share: 0.2,
    errors: [
      'BadPosition',
      'CorruptJournal',
      'ForeignName',
      'ForeignObject',
      'InvalidCommittable',
      'LostJournal',
      'LostUpload',
      'ManifestCorrupt',
      'ManifestTooNew',
      // The ETag of an object in a position.
      'ObjectChanged',
      'SegmentCorrupt',
      'SegmentMissing',
      'SegmentTooNew',
      'StateSchemaMismatch',
      'VanishedOperator',
    ],
    draw: (random): Damage => ({
      scenario: {
        ...plain,
        seed: between(random, 1, 1e9),
        shape: pick(random, ['single', 'merged'] as const),
        records: between(random, 20, 120),
      },
      killedAt: between(random, 15, 90),
      seed: between(random, 1, 1e9),
    }),
    run: damagedRun,
  }),
];
