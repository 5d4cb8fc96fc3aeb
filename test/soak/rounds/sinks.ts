/** Real processes with all sinks, killed while readers look: Parquet, compressed CSV and Avro, PostgreSQL, and a service. */
import { hasPostgres, startPostgres } from '../../processes/postgres.js';
import { liveWithSinks } from '../../processes/sinkLives.js';
import { kinds, openTarget, type Kind } from '../../processes/target.js';
import { between, seeded } from '../../simulation/random.js';
import type { Round, Tally } from '../round.js';

export function sinks(kind: Kind): Round {
  return {
    name: `all sinks on ${kind === 'gateway' ? 'the gateway' : kind}${hasPostgres ? '' : ', without PostgreSQL, which is not installed'}`,
    missing: kinds.includes(kind) ? undefined : 'MILLRACE_TEST_S3_ENDPOINT is not set',
    run: (seed) => run(kind, seed),
  };
}

async function run(kind: Kind, seed: number): Promise<Tally> {
  const random = seeded(seed);
  const kills = between(random, 6, 16);
  const records = between(random, 4, 10) * 1000;
  const faults = random() < 0.5;
  const target = await openTarget(kind);
  const database = hasPostgres ? await startPostgres() : undefined;
  try {
    const { files, looks, ...lives } = await liveWithSinks({
      target,
      database,
      seed,
      kills,
      records,
      faults,
    });
    return { ...lives, note: `${files} files, ${looks} looks of readers` };
  } finally {
    await database?.close();
    await target.close();
  }
}
