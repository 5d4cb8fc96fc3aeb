import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway, type Gateway } from '../../src/store/gateway/index.js';
import { createStores, type ObjectStore } from '../../src/entries/stores.js';
import { createJob, files, keyed, ndjson, silentLogger, valueState, values } from '../../src/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { credentials } from '../store/s3support.js';
import { cli, put } from './support.js';

const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));
const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');

/** Every command line of the page, in its order. */
const lines = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
);

/** The arguments of a line that needs nothing of a shell but quotes: it runs in this process, which is much faster. */
function plain(line: string): string[] | undefined {
  const [, rest] = /^(?:npx )?millrace((?: +(?:'[^']*'|[^\s'"$`\\|&;<>(){}*?[\]~#]+))*)$/.exec(line) ?? [];
  if (rest === undefined) return undefined;
  return [...rest.matchAll(/'([^']*)'|[^\s']+/g)].map(([word, quoted]) => quoted ?? word);
}

/** Leaves the checkpoints of a job with this name in the lake. */
async function countedVisits(lake: ObjectStore, name: string): Promise<void> {
  await put(lake, { 'visits/1.ndjson': '{"user":"ada"}\n{"user":"bo"}\n' });
  const job = createJob({
    name,
    checkpoints: { dir: 'memory://lake/checkpoints' },
    stores: createStores({ schemes: { memory: () => lake } }),
    logger: silentLogger,
  });
  const flow = job.source('in', files('memory://lake/visits/', { format: ndjson<{ user: string }>() })).pipe(
    keyed('per-user', {
      key: ({ user }: { user: string }) => user,
      state: { visits: valueState(0) },
      onRecord: (_, { visits }) => [visits.update((n) => n + 1)],
    }),
    values(),
  );
  await job.run(flow);
}

describe('docs/cli.md', () => {
  const lake = createMemoryStore();
  let gateway: Gateway;
  let directory: string;

  beforeAll(async () => {
    if (!existsSync(program)) throw new Error('dist/cli is missing: run npm run build.');
    gateway = await startGateway({ buckets: { lake }, credentials });
    directory = await mkdtemp(join(tmpdir(), 'millrace-docs-'));
    // The command as npm installs it, under both of its names.
    await mkdir(join(directory, 'bin'));
    await chmod(program, 0o755);
    await symlink(program, join(directory, 'bin/millrace'));
    await writeFile(join(directory, 'bin/npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    await mkdir(join(directory, 'work/site'), { recursive: true });
    await writeFile(join(directory, 'work/a.csv'), 'a,b\n1,2\n');
    await writeFile(join(directory, 'work/site/index.html'), '<p>');
    for (const name of ['visits', 'clicks']) await countedVisits(lake, name);
    await put(lake, { 'raw/a.csv': 'a,b\n'.repeat(100), 'raw/b.csv': 'b', 'raw/deep/c.csv': 'c' });
  });
  afterAll(async () => {
    await gateway.close();
    await rm(directory, { recursive: true });
  });

  test('has examples, some of which need a shell', () => {
    expect(lines.length).toBeGreaterThan(30);
    expect(lines.filter((line) => plain(line) === undefined).length).toBeGreaterThan(3);
  });

  test.each(lines)('%s', async (line) => {
    // The example's server is this one.
    const command = line.replaceAll('http://127.0.0.1:9000', gateway.endpoint);
    const cwd = join(directory, 'work');
    const env = {
      PATH: [join(directory, 'bin'), dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      HOME: directory,
      S3_ENDPOINT: gateway.endpoint,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      S3_ACCESS_KEY: credentials.accessKeyId,
      S3_SECRET_KEY: credentials.secretAccessKey,
    };
    const argv = plain(command);
    if (argv !== undefined) {
      const { code, out, err } = await cli(argv, { cwd, env });
      expect({ code, text: out + err }).toEqual({ code: 0, text: expect.any(String) as unknown });
      return;
    }
    const child = spawn('sh', ['-c', command], { cwd, env });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, text }).toEqual({ code: 0, text: expect.any(String) as unknown });
  });
});
