/**
 * A user's project: the packed package, unpacked into its `node_modules` beside links to what it depends on, and nothing
 * else that the package might import without saying so. No network is needed.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

export interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end, with nothing of the test runner's environment. */
export function run(
  cwd: string,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program, args, {
    cwd,
    env: { PATH, HOME, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code) => done({ code, out, err }));
  });
}

export class Project {
  private constructor(readonly dir: string) {}

  /** `links` are packages of ours that the project has installed besides what millrace needs. */
  static async create(links: readonly string[] = []): Promise<Project> {
    if (!existsSync(join(root, 'dist/index.js'))) throw new Error('dist/ is missing: run npm run build.');
    const project = new Project(await mkdtemp(join(tmpdir(), 'millrace-package-')));
    const packed = await run(root, 'npm', [
      'pack',
      '--ignore-scripts',
      '--silent',
      '--pack-destination',
      project.dir,
    ]);
    const tarball = packed.out.trim().split('\n').at(-1) ?? '';
    await mkdir(project.path('node_modules/millrace'), { recursive: true });
    const into = project.path('node_modules/millrace');
    const unpacked = await run(into, 'tar', ['-xzf', `../../${tarball}`, '--strip-components=1']);
    if (packed.code !== 0 || unpacked.code !== 0) throw new Error(packed.err + unpacked.err);
    for (const name of ['rxjs', ...Object.keys(manifest.dependencies), ...links]) await project.link(name);
    return project;
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Writes files by name. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(this.path(name)), { recursive: true });
      await writeFile(this.path(name), text);
    }
  }

  async link(name: string): Promise<void> {
    const path = this.path(join('node_modules', name));
    await mkdir(dirname(path), { recursive: true });
    await symlink(join(root, 'node_modules', name), path);
  }

  node(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> {
    return run(this.dir, process.execPath, args, env);
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true });
  }
}

const page = readFileSync(join(root, 'docs/packaging.md'), 'utf8');

/** The file of that name on the page: a fenced block whose first line names it. */
export function fromPage(name: string): string {
  const found = [...page.matchAll(/```\w*\n([\s\S]*?)```/g)].find(([, code]) =>
    code?.startsWith(`// ${name}\n`),
  );
  if (found?.[1] === undefined) throw new Error(`docs/packaging.md shows no ${name}.`);
  return found[1];
}

export { page };
