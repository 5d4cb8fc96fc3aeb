import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import { answer } from '../s3support.js';

/**
 * Runs each test of a file without the AWS settings of this machine: no variables, an empty `~/.aws`, and no instance.
 * Returns a function for the home directory.
 */
export function emptyHome(): () => string {
  const inherited = { ...process.env };
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'millrace-home-'));
    mkdirSync(join(home, '.aws'));
    for (const name of Object.keys(process.env))
      if (/^AWS_|_proxy$/i.test(name)) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, { HOME: home, AWS_EC2_METADATA_DISABLED: 'true' });
  });
  afterEach(() => {
    process.env = { ...inherited };
    rmSync(home, { recursive: true });
  });
  return () => home;
}

/** The error of a listing with these options, or `let in`. */
export async function listingWith(options: S3Options): Promise<unknown> {
  using s3 = new S3Connection({ retry: { maxRetries: 0 }, ...options });
  return await answer(s3.store('lake').list({})).then(
    () => 'let in',
    (error: unknown) => error,
  );
}
