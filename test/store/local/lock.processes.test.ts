import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstValueFrom } from 'rxjs';
import ts from 'typescript';
import { createLocalStore } from '../../../src/store/local/index.js';

const project = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** Several processes count with one object by ifMatch, race to create others, and one of them is killed at times. */
const child = `
import { createLocalStore } from './src/store/local/index.js';
import { firstValueFrom } from 'rxjs';
const [directory, me] = process.argv.slice(2);
const store = createLocalStore(directory, { durable: false });
const answer = (request) => firstValueFrom(request);
let added = 0;
const won = [];
for (let round = 0; round < 40; round += 1) {
  try {
    await answer(store.put('log/' + round, Buffer.from(me), { ifNoneMatch: '*' }));
    won.push(round);
  } catch (error) {
    if (error.code !== 'AlreadyExists') throw error;
  }
  for (;;) {
    const { info, chunks } = await answer(store.get('counter'));
    try {
      await answer(store.put('counter', Buffer.from(String(Number(Buffer.concat(chunks)) + 1)), { ifMatch: info.etag }));
      added += 1;
      break;
    } catch (error) {
      if (error.code !== 'PreconditionFailed') throw error;
    }
  }
}
process.send({ added, won });
`;

describe('processes on one directory', () => {
  let work = '';
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'millrace-processes-'));
    await compile(work);
    await writeFile(join(work, 'child.mjs'), child);
  });
  afterAll(() => rm(work, { recursive: true }));

  it('lose no update and have one winner for each create; a killed one blocks nobody', async () => {
    const directory = await mkdtemp(join(work, 'store-'));
    const store = createLocalStore(directory, { durable: false });
    await firstValueFrom(store.put('counter', Buffer.from('0')));
    const victims = ['v1', 'v2'].map((name) => start(work, directory, name));
    const workers = ['a', 'b', 'c'].map((name) => start(work, directory, name));
    const reports = workers.map(report);
    for (const victim of victims) {
      await until(async () => Number(await readFile(join(directory, 'counter'), 'utf8')) > 5);
      victim.kill('SIGKILL');
    }
    const done = await Promise.all(reports);
    const counted = Number(await readFile(join(directory, 'counter'), 'utf8'));
    expect(done.map(({ added }) => added)).toEqual([40, 40, 40]);
    expect(counted).toBeGreaterThanOrEqual(120);
    expect(counted).toBeLessThanOrEqual(200);
    for (const [i, { won }] of done.entries()) {
      for (const round of won)
        expect(await readFile(join(directory, 'log', String(round)), 'utf8')).toBe('abc'[i]);
    }
    const all = done.flatMap(({ won }) => won);
    expect(new Set(all).size).toBe(all.length);
  });

  it('never lose an update to each other', async () => {
    const directory = await mkdtemp(join(work, 'store-'));
    await firstValueFrom(createLocalStore(directory).put('counter', Buffer.from('0')));
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => report(start(work, directory, name))));
    expect(await readFile(join(directory, 'counter'), 'utf8')).toBe('160');
  });
});

function start(work: string, directory: string, name: string): ChildProcess {
  return fork(join(work, 'child.mjs'), [directory, name], { execArgv: [] });
}

function report(process: ChildProcess): Promise<{ added: number; won: number[] }> {
  return new Promise((resolve, reject) => {
    process.once('message', (message) => resolve(message as { added: number; won: number[] }));
    process.once('exit', (code) => reject(new Error(`A worker ended with ${code ?? 'a signal'}.`)));
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition().catch(() => false))) await new Promise((resolve) => setImmediate(resolve));
}

/** The store as plain JavaScript, for processes without a test runner. */
async function compile(to: string): Promise<void> {
  const program = ts.createProgram([join(project, 'src/store/local/index.ts')], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    rootDir: project,
    outDir: to,
    noCheck: true,
    skipLibCheck: true,
  });
  program.emit();
  await writeFile(join(to, 'package.json'), '{ "type": "module" }');
  const { symlink } = await import('node:fs/promises');
  await symlink(join(project, 'node_modules'), join(to, 'node_modules'));
}
