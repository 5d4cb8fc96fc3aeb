/** A PostgreSQL server of a test's own, in a temporary directory and on a free port of loopback. */
import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';

export interface PostgresServer {
  readonly url: string;
  /** A pool of connections, which `close` ends if it is not ended before. */
  pool(): Pool;
  /** As a crash of the server: every connection breaks, and what is not committed is gone. It is up again when this resolves. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

/** Where Debian has the programs, or where `PATH` does. */
function programs(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  return [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ].find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** Whether a server can be started here: tests that need one are skipped by name otherwise. */
export const hasPostgres = programs() !== undefined;

/** PostgreSQL refuses to run as root. */
const owner = process.getuid?.() === 0 ? idsOf('postgres') : {};

function idsOf(user: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export async function startPostgres(): Promise<PostgresServer> {
  const bin = programs();
  if (bin === undefined) throw new Error('There is no initdb: install postgresql.');
  const dir = await mkdtemp(join(tmpdir(), 'millrace-postgres-'));
  const { uid, gid } = { uid: undefined, gid: undefined, ...owner };
  if (uid !== undefined && gid !== undefined) await chown(dir, uid, gid);
  const data = join(dir, 'data');
  const options = { ...owner, cwd: dir, stdio: 'ignore' } as const;
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'tester', '-A', 'trust', '-N', '-E', 'UTF8'], options);
  const port = await freePort();
  const start = async (): Promise<ChildProcess> => {
    const settings = ['listen_addresses=127.0.0.1', 'fsync=off', 'max_connections=20', 'timezone=UTC'];
    const flags = settings.flatMap((setting) => ['-c', setting]);
    const server = spawn(
      join(bin, 'postgres'),
      ['-D', data, '-k', dir, '-p', String(port), ...flags],
      options,
    );
    await answers(bin, port);
    return server;
  };
  let server = await start();
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  };
  const url = `postgres://tester@127.0.0.1:${port}/postgres`;
  const pools: Pool[] = [];
  return {
    url,
    pool: () => {
      const pool = new Pool({ connectionString: url, max: 4 });
      pool.on('error', () => undefined);
      pools.push(pool);
      return pool;
    },
    crash: async () => {
      await stop('SIGQUIT');
      server = await start();
    },
    close: async () => {
      await Promise.all(pools.filter((pool) => !pool.ending).map((pool) => pool.end()));
      await stop('SIGQUIT');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

/** Asks until the server answers. */
async function answers(bin: string, port: number): Promise<void> {
  for (;;) {
    const asked = spawn(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)]);
    const [code] = (await once(asked, 'exit')) as [number];
    if (code === 0) return;
  }
}
