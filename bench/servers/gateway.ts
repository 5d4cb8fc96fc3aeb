import { createMemoryStore } from 'millrace/stores';
import { startGateway } from 'millrace/testing';
import type { Start } from '../harness/workload.js';
import { SyntheticStore } from '../synthetic/store.js';

/**
 * The library's gateway in its own process, over memory. Below the optional `sink` it keeps only checksums, and
 * objects `generated/<size>` of the given `sizes` are generated while they are read. Params: `bucket`, and optionally
 * `sink`, `sizes` (bytes, comma-separated), `partDelay` (ms). Info: how to reach it.
 */
export const gateway: Start = async ({ bucket, sink, sizes = '', partDelay = 0 }) => {
  const memory = createMemoryStore({ uri: `memory://${String(bucket)}` });
  const generated = Object.fromEntries(
    String(sizes)
      .split(',')
      .map((size) => [`generated/${size}`, Number(size)]),
  );
  const store =
    sink === undefined
      ? memory
      : new SyntheticStore(memory, { sink: String(sink), generated, partDelay: Number(partDelay) });
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' };
  const server = await startGateway({ buckets: { [String(bucket)]: store }, credentials });
  return {
    info: { endpoint: server.endpoint, ...credentials },
    close: () => server.close(),
  };
};
