/**
 * `npm run bench [-- name …] [--json] [--quick] [--rounds N] [--strict]`
 *
 * Runs the named rows (all of them by default) one after the other; nothing else should run on the machine. A missed
 * goal is a finding, so the exit code stays 0 unless `--strict` asks otherwise; variants that disagree about the
 * result are an error.
 */
import { parseArgs } from 'node:util';
import { jsonLine, table } from './harness/print.js';
import type { RunOptions } from './harness/row.js';
import { hidden, rows } from './rows/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log('npm run bench [-- name …] [--json] [--quick] [--rounds N] [--strict]\n');
  for (const row of rows) console.log(`  ${row.name.padEnd(12)}${row.title}`);
  process.exit(0);
}

const known = [...rows, ...hidden];
const chosen =
  positionals.length === 0
    ? rows
    : positionals.map((name) => {
        const row = known.find((r) => r.name === name);
        if (row === undefined) {
          console.error(`There is no row '${name}'; there are ${rows.map((r) => r.name).join(', ')}.`);
          process.exit(2);
        }
        return row;
      });

const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
if (rounds !== undefined && !(Number.isSafeInteger(rounds) && rounds > 0)) {
  console.error(`--rounds ${String(values.rounds)}: give a whole number above zero.`);
  process.exit(2);
}

const options: RunOptions = {
  quick: values.quick,
  ...(rounds === undefined ? {} : { rounds }),
  progress: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  },
};

let failed = false;
let missed = false;
for (const row of chosen) {
  try {
    const report = await row.run(options);
    options.progress('');
    console.log(values.json ? jsonLine(report) : `${table(report)}\n`);
    missed ||= report.goals.some((goal) => !goal.met);
  } catch (error) {
    options.progress('');
    console.error(`${row.name}:`, error);
    failed = true;
  }
}
process.exitCode = failed || (values.strict && missed) ? 1 : 0;
