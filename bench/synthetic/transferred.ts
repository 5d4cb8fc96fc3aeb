/** What transfers have moved, as digests that are equal for equal content. */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Digest } from './digest.js';

/** One digest of many objects, in the order of their names. */
export function digestOfObjects(digests: readonly string[]): string {
  return `${crc32(digests.join()).toString(16)} of ${digests.length}`;
}

/** The digest of the files in a directory, without those whose names start with a dot. */
export async function digestOfFiles(directory: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('.')).sort();
  const digests: string[] = [];
  for (const name of names) {
    const digest = new Digest();
    for await (const chunk of createReadStream(join(directory, name)) as AsyncIterable<Buffer>)
      digest.update(chunk);
    digests.push(digest.toString());
  }
  return digestOfObjects(digests);
}
