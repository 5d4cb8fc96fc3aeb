/**
 * `npm run soak -- --minutes N [--seed S] [--fuzz]`: rounds with fresh seeds until the time is up. The kind of a round follows from
 * its seed, too, and seeds count up, so `--seed S` repeats the round of seed S first.
 *
 * Progress goes to stderr. The last line of stdout is JSON: `{kills, checkpoints, records, lost, duplicated,
 * leakedUploads, leakedObjects, leakedHandles}`. Exit code 1 if anything was lost, duplicated or leaked, or a round failed.
 *
 * With `--fuzz`, rounds are decoders of foreign input instead, each with some thousand inputs in a thread of its own.
 */
import { inspect, parseArgs } from 'node:util';
import { setTimeout as wait } from 'node:timers/promises';
import type { Round, Tally } from './round.js';
import { fuzzing } from './rounds/fuzzing.js';
import { model } from './rounds/model.js';
import { processes } from './rounds/processes.js';
import { simulation } from './rounds/simulation.js';
import { sinks } from './rounds/sinks.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    fuzz: { type: 'boolean', default: false },
  },
});

/** Selected by the seed modulo their number. Add new kinds at the end. */
const rounds: readonly Round[] = values.fuzz
  ? fuzzing
  : [
      simulation,
      processes('gateway'),
      processes('real'),
      processes('real behind a gateway'),
      model,
      sinks('gateway'),
      sinks('real'),
      sinks('real behind a gateway'),
    ];

const minutes = Number(values.minutes);
const first = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(first) || first < 0) {
  console.error(
    'Usage: npm run soak -- --minutes N [--seed S] [--fuzz], N above 0, S a whole number from 0.',
  );
  process.exit(2);
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);
for (const { name, missing } of rounds) if (missing !== undefined) say(`Without ${name}: ${missing}.`);

const end = performance.now() + minutes * 60_000;
const total = {
  kills: 0,
  checkpoints: 0,
  records: 0,
  lost: 0,
  duplicated: 0,
  leakedUploads: 0,
  leakedObjects: 0,
  leakedHandles: 0,
};
let bad = 0;
const before = await handles();

for (let seed = first, ran = 0; ran === 0 || performance.now() < end; seed++) {
  const round = rounds[seed % rounds.length];
  if (round === undefined || round.missing !== undefined) continue;
  ran++;
  const started = performance.now();
  let tally: Tally | undefined;
  try {
    tally = await round.run(seed);
    add(tally);
  } catch (error) {
    say(`${round.name}: ${inspect(error)}`);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  for (const what of tally?.wrong ?? []) say(what);
  for (const what of tally?.leftovers ?? []) say(`Left over: ${what}`);
  if (
    tally === undefined ||
    tally.lost + tally.duplicated + tally.leftovers.length + tally.wrong.length > 0
  ) {
    bad++;
    say(
      `FAILED: ${round.name}, after ${seconds} s. Repeat: npm run soak -- --minutes 1 --seed ${seed}${values.fuzz ? ' --fuzz' : ''}`,
    );
  } else {
    const { kills, checkpoints, records, note } = tally;
    say(
      `${round.name}, seed ${seed}: ${kills} kills, ${note}, ${checkpoints} checkpoints, ${records} records, ${seconds} s`,
    );
  }
}

total.leakedHandles = Math.max(0, (await handles()) - before);
console.log(JSON.stringify(total));
process.exitCode =
  bad > 0 ||
  total.lost + total.duplicated + total.leakedUploads + total.leakedObjects + total.leakedHandles > 0
    ? 1
    : 0;

function add(tally: Tally): void {
  total.kills += tally.kills;
  total.checkpoints += tally.checkpoints;
  total.records += tally.records;
  total.lost += tally.lost;
  total.duplicated += tally.duplicated;
  const uploads = tally.leftovers.filter((each) => each.startsWith('upload ')).length;
  total.leakedUploads += uploads;
  total.leakedObjects += tally.leftovers.length - uploads;
}

/** Active handles of this process, after closed ones had time to go. Our own pipes are not counted. */
async function handles(): Promise<number> {
  const count = (): number =>
    process.getActiveResourcesInfo().filter((type) => !/Pipe|TTY|Timeout|Immediate/.test(type)).length;
  let now = count();
  for (let tries = 0; now > 0 && tries < 20; tries++) {
    await wait(50);
    now = count();
  }
  return now;
}
