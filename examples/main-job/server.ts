/**
 * The embedded S3: the library's gateway over a local directory, in its own process, so that the store outlives every
 * kill, like a real one. Its argument is the directory; it sends its endpoint to its parent.
 */
import { createLocalStore } from 'millrace/stores';
import { startGateway } from 'millrace/testing';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface ServerTask {
  readonly dir: string;
}

export interface ServerReady {
  readonly endpoint: string;
}

const { dir } = JSON.parse(process.argv[2] ?? '') as ServerTask;
const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = process.env;

const { endpoint } = await startGateway({
  credentials: { accessKeyId, secretAccessKey },
  createBucket: async (name) => {
    await mkdir(join(dir, name), { recursive: true });
    return createLocalStore(join(dir, name));
  },
});
process.once('disconnect', () => process.exit(0)); // the demo is gone
process.send?.({ endpoint } satisfies ServerReady);
