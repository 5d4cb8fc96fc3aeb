/** The demo's command line. */
import { Command, InvalidArgumentError } from 'commander';

export interface Options {
  readonly events: number;
  readonly kills: number;
  readonly seed: number;
  /** `s3://bucket/prefix` on a real server; without it the embedded one. */
  readonly store?: string;
  readonly endpoint?: string;
  readonly region: string;
  readonly cache: string;
  readonly keep: boolean;
  readonly json: boolean;
}

export function options(argv: readonly string[]): Options {
  const command = new Command('npm start --')
    .description(
      [
        'Counts clicks per user and day in a few hundred megabytes of web-access events, from S3 to S3, and kills the',
        'job with SIGKILL while it does: in the middle of part uploads, at the PUT of a journal, at the PUT of a manifest',
        '(which is the commit), and when a checkpoint is durable but its files are not published yet; before each took',
        'effect, and after, with the answer lost. The job recovers every time. In the end a program that shares no code',
        'with it checks that nothing is lost and nothing counted twice; another one reads the output all the while and',
        'must never see a file that is not whole.',
      ].join(' '),
    )
    .option('--events <n>', 'events to generate and count; the set is kept in the cache', whole(1), 2_000_000)
    .option('--kills <n>', 'times to kill the job, each after new durable progress; 0 for none', whole(0), 8)
    .option('--seed <n>', 'seed of the events', whole(0), 1)
    .option(
      '--store <uri>',
      's3://bucket/prefix on a real server. Default: an embedded server over a temporary directory',
    )
    .option('--endpoint <url>', 'the real server; it must accept any Host name and path-style requests')
    .option('--region <name>', 'its region', process.env['AWS_REGION'] ?? 'us-east-1')
    .option('--cache <dir>', 'where generated events are kept', '.demo')
    .option('--keep', "leave the run's objects in the real store", false)
    .option('--json', 'print one line of JSON at the end, and nothing else, on stdout', false)
    .addHelpText(
      'after',
      `
Examples:
  npm start
  npm start -- --events 200000 --kills 3
  npm start --silent -- --json | jq .lost
  AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… npm start -- --store s3://lake/demo --endpoint http://127.0.0.1:9000

Exit code: 0 if all kills happened and the output is exact, 1 if anything is off.`,
    );
  const parsed = command.parse([...argv]).opts<Options>();
  if ((parsed.store === undefined) !== (parsed.endpoint === undefined)) {
    command.error('error: --store and --endpoint go together');
  }
  if (parsed.store !== undefined && !/^s3a?:\/\/[^/]+/.test(parsed.store)) {
    command.error(`error: --store '${parsed.store}' is not of the form s3://bucket/prefix`);
  }
  return parsed;
}

function whole(least: number): (text: string) => number {
  return (text) => {
    const n = Number(text.replaceAll('_', ''));
    if (!Number.isSafeInteger(n) || n < least) {
      throw new InvalidArgumentError(`A whole number of at least ${least.toString()} is needed.`);
    }
    return n;
  };
}
