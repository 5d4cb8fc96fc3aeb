/** The page's webpack recipe. The bundle runs alone, in a folder without packages. */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway } from '../../src/store/gateway/index.js';
import { listAll } from '../../src/store/helpers.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { answer, credentials } from '../store/s3support.js';
import { input, output, parsed, program } from './program.js';
import { fromPage, Project, root, run } from './project.js';

let project: Project;
let alone: string;
beforeAll(async () => {
  project = await Project.create();
  alone = await mkdtemp(join(tmpdir(), 'millrace-bundle-'));
  await project.write({
    'job.mjs': program,
    'webpack.config.cjs': fromPage('webpack.config.cjs'),
  });
  const { out, err } = await project.node([join(root, 'test/packaging/bundle.mjs')]);
  expect([out.trim(), err]).toEqual(['', '']);
  await cp(project.path('dist'), alone, { recursive: true });
});
afterAll(async () => {
  await project.remove();
  await rm(alone, { recursive: true });
});

test('runs a job on S3, with credentials that a chunk of the bundle finds', async () => {
  const lake = createMemoryStore();
  await answer(lake.put('raw/numbers.ndjson', Buffer.from(input)));
  const gateway = await startGateway({ buckets: { lake }, credentials });
  try {
    const ended = await run(alone, process.execPath, ['job.cjs'], {
      LAKE: 's3://lake',
      S3_ENDPOINT: gateway.endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
    });
    expect(ended).toMatchObject({ code: 0, out: '' });
  } finally {
    await gateway.close();
  }
  const written = await answer(listAll(lake, 'out/'));
  const bodies = await Promise.all(written.map(({ key }) => answer(lake.get(key))));
  expect(parsed(bodies.map(({ chunks }) => Buffer.concat(chunks).toString()).join(''))).toEqual(output);
});

test('omits code that the program does not use', async () => {
  expect(existsSync(join(alone, 'job.cjs'))).toBe(true);
  const chunks = (await readdir(alone)).filter((name) => name.endsWith('.cjs'));
  const text = (await Promise.all(chunks.map((name) => readFile(join(alone, name), 'utf8')))).join('');
  // Each is of one part: the job, the command, millrace/fs.
  expect(['UnknownService', 'cli-progress', 'ENOTSUP'].filter((word) => text.includes(word))).toEqual([
    'UnknownService',
  ]);
});
