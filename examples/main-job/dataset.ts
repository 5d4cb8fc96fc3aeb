/**
 * The cache of generated sets, `.demo/` in the working directory.
 *
 * A set is written into a temporary directory next to its final path and renamed when complete, with `set.json`
 * (names, sizes, checksums) as its last file: an interrupted generation is never mistaken for a set.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { generatorVersion, lines, slices, type SetOptions, type Slice } from './generate.js';

export interface DataFile {
  readonly name: string;
  readonly events: number;
  /** Size as stored. */
  readonly bytes: number;
  /** Size as NDJSON. */
  readonly rawBytes: number;
  /** SHA-256 of the stored bytes, hex. */
  readonly sha256: string;
}

export interface Dataset {
  readonly dir: string;
  readonly events: number;
  readonly files: readonly DataFile[];
}

/** Returns the set from the cache, generating it first if it is missing or incomplete. */
export async function dataset(
  cache: string,
  options: SetOptions,
  progress: (events: number) => void = () => undefined,
): Promise<Dataset> {
  const dir = join(
    cache,
    `events-${options.events.toString()}-${options.seed.toString()}-v${generatorVersion.toString()}`,
  );
  const cached = await load(dir);
  if (cached !== undefined) return cached;

  await sweep(dir);
  const work = `${dir}.${process.pid.toString()}.tmp`;
  await rm(work, { recursive: true, force: true });
  try {
    const files: DataFile[] = [];
    let done = 0;
    for (const slice of slices(options)) {
      files.push(await generate(work, options, slice));
      progress((done += slice.events));
    }
    await writeFile(join(work, 'set.json'), JSON.stringify({ events: options.events, files }));
    await rm(dir, { recursive: true, force: true });
    await rename(work, dir);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const made = await load(dir);
  if (made === undefined) throw new Error(`The set just generated in ${dir} is not whole: is the disk full?`);
  return made;
}

async function load(dir: string): Promise<Dataset | undefined> {
  try {
    const set = JSON.parse(await readFile(join(dir, 'set.json'), 'utf8')) as Omit<Dataset, 'dir'>;
    for (const file of set.files) {
      if ((await stat(join(dir, file.name))).size !== file.bytes) return undefined;
    }
    return { ...set, dir };
  } catch {
    return undefined;
  }
}

/** Removes what killed generations of this set left behind. */
async function sweep(dir: string): Promise<void> {
  const names = await readdir(dirname(dir)).catch(() => []);
  for (const name of names) {
    const owner = name.startsWith(`${basename(dir)}.`) ? /\.(\d+)\.tmp$/.exec(name)?.[1] : undefined;
    if (owner !== undefined && !isRunning(Number(owner))) {
      await rm(join(dirname(dir), name), { recursive: true, force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function generate(work: string, options: SetOptions, slice: Slice): Promise<DataFile> {
  const path = join(work, slice.name);
  await mkdir(dirname(path), { recursive: true });
  const hash = createHash('sha256');
  let bytes = 0;
  let rawBytes = 0;
  const count = function* (): Generator<Buffer> {
    for (const block of lines(options, slice)) {
      rawBytes += block.length;
      yield block;
    }
  };
  const stored = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const source = Readable.from(count(), { objectMode: false });
  const file = createWriteStream(path);
  if (slice.gzip) await pipeline(source, createGzip({ level: 4 }), stored, file);
  else await pipeline(source, stored, file);
  return { name: slice.name, events: slice.events, bytes, rawBytes, sha256: hash.digest('hex') };
}
