import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { effort } from '../support/effort.js';

const events = effort(20_000, 60_000);
const kills = effort(1, 3);
const program = fileURLToPath(new URL('../../build/examples/main-job/index.js', import.meta.url));
const clicks = fileURLToPath(new URL('../../build/examples/clicks.js', import.meta.url));
const run = promisify(execFile);

/** `npm start` in small: the compiled demo, as a user starts it. */
describe('the main job', () => {
  let dir: string;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-demo-test-'));
    env = { ...process.env, TMPDIR: dir };
  });
  afterAll(async () => {
    await rm(dir, { recursive: true });
  });

  const demo = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    run(process.execPath, [program, '--json', '--events', `${events}`, '--kills', `${kills}`, ...args], {
      cwd: dir,
      env: { ...env, ...more },
    });

  it('is exact after kills on the embedded store, and leaves only its cache', async () => {
    const { stdout } = await demo([]);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toEqual({
      events,
      kills,
      checkpoints: expect.any(Number) as number,
      lost: 0,
      duplicated: 0,
      partial: 0,
      seconds: expect.any(Number) as number,
      store: 'embedded',
    });
    expect(await readdir(dir)).toEqual(['.demo']);
  });

  const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];
  (endpoint === undefined ? it.skip : it)('survives kills exactly on a real server', async () => {
    const store = `s3://main-job-${Math.random().toString(36).slice(2)}/demo`;
    const { stdout } = await demo(['--store', store, '--endpoint', endpoint ?? ''], {
      AWS_REGION: process.env['MILLRACE_TEST_S3_REGION'],
      AWS_ACCESS_KEY_ID: process.env['MILLRACE_TEST_S3_ACCESS_KEY'],
      AWS_SECRET_ACCESS_KEY: process.env['MILLRACE_TEST_S3_SECRET_KEY'],
    });
    expect(JSON.parse(stdout)).toMatchObject({ kills, lost: 0, duplicated: 0, partial: 0, store });
  });

  it('shuts down on SIGINT: no process, no file is left', async () => {
    const child = spawn(process.execPath, [program, '--events', `${events}`], {
      cwd: dir,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    let interrupted = false;
    for await (const chunk of child.stdout) {
      said += String(chunk);
      if (said.includes('kill 1:') && !interrupted) interrupted = child.kill('SIGINT');
    }
    const [code] = child.exitCode !== null ? [child.exitCode] : ((await once(child, 'exit')) as [number]);
    expect(code).toBe(130);
    expect(await readdir(dir)).toEqual(['.demo']);
  });

  it('prints its help and refuses invalid options', async () => {
    expect((await run(process.execPath, [program, '--help'])).stdout).toContain('--kills <n>');
    await expect(run(process.execPath, [program, '--kills', '-1'])).rejects.toMatchObject({ code: 1 });
    await expect(run(process.execPath, [program, '--store', 's3://lake/x'])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--endpoint') as string,
    });
  });
});

describe('the README’s example', () => {
  it('counts exactly once on a directory', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-clicks-test-'));
    try {
      const { stdout } = await run(process.execPath, [clicks, dir]);
      expect(stdout).toContain('{"user":"ann","day":"2026-03-03","clicks":3}');
      expect((await run(process.execPath, [clicks, dir])).stdout).toBe(stdout);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
