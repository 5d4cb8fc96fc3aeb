/** Real processes: kills, pauses with a takeover, SIGTERM, and, with a gateway, failing requests. */
import { live, type Blow } from '../../processes/lives.js';
import { kinds, openTarget, type Kind } from '../../processes/target.js';
import { between, pick, seeded } from '../../simulation/random.js';
import type { Round, Tally } from '../round.js';

export function processes(kind: Kind): Round {
  return {
    name: `processes on ${kind === 'gateway' ? 'the gateway' : kind}`,
    missing: kinds.includes(kind) ? undefined : 'MILLRACE_TEST_S3_ENDPOINT is not set',
    run: (seed) => run(kind, seed),
  };
}

async function run(kind: Kind, seed: number): Promise<Tally> {
  const random = seeded(seed);
  const blows = Array.from({ length: between(random, 4, 8) }, () =>
    pick<Blow>(random, ['kill', 'kill', 'kill in savepoint', 'zombie', 'term']),
  );
  const faults = random() < 0.6;
  const target = await openTarget(kind);
  try {
    const records = between(random, 8, 24) * 1000;
    const { zombies, terms, cutSavepoints, ...lives } = await live({ target, seed, blows, records, faults });
    return { ...lives, note: `${zombies} zombies, ${terms} terms, ${cutSavepoints} savepoints cut short` };
  } finally {
    await target.close();
  }
}
